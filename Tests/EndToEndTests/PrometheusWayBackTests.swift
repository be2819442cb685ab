import Foundation
import JSON
import TestSupport
import Testing

/// What this program exports is given to a real Prometheus, which takes no late samples.
@Suite(
    "The way back to a real Prometheus", .serialized,
    .enabled(if: PrometheusPeer.isInstalled, "needs prometheus and promtool"))
struct PrometheusWayBackTests {
    private static let minute: Int64 = 60_000

    private static func now() -> Int64 { Int64(Date().timeIntervalSince1970) / 60 * minute }

    private static func martlet(_ arguments: [String], _ folder: Folder) throws -> (status: Int32, text: String) {
        try PrometheusPeer.run(Daemon.martlet, ["tsdb"] + arguments, in: folder)
    }

    private static func push(_ probe: HTTPProbe, _ name: String, _ times: StrideTo<Int64>) throws -> Int? {
        var push = RemoteWritePush()
        push.append([("__name__", name), ("job", "j")], times.map { ($0, .float(Double($0 / minute))) })
        return push.send(probe)?.status
    }

    /// Fills a store of martlet's with a sample a minute.
    private static func fill(_ store: String, _ folder: Folder, _ times: StrideTo<Int64>) throws {
        var text = "# TYPE m gauge\n"
        for time in times { text += "m{job=\"j\"} \(time / minute) \(time / 1000)\n" }
        let file = try folder.write("m.om", text + "# EOF\n")
        let made = try martlet(["create-blocks-from", "openmetrics", file, "--storage.tsdb.path=\(store)"], folder)
        try #require(made.status == 0, "\(made.text)")
    }

    /// The times of a directory's blocks, in their order.
    private static func blocks(_ directory: String) throws -> [ClosedRange<Int64>] {
        try FileManager.default.contentsOfDirectory(atPath: directory).sorted().compactMap { name in
            guard let text = FileManager.default.contents(atPath: "\(directory)/\(name)/meta.json") else { return nil }
            let meta = try JSONValue.parse([UInt8](text))
            return Int64(meta["minTime"]?.number ?? 0)...Int64(meta["maxTime"]?.number ?? 0)
        }
    }

    /// The number of samples of a series that a server answers up to now.
    private static func count(_ probe: HTTPProbe, _ name: String) throws -> Int {
        let everything = try PrometheusPeer.everything(probe, at: now() + minute)
        return everything.filter { $0.key.contains("__name__=\(name),") }.reduce(0) { $0 + $1.value.count }
    }

    @Test func `a Prometheus started on what was exported takes new samples at once`() throws {
        let folder = try Folder()
        let (store, exported) = (folder.url.path + "/store", folder.url.path + "/exported")
        let now = Self.now()
        let times = stride(from: now - 3000 * Self.minute, to: now - Self.minute, by: Int64.Stride(Self.minute))
        try Self.fill(store, folder, times)
        let made = try Self.martlet(["export", exported, "--storage.tsdb.path=\(store)"], folder)
        #expect(made.status == 0, "\(made.text)")
        let blocks = try Self.blocks(exported)
        #expect(blocks.count >= 3)
        #expect(blocks.first?.lowerBound == now - 3000 * Self.minute)
        // The last sample's time and 1.
        #expect(blocks.last?.upperBound == now - 2 * Self.minute + 1)
        for _ in 0..<2 {
            let prometheus = try PrometheusPeer.start(exported, folder, takesLate: false)
            try #require(prometheus.waitReady(), "\(prometheus.logText)")
            let fresh = Self.now()
            #expect(try Self.push(prometheus.probe, "n", stride(from: fresh, to: fresh + 1, by: 1)) == 204)
            #expect(try Self.count(prometheus.probe, "m") == 2999)
            #expect(try Self.count(prometheus.probe, "n") >= 1)
            prometheus.terminate()
        }
        let again = try Self.martlet(["export", exported, "--storage.tsdb.path=\(store)"], folder)
        #expect(again.status == 1 && again.text.contains("is not empty"), "\(again.text)")
        #expect(!again.text.contains("usage"))
    }

