import Foundation
import JSON
import TestSupport
import Testing

/// A block whose files go or break under the running daemon: the rest is answered, and everyone is told.
@Suite("Left-out parts", .serialized)
struct LeftOutPartsTests {
    private static let now = Int64(Date().timeIntervalSince1970)

    /// Makes a store of one block with the series `lost`; returns the block's name.
    private static func fill(_ folder: Folder, _ store: String) throws -> String {
        let lines = (0..<600).map { "lost{l=\"lost\"} \($0 * 7 % 13) \(now - 7200 + Int64($0) * 10)\n" }
        let file = try folder.write("lost.om", "# TYPE lost gauge\n" + lines.joined() + "# EOF\n")
        let made = try PrometheusPeer.run(
            Daemon.martlet, ["tsdb", "create-blocks-from", "openmetrics", file, "--storage.tsdb.path=\(store)"],
            in: folder)
        try #require(made.status == 0, "\(made.text)")
        let names = try FileManager.default.contentsOfDirectory(atPath: store + "/blocks")
        return try #require(names.first { $0.utf8.count == 26 })
    }

    /// Pushes the series `kept` into the head, over times that the block has, too.
    private static func push(_ probe: HTTPProbe) throws {
        var push = RemoteWritePush()
        push.append(
            [("__name__", "kept"), ("l", "kept")],
            (0..<20).map { ((now - 1500 + $0 * 10) * 1000, .float(Double($0))) })
        let answer = try #require(push.send(probe))
        try #require(answer.status == 204, "\(answer.text)")
    }

    /// Every answer that touches the block: its warnings, and whether the other block's data is in it.
    private static func answers(_ probe: HTTPProbe) throws -> [(path: String, warnings: [String], text: String)] {
        let times = "start=\(now - 7200)&end=\(now)"
        let all = HTTPProbe.escape(#"{l=~".+"}"#)
        let paths = [
            "query?query=\(HTTPProbe.escape(#"{l=~".+"}[3h]"#))&time=\(now)",
            "query_range?query=\(all)&\(times)&step=60",
            "series?match[]=\(all)&\(times)", "labels?\(times)", "label/l/values?\(times)",
        ]
        return try paths.map { path in
            let answer = try #require(probe.get("/api/v1/" + path))
            #expect(answer.status == 200, "\(path): \(answer.text.prefix(300))")
            let json = try JSONValue.parse(answer.body)
            return (path, (json["warnings"]?.array ?? []).compactMap(\.string), answer.text)
        }
    }

    private static func isLeftOut(_ probe: HTTPProbe, _ block: String) -> Bool {
        probe.get("/-/ready")?.text.contains(block) ?? false
    }

    private static func expectSaid(_ daemon: Daemon, _ block: String, _ how: String) throws {
        let ready = try #require(daemon.probe.get("/-/ready"))
        #expect(ready.status == 200 && ready.text.contains(block), "\(how): \(ready.text)")
        let notes = try #require(daemon.probe.get("/api/v1/notifications")).text
        #expect(notes.contains(block), "\(how): \(notes)")
        let metrics = try #require(daemon.probe.get("/metrics")).text
        let gauge = metrics.split(separator: "\n").filter { $0.hasPrefix("martlet_storage_blocks_left_out{") }
        #expect(gauge.contains { $0.hasSuffix(" 1") }, "\(how): \(gauge)")
        for answer in try answers(daemon.probe) {
            #expect(answer.warnings.contains { $0.contains(block) }, "\(how): \(answer.path): \(answer.warnings)")
            #expect(answer.text.contains("kept") || answer.path.hasPrefix("labels"), "\(how): \(answer.path)")
        }
    }

    private static func expectWhole(_ daemon: Daemon, _ how: String) throws {
        for answer in try answers(daemon.probe) {
            #expect(answer.warnings.isEmpty, "\(how): \(answer.path): \(answer.warnings)")
            #expect(answer.text.contains("lost") || answer.path.hasPrefix("labels"), "\(how): \(answer.path)")
        }
        let count = QueryAnswers(probe: daemon.probe).value("count_over_time(lost[3h])")
        #expect(count == 600, "\(how)")
        #expect(daemon.probe.get("/api/v1/notifications")?.text.contains("incomplete") == false, "\(how)")
    }

    @Test("a block that goes away or breaks is said everywhere, and is back when its file is back")
    func underTheDaemon() throws {
        let folder = try Folder()
        let store = folder.url.path + "/store"
        let block = try Self.fill(folder, store)
        let data = store + "/blocks/" + block + "/data"
        let content = try Data(contentsOf: URL(fileURLWithPath: data))
        let config = try folder.write("martlet.yml", "global: {}\n")
        let port = LoopbackSocket.freePort()
        let daemon = try Daemon(
            Daemon.martlet,
            [
                "--config.file=\(config)", "--storage.tsdb.path=\(store)", "--web.listen-address=127.0.0.1:\(port)",
                "--storage.tsdb.retention.time=10y", "--web.enable-remote-write-receiver",
            ], port: port, folder: folder.url)
        try #require(daemon.waitReady(), "\(daemon.logText)")
        try Self.push(daemon.probe)
        try Self.expectWhole(daemon, "at the start")
        let files = FileManager.default
        let away = folder.url.path + "/away"
        var harms: [(String, () throws -> Void, () throws -> Void)] = [
            (
                "deleted", { try files.moveItem(atPath: data, toPath: away) },
                { try files.moveItem(atPath: away, toPath: data) }
            ),
            (
                "index deleted", { try files.moveItem(atPath: store + "/blocks/\(block)/index", toPath: away) },
                { try files.moveItem(atPath: away, toPath: store + "/blocks/\(block)/index") }
            ),
            (
                "truncated", { #expect(truncate(data, off_t(content.count / 3)) == 0) },
                { try content.write(to: URL(fileURLWithPath: data)) }
            ),
        ]
        // Root may read everything.
        if geteuid() != 0 {
            harms.append(("unreadable", { #expect(chmod(data, 0) == 0) }, { #expect(chmod(data, 0o640) == 0) }))
        }
        for (how, harm, mend) in harms {
            try harm()
            let isNoticed = Daemon.wait(60) {
                _ = daemon.probe.get("/api/v1/query?query=" + HTTPProbe.escape("lost[3h]"))
                return Self.isLeftOut(daemon.probe, block)
            }
            #expect(isNoticed, "\(how): \(daemon.logText)")
            try Self.expectSaid(daemon, block, how)
            try mend()
            #expect(Daemon.wait(60) { !Self.isLeftOut(daemon.probe, block) }, "\(how): \(daemon.logText)")
            try Self.expectWhole(daemon, "mended: " + how)
        }
        #expect(daemon.terminate() == 0)
    }
}
