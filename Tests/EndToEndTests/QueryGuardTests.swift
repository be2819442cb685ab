import Foundation
import JSON
import TestSupport
import Testing

/// Queries that want more than there is, beside scraping that must go on; what they leave in the logs.
@Suite("Guarded queries", .serialized)
struct QueryGuardTests {
    private static let series = 2000

    /// A target with wide metrics.
    private static func target() -> HTTPStub? {
        var page = "# TYPE wide gauge\n"
        for index in 0..<series { page += "wide{i=\"\(index)\",filler=\"0123456789\"} \(index)\n" }
        let text = page
        return HTTPStub { _ in HTTPStub.Response(contentType: "text/plain; version=0.0.4", text: text) }
    }

    private static func start(_ folder: Folder, _ target: UInt16, _ port: UInt16, _ flags: [String]) throws -> Daemon {
        let config = try folder.write(
            "martlet.yml",
            """
            global: {scrape_interval: 1s, scrape_timeout: 1s, query_log_file: queries.log}
            scrape_configs:
              - job_name: wide
                static_configs: [{targets: ["127.0.0.1:\(target)"]}]
            """)
        let daemon = try Daemon(
            Daemon.martlet,
            [
                "--config.file=\(config)", "--storage.tsdb.path=\(folder.url.path)/data",
                "--web.listen-address=127.0.0.1:\(port)",
            ] + flags, port: port, folder: folder.url)
        #expect(daemon.waitReady(), "not ready: \(daemon.logText)")
        return daemon
    }

    /// A figure of `/proc/PID/status`, in bytes.
    private static func memory(_ daemon: Daemon, _ name: String) -> Int {
        let text =
            (try? String(contentsOfFile: "/proc/\(daemon.process.processIdentifier)/status", encoding: .utf8)) ?? ""
        let line = text.split(separator: "\n").first { $0.hasPrefix(name + ":") } ?? ""
        return (Int(line.filter(\.isNumber)) ?? 0) << 10
    }

    /// Collects from several threads.
    private final class Bag: @unchecked Sendable {
        // SAFETY: every access holds the lock.
        private let lock = NSLock()
        private var items: [(status: Int, text: String, seconds: Double)] = []
        func add(_ item: (status: Int, text: String, seconds: Double)) { lock.withLock { items.append(item) } }
        var all: [(status: Int, text: String, seconds: Double)] { lock.withLock { items } }
    }

    @Test("queries over their budget end early with the reason, and scraping goes on")
    func budget() throws {
        let folder = try Folder()
        let target = try #require(Self.target())
        defer { target.stop() }
        let port = LoopbackSocket.freePort()
        let daemon = try Self.start(
            folder, target.port, port, ["--query.max-memory=32MB", "--query.max-memory-per-query=16MB"])
        let answers = QueryAnswers(probe: daemon.probe)
        #expect(Daemon.wait { answers.value("count(wide)") == Double(Self.series) })
        #expect(Daemon.wait { (answers.value("count_over_time(up[1m])") ?? 0) >= 3 })
        let idle = Self.memory(daemon, "VmRSS")
        let now = Date().timeIntervalSince1970
        let path = "/api/v1/query_range?query=sort(wide%20%2B%201)&start=\(now - 5)&end=\(now)&step=0.001"
        let bag = Bag()
        let probe = daemon.probe
        DispatchQueue.concurrentPerform(iterations: 40) { _ in
            let began = Date()
            let answer = probe.get(path)
            bag.add((answer?.status ?? 0, answer?.text ?? "", Date().timeIntervalSince(began)))
        }
        #expect(bag.all.count == 40)
        for answer in bag.all {
            #expect(answer.status == 422)
            #expect(answer.text.contains("query uses too much memory at 1:6 in \\\"wide + 1\\\""), "\(answer.text)")
            #expect(answer.text.contains("\"errorType\":\"execution\""))
        }
        let peak = Self.memory(daemon, "VmHWM")
        // The budget, a tenth of it, and what connections and their threads take besides.
        #expect(peak - idle < 35 << 20 + 24 << 20, "idle \(idle >> 20) MB, peak \(peak >> 20) MB")
        #expect(daemon.process.isRunning)
        // How regularly depends on what else the machine does; that it goes on does not.
        let before = answers.value("count_over_time(up[5m])") ?? 0
        #expect(Daemon.wait { (answers.value("count_over_time(up[5m])") ?? 0) >= before + 3 })
        #expect(Daemon.wait { answers.value("up") == 1 })
    }

