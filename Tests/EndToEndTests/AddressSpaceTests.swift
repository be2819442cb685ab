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
                let status = HTTPProbe(port: port).get(path)?.status ?? 0
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
}
