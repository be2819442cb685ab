import Foundation
import TestSupport
import Testing

/// Pushes to the real binary, and what queries answer afterwards, across a kill.
@Suite("Pushes")
struct PushTests {
    private static func start(_ folder: Folder) throws -> Daemon {
        let config = try folder.write("martlet.yml", "global: {scrape_interval: 15s}\n")
        let port = LoopbackSocket.freePort()
        let daemon = try Daemon(
            Daemon.martlet,
            [
                "--config.file=\(config)", "--storage.tsdb.path=\(folder.url.path)/data",
                "--web.listen-address=127.0.0.1:\(port)", "--web.enable-remote-write-receiver",
            ], port: port, folder: folder.url)
        try #require(daemon.waitReady(), "\(daemon.logText)")
        return daemon
    }

    /// The values that an instant query answers, as text.
    private static func values(_ daemon: Daemon, _ query: String, at time: Int64) throws -> [String] {
        let path = "/api/v1/query?time=\(Double(time) / 1000)&query=" + HTTPProbe.escape(query)
        let answer = try #require(daemon.probe.get(path))
        #expect(answer.status == 200, "\(answer.text)")
        let object = try JSONSerialization.jsonObject(with: Data(answer.body)) as? [String: Any]
        let result = (object?["data"] as? [String: Any])?["result"] as? [[String: Any]]
        return try #require(result).compactMap { ($0["value"] as? [Any])?.last as? String ?? "histogram" }
    }

    @Test("what is good of a push is kept, wide series too, and what is not is 400", .timeLimit(.minutes(2)))
    func mixed() throws {
        let folder = try Folder()
        var daemon = try Self.start(folder)
        let now = Int64(Date().timeIntervalSince1970 * 1000)
        let wide = (0..<300).map { (String(format: "l%03d", $0), "v\($0)") }
        var push = RemoteWritePush()
        push.append([("__name__", "first")], [(now, .float(1))])
        push.append([("__name__", "wide")] + wide, [(now, .float(2))])
        push.append([("__name__", "bad")], [(now, .histogram(.init(schema: -60, sum: 1, buckets: [1])))])
        push.append([("__name__", "long"), ("text", String(repeating: "x", count: 1 << 20))], [(now, .float(3))])
        push.append([("__name__", "last")], [(now, .float(4))])
        let answer = try #require(push.send(daemon.probe))
        #expect(answer.status == 400)
        #expect(answer.text.contains("schema"), "\(answer.text)")
        // Of two values at one time the first is kept, and the sender need not know.
        var twice = RemoteWritePush()
        twice.append([("__name__", "twice")], [(now, .float(5)), (now, .float(6))])
        #expect(twice.send(daemon.probe)?.status == 204)
        for round in 0..<2 {
            for (query, value) in [
                ("first", "1"), ("wide{l000='v0',l299='v299'}", "2"), ("long", "3"), ("last", "4"), ("twice", "5"),
            ] { #expect(try Self.values(daemon, query, at: now) == [value], "\(query), round \(round)") }
            #expect(try Self.values(daemon, "bad", at: now) == [])
            if round == 0 {
                daemon.kill9()
                daemon = try Self.start(folder)
            }
        }
        #expect(daemon.terminate() == 0)
    }

    @Test("a float staleness marker ends a series of native histograms, also after a kill", .timeLimit(.minutes(2)))
    func staleHistograms() throws {
        let folder = try Folder()
        var daemon = try Self.start(folder)
        let now = Int64(Date().timeIntervalSince1970 * 1000)
        let marker = Double(bitPattern: 0x7FF0_0000_0000_0002)
        var push = RemoteWritePush()
        push.append(
            [("__name__", "h")],
            [(now - 60_000, .histogram(.init(schema: 0, sum: 3, buckets: [1, 2]))), (now - 30_000, .float(marker))])
        #expect(push.send(daemon.probe)?.status == 204)
        for round in 0..<2 {
            #expect(try Self.values(daemon, "histogram_count(h)", at: now - 40_000) == ["3"], "round \(round)")
            #expect(try Self.values(daemon, "h", at: now - 30_000) == [], "round \(round)")
            #expect(try Self.values(daemon, "h", at: now) == [], "round \(round)")
            #expect(try Self.values(daemon, "histogram_count(h)", at: now) == [], "round \(round)")
            if round == 0 {
                daemon.kill9()
                daemon = try Self.start(folder)
            }
        }
        #expect(daemon.terminate() == 0)
    }
}
