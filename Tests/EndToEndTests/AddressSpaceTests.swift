import Foundation
import Synchronization
import TestSupport
import Testing

/// The real binary under a limit of its address space.
@Suite("Limited address space", .serialized)
struct AddressSpaceTests {
    @Test("under ulimit -v a hundred thousand series are stored, asked for by many at once, and kept")
    func ulimit() throws {
        let folder = try Folder()
        let page = (0..<100_000).map { "load_total{series=\"\($0)\",host=\"machine-\($0 % 100)\"} \($0)\n" }.joined()
        let target = try #require(
            HTTPStub { _ in HTTPStub.Response(contentType: "text/plain; version=0.0.4", text: page) })
        defer { target.stop() }
        let port = LoopbackSocket.freePort()
        let config = try folder.write(
            "martlet.yml",
            """
            global: {scrape_interval: 5s, scrape_timeout: 5s}
            scrape_configs:
              - job_name: load
                static_configs: [{targets: ["127.0.0.1:\(target.port)"]}]
            """)
        func start() throws -> Daemon {
            let daemon = try Daemon(
                "/bin/bash",
                [
                    "-c", "ulimit -v 1000000 && exec \"$@\"", "bash", Daemon.martlet, "--config.file=\(config)",
                    "--storage.tsdb.path=\(folder.url.path)/data", "--web.listen-address=127.0.0.1:\(port)",
                ], port: port, folder: folder.url)
            #expect(daemon.waitReady(), "not ready: \(daemon.logText)")
            return daemon
        }
        var daemon = try start()
        let query = "/api/v1/query?query=" + HTTPProbe.escape("count(load_total)")
        func isComplete() -> Bool { daemon.probe.get(query)?.text.contains("\"100000\"") == true }
        #expect(Daemon.wait(60) { isComplete() }, "not stored: \(daemon.logText)")
        // More requests at once than there is room for the stacks of.
        let answers = Mutex<[Int]>([])
        let path = "/api/v1/query?query=" + HTTPProbe.escape("sum by (host) (load_total)")
        let group = DispatchGroup()
        for _ in 0..<60 {
            group.enter()
            Thread.detachNewThread {
                // The queries that find room share the processors with all other tests.
                let status = HTTPProbe(port: port, timeout: 300).get(path)?.status ?? 0
                answers.withLock { $0.append(status) }
                group.leave()
            }
        }
        group.wait()
        #expect(answers.withLock { $0.count } == 60)
        // A query that finds no room is refused; none may end the daemon.
        #expect(answers.withLock { $0.allSatisfy { [200, 422, 503].contains($0) } }, "\(answers.withLock { $0 })")
        #expect(answers.withLock { $0.contains(200) })
        #expect(daemon.process.isRunning, "\(daemon.logText)")
        #expect(daemon.terminate() == 0)
        daemon = try start()
        #expect(Daemon.wait(60) { isComplete() }, "not there after a restart: \(daemon.logText)")
        #expect(daemon.terminate() == 0)
    }

    @Test("under ulimit -v bodies that are promised or come by many are refused, and none ends the daemon")
    func bodies() throws {
        let folder = try Folder()
        let port = LoopbackSocket.freePort()
        let config = try folder.write("martlet.yml", "global: {}\n")
        let daemon = try Daemon(
            "/bin/bash",
            [
                "-c", "ulimit -v 1000000 && exec \"$@\"", "bash", Daemon.martlet, "--config.file=\(config)",
                "--storage.tsdb.path=\(folder.url.path)/data", "--web.listen-address=127.0.0.1:\(port)",
                "--web.enable-remote-write-receiver",
            ], port: port, folder: folder.url)
        #expect(daemon.waitReady(), "not ready: \(daemon.logText)")
        let head = Array("POST /api/v1/write HTTP/1.1\r\nHost: a\r\nContent-Length: 32505856\r\n\r\n".utf8)
        let part = [UInt8](repeating: 0x61, count: 4 << 20)
        for bytes in [[], part] as [[UInt8]] {
            let sockets = try (0..<40).map { _ in try #require(LoopbackSocket.connect(port: port)) }
            for socket in sockets { socket.send(head + bytes) }
            for socket in sockets { socket.close() }
            #expect(Daemon.wait { daemon.probe.get("/-/ready")?.status == 200 }, "\(daemon.logText)")
        }
        // A few bytes that promise much: copies of 64 bytes each.
        let copies = (0..<(31 << 14)).flatMap { _ in [0xFE, 1, 0] as [UInt8] }
        let push: [UInt8] = [0x81, 0x80, 0xC0, 0x0F, 0, 0] + copies
        for _ in 0..<8 {
            let answer = daemon.probe.request("POST", "/api/v1/write", body: push)
            #expect([400, 503].contains(answer?.status ?? 0), "\(daemon.logText)")
        }
        #expect(daemon.process.isRunning, "\(daemon.logText)")
        #expect(daemon.terminate() == 0)
    }

    /// A daemon under a limit, in kB.
    private static func start(
        _ folder: Folder, limit: Int, _ flags: [String] = [], isReady: Bool = true
    ) throws -> Daemon {
        let port = LoopbackSocket.freePort()
        let config = try folder.write(
            "martlet.yml",
            """
            global: {scrape_interval: 1s, evaluation_interval: 1s}
            rule_files: [rules.yml]
            scrape_configs: [{job_name: self, static_configs: [{targets: ["127.0.0.1:\(port)"]}]}]
            """)
        _ = try folder.write("rules.yml", "groups: [{name: g, rules: [{record: r, expr: vector(2)}]}]\n")
        let daemon = try Daemon(
            "/bin/bash",
            [
                "-c", "ulimit -v \(limit) && exec \"$@\"", "bash", Daemon.martlet, "--config.file=\(config)",
                "--storage.tsdb.path=\(folder.url.path)/data", "--web.listen-address=127.0.0.1:\(port)",
                "--web.enable-remote-write-receiver",
            ] + flags, port: port, folder: folder.url)
        if isReady { try #require(daemon.waitReady(), "not ready: \(daemon.logText)") }
        return daemon
    }

    @Test("an address space without room for threads is refused, and one with a little serves and ends")
    func tight() throws {
        let folder = try Folder()
        let refused = try Self.start(folder, limit: 100_000, isReady: false)
        #expect(Daemon.wait { !refused.process.isRunning })
        #expect(refused.terminate() == 1)
        #expect(refused.logText.contains("The address space is too small"), "\(refused.logText)")
        let daemon = try Self.start(folder, limit: 400_000)
        #expect(Daemon.wait { daemon.probe.get("/api/v1/query?query=r")?.text.contains("\"2\"") == true })
        kill(daemon.process.processIdentifier, SIGTERM)
        #expect(Daemon.wait(60) { !daemon.process.isRunning }, "\(daemon.logText)")
        #expect(daemon.terminate() == 0)
    }

    @Test(
        "under ulimit -v clients that keep the daemon waiting keep nobody else out",
        arguments: [
            "POST /api/v1/write HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n",
            "POST /api/v1/write HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\nabc",
            "POST /api/v1/query HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\na",
            "POST /nosuch HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\n", "GET /metrics HT", "",
            "GET /api/v1/query_range?query=time()&start=0&end=10000&step=1 HTTP/1.1\r\nHost: a\r\n\r\n",
        ], [512, 64])
    func waiting(_ text: String, places: Int) throws {
        let folder = try Folder()
        let daemon = try Self.start(folder, limit: 1_000_000, ["--web.max-connections=\(places)"])
        let clients = try (0..<200).map { _ in
            let client = try #require(LoopbackSocket.connect(port: daemon.port))
            // Of some answers so many that no socket takes all of them.
            let isQuery = text.contains("query_range")
            client.send(Array(String(repeating: text, count: isQuery ? 10 : 1).utf8))
            return client
        }
        var push = RemoteWritePush()
        push.append([("__name__", "pushed")], [(Int64(Date().timeIntervalSince1970 * 1000), .float(1))])
        for path in ["/-/healthy", "/api/v1/query?query=up", "/metrics"] {
            #expect(daemon.probe.get(path)?.status == 200, "\(path): \(daemon.logText)")
        }
        #expect(push.send(daemon.probe)?.status == 204)
        kill(daemon.process.processIdentifier, SIGTERM)
        #expect(Daemon.wait(60) { !daemon.process.isRunning }, "\(daemon.logText)")
        #expect(daemon.terminate() == 0)
        for client in clients { client.close() }
    }
}