    @Test("what runs when the daemon is killed is named at the next start, and the log has what ran")
    func traces() throws {
        let folder = try Folder()
        let target = try #require(Self.target())
        defer { target.stop() }
        let port = LoopbackSocket.freePort()
        var daemon = try Self.start(folder, target.port, port, [])
        let answers = QueryAnswers(probe: daemon.probe)
        #expect(Daemon.wait { answers.value("count(wide)") == Double(Self.series) })
        let log = folder.url.appendingPathComponent("queries.log")
        let lines = try String(contentsOf: log, encoding: .utf8).split(separator: "\n")
        let line = try #require(lines.last { $0.contains("count(wide)") })
        let record = try JSONValue.parse(Array(line.utf8))
        #expect(record["params"]?["query"]?.string == "count(wide)")
        #expect(record["params"]?["step"]?.number == 0)
        #expect(record["httpRequest"]?["path"]?.string == "/api/v1/query")
        #expect(record["httpRequest"]?["clientIP"]?.string == "127.0.0.1")
        #expect(record["stats"]?["samples"]?["totalQueryableSamples"]?.number == Double(Self.series))

        // Reopened at a reload, as after a rotation.
        try FileManager.default.removeItem(at: log)
        kill(daemon.process.processIdentifier, SIGHUP)
        #expect(
            Daemon.wait {
                _ = answers.value("vector(7)")
                return (try? String(contentsOf: log, encoding: .utf8))?.contains("vector(7)") == true
            })

        let socket = try #require(LoopbackSocket.connect(port: port))
        defer { socket.close() }
        // A median of a day of seconds at each of 3,000 steps.
        let slow = "quantile_over_time(0.5, vector(1)[1d:1s]) + 12345"
        let now = Date().timeIntervalSince1970
        let path = "/api/v1/query_range?query=\(HTTPProbe.escape(slow))&start=\(now - 3000)&end=\(now)&step=1"
        socket.send(Array("GET \(path) HTTP/1.1\r\nHost: x\r\n\r\n".utf8))
        let file = folder.url.appendingPathComponent("data/queries.active")
        #expect(Daemon.wait(5) { (try? Data(contentsOf: file))?.range(of: Data("12345".utf8)) != nil })
        daemon.kill9()
        daemon = try Self.start(folder, target.port, port, [])
        #expect(daemon.logText.contains("These queries didn't finish in the last run"))
        #expect(daemon.logText.contains("12345"))
        #expect(daemon.terminate() == 0)
        daemon = try Self.start(folder, target.port, port, [])
        #expect(!daemon.logText.contains("These queries didn't finish"))
    }

    @Test("the command line shows the plan of a query and what it did")
    func explain() throws {
        let folder = try Folder()
        let target = try #require(Self.target())
        defer { target.stop() }
        let port = LoopbackSocket.freePort()
        let daemon = try Self.start(folder, target.port, port, [])
        let answers = QueryAnswers(probe: daemon.probe)
        #expect(Daemon.wait { answers.value("count(wide)") == Double(Self.series) })
        func run(_ words: [String]) throws -> String {
            let process = Process()
            process.executableURL = URL(fileURLWithPath: Daemon.martlet)
            process.arguments = ["query"] + words
            let pipe = Pipe()
            process.standardOutput = pipe
            try process.run()
            let data = pipe.fileHandleForReading.readDataToEndOfFile()
            process.waitUntilExit()
            #expect(process.terminationStatus == 0)
            return String(decoding: data, as: UTF8.self)
        }
        let server = "http://127.0.0.1:\(port)"
        let analysis = try run(["instant", server, "--explain", "sum(wide) / sum(wide)"])
        #expect(analysis.contains("own"))
        #expect(analysis.contains("├─ aggregation  sum(wide)"))
        #expect(analysis.contains("evaluated once, for here and 1:13"))
        #expect(analysis.contains("└─ selector  wide"))
        let selector = try #require(analysis.split(separator: "\n").first { $0.contains("selector  wide") })
        #expect(selector.split(separator: " ").contains("2000"))
        let plan = try run(["range", server, "rate(wide[1m])", "--explain=plan"])
        #expect(plan.contains("range function  rate(wide[1m])"))
        #expect(!plan.contains("total"))
        let json = try run(["instant", server, "wide", "--explain=plan", "-o", "json"])
        #expect(try JSONValue.parse(Array(json.utf8))["node"]?.string == "selector")
    }
}