    @Test func `blocks moved beside a Prometheus's log hide nothing of it and let new samples in`() throws {
        let folder = try Folder()
        let (data, store) = (folder.url.path + "/prometheus", folder.url.path + "/store")
        let (exported, now) = (folder.url.path + "/exported", Self.now())
        let first = try PrometheusPeer.start(data, folder, takesLate: false)
        try #require(first.waitReady(), "\(first.logText)")
        let own = stride(from: now - 60 * Self.minute, to: now - 30 * Self.minute, by: Int64.Stride(Self.minute))
        try #require(try Self.push(first.probe, "own", own) == 204)
        first.terminate()
        let taken = try Self.martlet(["import", data, "--storage.tsdb.path=\(store)"], folder)
        try #require(taken.status == 0, "\(taken.text)")
        try Self.fill(
            store, folder,
            stride(from: now - 30 * Self.minute, to: now - 2 * Self.minute, by: Int64.Stride(Self.minute)))
        // Only what came after the move.
        let from = "--min-time=\((now - 30 * Self.minute) / 1000)"
        let made = try Self.martlet(["export", exported, "--storage.tsdb.path=\(store)", from], folder)
        try #require(made.status == 0, "\(made.text)")
        for name in try FileManager.default.contentsOfDirectory(atPath: exported) where name.hasPrefix("01") {
            try FileManager.default.moveItem(atPath: "\(exported)/\(name)", toPath: "\(data)/\(name)")
        }
        for start in 0..<2 {
            let prometheus = try PrometheusPeer.start(data, folder, takesLate: false)
            try #require(prometheus.waitReady(), "\(prometheus.logText)")
            #expect(try Self.count(prometheus.probe, "own") == 30, "start \(start)")
            #expect(try Self.count(prometheus.probe, "m") == 28, "start \(start)")
            let fresh = Self.now()
            #expect(try Self.push(prometheus.probe, "n", stride(from: fresh, to: fresh + 1, by: 1)) == 204)
            prometheus.terminate()
        }
        // The whole of it, the log beside the blocks, comes back.
        let back = folder.url.path + "/back"
        let report = try Self.martlet(["import", data, "--storage.tsdb.path=\(back)", "--match=own"], folder)
        #expect(report.status == 0 && report.text.contains("1 series, 30 samples, 30 of them new"), "\(report.text)")
    }

    @Test func `a Prometheus that compacts its head beside exported blocks loses nothing`() throws {
        let folder = try Folder()
        let (data, store) = (folder.url.path + "/prometheus", folder.url.path + "/store")
        let (exported, now) = (folder.url.path + "/exported", Self.now())
        func times(_ from: Int64, _ to: Int64) -> StrideTo<Int64> {
            stride(from: now - from * Self.minute, to: now - to * Self.minute, by: Int64.Stride(Self.minute))
        }
        let first = try PrometheusPeer.start(data, folder, takesLate: false)
        try #require(first.waitReady(), "\(first.logText)")
        try #require(try Self.push(first.probe, "own", times(600, 540)) == 204)
        first.terminate()
        try Self.fill(store, folder, times(540, 60))
        let made = try Self.martlet(["export", exported, "--storage.tsdb.path=\(store)"], folder)
        try #require(made.status == 0, "\(made.text)")
        for name in try FileManager.default.contentsOfDirectory(atPath: exported) where name.hasPrefix("01") {
            try FileManager.default.moveItem(atPath: "\(exported)/\(name)", toPath: "\(data)/\(name)")
        }
        for start in 0..<2 {
            let prometheus = try PrometheusPeer.start(data, folder, takesLate: false)
            try #require(prometheus.waitReady(), "\(prometheus.logText)")
            if start == 0 {
                // The head now spans more than three hours, so it is compacted.
                #expect(try Self.push(prometheus.probe, "own", times(60, 1)) == 204)
                let isCompacted = try Daemon.wait {
                    try Self.blocks(data).contains { $0.lowerBound == now - 600 * Self.minute }
                }
                #expect(isCompacted)
            }
            #expect(try Self.count(prometheus.probe, "own") == 60 + 59, "start \(start)")
            #expect(try Self.count(prometheus.probe, "m") == 480, "start \(start)")
            #expect(!prometheus.logText.contains("level=error"), "\(prometheus.logText)")
            prometheus.terminate()
        }
    }

    @Test(
        .enabled(
            if: geteuid() == 0 && FileManager.default.isExecutableFile(atPath: "/usr/bin/setpriv"),
            "this needs root and setpriv"))
    func `an import that cannot see whether the directory is in use needs --force`() throws {
        let folder = try Folder()
        let (data, store) = (folder.url.path + "/prometheus", folder.url.path + "/store")
        let prometheus = try PrometheusPeer.start(data, folder)
        try #require(prometheus.waitReady(), "\(prometheus.logText)")
        try FileManager.default.createDirectory(atPath: store, withIntermediateDirectories: true)
        for path in [folder.url.path, store, data, data + "/wal", data + "/chunks_head"] {
            try #require(chmod(path, 0o777) == 0)
        }
        let words = ["--reuid=65534", "--regid=65534", "--clear-groups", Daemon.martlet, "tsdb", "import", data]
        let refused = try PrometheusPeer.run(
            "/usr/bin/setpriv", words + ["--storage.tsdb.path=\(store)"], in: folder)
        #expect(refused.status == 1, "\(refused.text)")
        #expect(refused.text.contains("it is unknown whether") && refused.text.contains("--force"), "\(refused.text)")
        #expect(!refused.text.contains("usage"))
        let forced = try PrometheusPeer.run(
            "/usr/bin/setpriv", words + ["--storage.tsdb.path=\(store)", "--force"], in: folder)
        #expect(!forced.text.contains("it is unknown whether"), "\(forced.text)")
        // The super-user sees the process, and --force does not help.
        let seen = try Self.martlet(["import", data, "--storage.tsdb.path=\(store)", "--force"], folder)
        #expect(seen.status == 1, "\(seen.text)")
        #expect(seen.text.contains("in use by process \(prometheus.process.processIdentifier)"), "\(seen.text)")
        prometheus.terminate()
    }
}
