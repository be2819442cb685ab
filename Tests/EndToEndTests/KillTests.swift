import Foundation
import Synchronization
import TestSupport
import Testing

/// kill -9 at random moments under load: what was scraped before the kill is there after the restart.
@Suite("kill -9", .serialized)
struct KillTests {
    /// A target whose page n has value n in every series, and which remembers how many pages it gave.
    final class CountingTarget: Sendable {
        let served = Mutex(0)
        let series: Int
        init(series: Int) { self.series = series }

        func page() -> String {
            let n = served.withLock { count in
                count += 1
                return count
            }
            return (0..<series).map { "load_total{series=\"\($0)\"} \(n)\n" }.joined()
        }
    }

    static let rounds = Int(ProcessInfo.processInfo.environment["MARTLET_KILLS"] ?? "") ?? 4

    @Test("every scrape before the kill is there after the restart")
    func scrapes() throws {
        let folder = try Folder()
        let target = CountingTarget(series: 300)
        let stub = try #require(
            HTTPStub { _ in HTTPStub.Response(contentType: "text/plain; version=0.0.4", text: target.page()) })
        defer { stub.stop() }
        let port = LoopbackSocket.freePort()
        let config = try folder.write(
            "martlet.yml",
            """
            global: {scrape_interval: 50ms, scrape_timeout: 50ms}
            scrape_configs:
              - job_name: load
                static_configs: [{targets: ["127.0.0.1:\(stub.port)"]}]
            """)
        var random = SeededRandom(seed: SeededRandom.runSeed)
        var expected: [Int] = []
        for round in 0..<Self.rounds {
            let daemon = try Daemon(
                Daemon.martlet,
                [
                    "--config.file=\(config)", "--storage.tsdb.path=\(folder.url.path)/data",
                    "--web.listen-address=127.0.0.1:\(port)",
                ], port: port, folder: folder.url)
            try #require(daemon.waitReady(), "round \(round): not ready: \(daemon.logText)")
            if round > 0 {
                let found = Set(
                    QueryAnswers(probe: daemon.probe).samples(#"load_total{series="7"}[1h]"#).values.flatMap { $0 }
                        .compactMap { Int($0.split(separator: " ").last ?? "") })
                let missing = expected.filter { !found.contains($0) }
                // A busy machine may take longer than the timeout to read a page that was given: such a scrape failed,
                // and says so.
                let failed = QueryAnswers(probe: daemon.probe).value("count_over_time(up[1h]) - sum_over_time(up[1h])")
                #expect(
                    Double(missing.count) <= failed ?? 0,
                    "round \(round): scrapes \(missing) of \(expected.count) are gone")
                let complete = QueryAnswers(probe: daemon.probe).value("count(count_over_time(load_total[1h]))")
                #expect(complete == 300)
            }
            let first = target.served.withLock { $0 } + 1
            usleep(UInt32.random(in: 300_000...1_500_000, using: &random))
            daemon.kill9()
            // The page given last may have been under way; all before it had been stored when it was asked for.
            expected += Array(first..<max(first, target.served.withLock { $0 }))
        }
        #expect(expected.count > Self.rounds)
    }
}
