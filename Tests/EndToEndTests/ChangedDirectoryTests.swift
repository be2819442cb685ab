import Foundation
import TestSupport
import Testing

/// A data directory in which somebody else makes changes, and the real binary.
@Suite("Changed data directories")
struct ChangedDirectoryTests {
    private static func start(_ folder: Folder) throws -> Daemon {
        let config = try folder.write("martlet.yml", "global: {scrape_interval: 15s}\n")
        let port = LoopbackSocket.freePort()
        return try Daemon(
            Daemon.martlet,
            [
                "--config.file=\(config)", "--storage.tsdb.path=\(folder.url.path)/data",
                "--web.listen-address=127.0.0.1:\(port)", "--web.enable-remote-write-receiver",
            ], port: port, folder: folder.url)
    }

    private static func push(_ daemon: Daemon, _ name: String) -> Int? {
        var push = RemoteWritePush()
        push.append([("__name__", name)], [(Int64(Date().timeIntervalSince1970 * 1000), .float(1))])
        return push.send(daemon.probe)?.status
    }

    @Test("a file in the place of the log is an error that pushes and probes see", .timeLimit(.minutes(2)))
    func log() throws {
        let folder = try Folder()
        let wal = folder.url.path + "/data/wal"
        var daemon = try Self.start(folder)
        try #require(daemon.waitReady(), "\(daemon.logText)")
        #expect(Self.push(daemon, "before") == 204)
        try FileManager.default.moveItem(atPath: wal, toPath: folder.url.path + "/away")
        try Data("foreign".utf8).write(to: URL(fileURLWithPath: wal))
        #expect(Daemon.wait { daemon.probe.get("/-/ready")?.status == 503 })
        #expect(daemon.probe.get("/-/ready")?.text.contains("data/wal") == true)
        #expect(Self.push(daemon, "refused").map { $0 >= 500 } == true)
        #expect(FileManager.default.contents(atPath: wal) == Data("foreign".utf8))
        // It does not start with it either.
        daemon.kill9()
        daemon = try Self.start(folder)
        #expect(Daemon.wait { !daemon.process.isRunning })
        #expect(daemon.terminate() == 1)
        #expect(daemon.logText.contains("data/wal: not a directory"), "\(daemon.logText)")
        try FileManager.default.removeItem(atPath: wal)
        try FileManager.default.moveItem(atPath: folder.url.path + "/away", toPath: wal)
        daemon = try Self.start(folder)
        try #require(daemon.waitReady(), "\(daemon.logText)")
        #expect(Self.push(daemon, "after") == 204)
        for (name, isThere) in [("before", true), ("refused", false), ("after", true)] {
            let answer = try #require(daemon.probe.get("/api/v1/series?match[]=\(name)"))
            #expect(answer.text.contains("\"__name__\":\"\(name)\"") == isThere, "\(answer.text)")
        }
        #expect(daemon.terminate() == 0)
    }

    @Test("files with other names keep their content under those", .timeLimit(.minutes(2)))
    func links() throws {
        let folder = try Folder()
        let files = FileManager.default
        let data = folder.url.path + "/data"
        var daemon = try Self.start(folder)
        try #require(daemon.waitReady(), "\(daemon.logText)")
        #expect(Self.push(daemon, "first") == 204)
        #expect(daemon.terminate() == 0)
        let foreign = folder.url.path + "/foreign"
        let content = Data(#"{"query": "S3CRET"}"#.utf8) + Data(repeating: 0, count: 1 << 21)
        try content.write(to: URL(fileURLWithPath: foreign))
        for name in ["reserve", "queries.active", "checkpoint.tmp"] {
            try? files.removeItem(atPath: "\(data)/\(name)")
            try files.linkItem(atPath: foreign, toPath: "\(data)/\(name)")
        }
        daemon = try Self.start(folder)
        try #require(daemon.waitReady(), "\(daemon.logText)")
        #expect(Self.push(daemon, "second") == 204)
        #expect(daemon.probe.get("/api/v1/query?query=second")?.text.contains("second") == true)
        #expect(daemon.terminate() == 0)
        #expect(files.contents(atPath: foreign) == content)
        #expect(!daemon.logText.contains("S3CRET"))
    }
}
