import Foundation
import Synchronization
import TestSupport
import Testing

/// A span of blocks that is changed over a store that is there.
@Suite("Changed block duration", .serialized)
struct BlockDurationTests {
    @Test("what was stored with another --storage.tsdb.min-block-duration is there, after an end and after a kill")
    func changed() throws {
        let folder = try Folder()
        let page = Mutex(0)
        let target = try #require(
            HTTPStub { _ in
                let n = page.withLock { count in
                    count += 1
                    return count
                }
                return HTTPStub.Response(
                    contentType: "text/plain; version=0.0.4",
                    text: (0..<50).map { "load_total{series=\"\($0)\"} \(n)\n" }.joined())
            })
        defer { target.stop() }
        let port = LoopbackSocket.freePort()
        let config = try folder.write(
            "martlet.yml",
            """
            global: {scrape_interval: 50ms, scrape_timeout: 50ms}
            scrape_configs:
              - job_name: load
                static_configs: [{targets: ["127.0.0.1:\(target.port)"]}]
            """)
        var known: Set<String> = []
        for (round, duration) in ["2h", "1m", "5m", "2h", "1m"].enumerated() {
            let daemon = try Daemon(
                Daemon.martlet,
                [
                    "--config.file=\(config)", "--storage.tsdb.path=\(folder.url.path)/data",
                    "--web.listen-address=127.0.0.1:\(port)", "--storage.tsdb.min-block-duration=\(duration)",
                ], port: port, folder: folder.url)
            try #require(daemon.waitReady(), "\(duration): not ready: \(daemon.logText)")
            let answers = QueryAnswers(probe: daemon.probe)
            func samples() -> Set<String> {
                Set(answers.samples(#"load_total{series="7"}[1h]"#).values.flatMap { $0 })
            }
            #expect(known.isSubset(of: samples()), "\(duration): \(known.subtracting(samples()).count) are gone")
            #expect(Daemon.wait { samples().count >= known.count + 10 }, "\(duration): nothing new")
            #expect(answers.value("count(count_over_time(load_total[1h]))") == 50)
            known = samples()
            // A checkpoint, or the log only.
            if round % 2 == 0 { #expect(daemon.terminate() == 0) } else { daemon.kill9() }
        }
        #expect(known.count >= 50)
    }
}
