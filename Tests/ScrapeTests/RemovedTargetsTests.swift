import Config
import Discovery
import HTTP
import Model
import Platform
import Synchronization
import Telemetry
import TestSupport
import Testing

@testable import Scrape

/// Targets of lists that change all the time.
@Suite("Removed targets")
struct RemovedTargetsTests {
    private struct Weak {
        weak var target: Target?
    }

    @Test("targets that come and go unscraped are not kept until they would be due")
    func unscraped() throws {
        let text = "scrape_configs: [{job_name: test, scrape_interval: 1h}]"
        let config = try #require(
            try ConfigurationLoader.parse(text: Array(text.utf8), path: "test.yml").scrapeConfigs.first)
        var pool = ScrapePool(
            ScrapeSettings(config, ScrapeOptions()), store: ArrayStore(), metrics: ScrapeMetrics(MetricRegistry()))
        let clock = ManualClock(now: 1_000_000)
        let loop = try #require(ScrapeLoop(clock: clock, seed: 0, budget: ByteBudget(limit: 1 << 20)))
        let ended = TimedSemaphore(value: 0)
        loop.start { if case .end = $0 { ended.signal() } }
        defer { loop.stop() }
        var seen: [Weak] = []
        for round in 0..<200 {
            let targets = (0..<20).map { number in
                [
                    Label(name: "__address__", value: "127.0.0.1:\(number + 1)"),
                    Label(name: "round", value: "\(round)"),
                ]
            }
            loop.send(pool.sync([TargetGroup(source: "test", targets: targets)], now: clock.now()))
            seen += pool.targets.values.map { Weak(target: $0) }
        }
        // The series of each end at once, because none has any.
        for _ in 0..<(199 * 20) { #expect(ended.wait(milliseconds: 20_000)) }
        loop.stop()
        let alive = seen.count { $0.target != nil }
        #expect(alive < 200, "\(alive) of \(seen.count) targets are kept")
    }
}
