import Foundation
import TestSupport
import Testing

/// Pipes, directories and links in the data directory, and a lock file that is gone, and the real binary.
@Suite("Irregular files under the daemon")
struct IrregularFileTests {
    private static func start(_ folder: Folder, _ more: [String] = []) throws -> Daemon {
        let config = try folder.write("martlet.yml", "global: {scrape_interval: 15s}\n")
        let alerting = try folder.write(
            "alertmanager.yml", "route: {receiver: r}\nreceivers: [{name: r}]\n")
        let port = LoopbackSocket.freePort()
        return try Daemon(
            Daemon.martlet,
            [
                "--config.file=\(config)", "--alerting.config.file=\(alerting)",
                "--storage.tsdb.path=\(folder.url.path)/data", "--web.listen-address=127.0.0.1:\(port)",
                "--web.enable-remote-write-receiver",
            ] + more, port: port, folder: folder.url)
    }

    private static func push(_ daemon: Daemon, _ name: String) -> Int? {
        var push = RemoteWritePush()
        push.append([("__name__", name)], [(Int64(Date().timeIntervalSince1970 * 1000), .float(1))])
        return push.send(daemon.probe)?.status
    }

    @Test("the daemon starts with them, says so, and ends cleanly", .timeLimit(.minutes(2)))
    func start() throws {
        let folder = try Folder()
        let data = folder.url.path + "/data"
        let files = FileManager.default
        var daemon = try Self.start(folder)
        try #require(daemon.waitReady(), "\(daemon.logText)")
        #expect(Self.push(daemon, "before") == 204)
        daemon.kill9()
        let segment = try #require(try files.contentsOfDirectory(atPath: data + "/wal").first)
        for (name, make) in [
            ("wal/" + segment, { #expect(mkfifo($0, 0o600) == 0) }),
            ("ledger/ledger", { #expect(symlink($0 + ".none", $0) == 0) }),
            ("lock", { #expect(mkdir($0, 0o700) == 0) }),
            ("queries.active", { #expect(mkfifo($0, 0o600) == 0) }),
            ("blocks/manifest.log", { #expect(symlink("/dev/zero", $0) == 0) }),
        ] as [(String, (String) -> Void)] {
            try files.removeItem(atPath: "\(data)/\(name)")
            make("\(data)/\(name)")
        }
        for round in 0..<2 {
            daemon = try Self.start(folder)
            try #require(daemon.waitReady(), "\(daemon.logText)")
            let ready = try #require(daemon.probe.get("/-/ready")).text
            #expect(ready.contains("Warning: samples of wal/\(segment) are missing: it is damaged"), "\(ready)")
            let metrics = try #require(daemon.probe.get("/metrics")).text
            #expect(metrics.contains("martlet_storage_log_files_damaged 1\n"))
            #expect(Self.push(daemon, "after") == 204)
            let answer = try #require(daemon.probe.get("/api/v1/query?query=before"))
            #expect(answer.text.contains("wal/\(segment)"), "\(answer.text)")
            #expect(
                daemon.logText.contains("What is no regular file has the name of one; it is set aside") == (round == 0))
            #expect(daemon.terminate() == 0, "\(daemon.logText)")
        }
    }

    @Test("a directory without its lock file is in use as long as its daemon runs", .timeLimit(.minutes(2)))
    func lock() throws {
        let folder = try Folder()
        let data = folder.url.path + "/data"
        let first = try Self.start(folder)
        try #require(first.waitReady(), "\(first.logText)")
        try FileManager.default.removeItem(atPath: data + "/lock")
        let second = try Self.start(folder)
        #expect(Daemon.wait { !second.process.isRunning })
        #expect(second.terminate() == 1)
        #expect(second.logText.contains("is in use by process \(first.process.processIdentifier)"), "\(second.logText)")
        let list = try PrometheusPeer.run(Daemon.martlet, ["tsdb", "list", "--storage.tsdb.path=\(data)"], in: folder)
        #expect(list.status != 0 && list.text.contains("is in use by"), "\(list.text)")
        #expect(Self.push(first, "still") == 204)
        #expect(first.terminate() == 0)
        let after = try PrometheusPeer.run(Daemon.martlet, ["tsdb", "list", "--storage.tsdb.path=\(data)"], in: folder)
        #expect(after.status == 0, "\(after.text)")
    }
}
