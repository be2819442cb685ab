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
        var pool = try Self.pool("1h")
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

    private static func pool(_ interval: String) throws -> ScrapePool {
        let text = "scrape_configs: [{job_name: test, scrape_interval: \(interval)}]"
        let config = try #require(
            try ConfigurationLoader.parse(text: Array(text.utf8), path: "test.yml").scrapeConfigs.first)
        return ScrapePool(
            ScrapeSettings(config, ScrapeOptions()), store: ArrayStore(), metrics: ScrapeMetrics(MetricRegistry()))
    }

    @Test("of very many removed targets, those that are due first end at once, and the others when they are due")
    func tooManyEnds() throws {
        var pool = try Self.pool("1h")
        let clock = ManualClock(now: 1_000_000)
        let loop = try #require(ScrapeLoop(clock: clock, seed: 0, budget: ByteBudget(limit: 1 << 20)))
        let ended = Mutex<[Int64]>([])
        let event = TimedSemaphore(value: 0)
        loop.start { work in
            guard case .end(let target, _) = work else { return }
            ended.withLock { $0.append(target.definition.interval) }
            event.signal()
        }
        defer { loop.stop() }
        let (most, more) = (ScrapeLoop.mostEnds, 50)
        let targets = (0..<most + more).map { number in
            var labels = [Label(name: "__address__", value: "127.0.0.1:1"), Label(name: "n", value: "\(number)")]
            if number < more { labels.append(Label(name: "__scrape_interval__", value: "30m")) }
            return labels
        }
        // The loop does not know these targets, so that it scrapes none.
        _ = pool.sync([TargetGroup(source: "test", targets: targets)], now: clock.now())
        for target in pool.targets.values { target.isBegun.store(true, ordering: .relaxed) }
        loop.send(pool.sync([], now: clock.now()))
        for _ in 0..<more { #expect(event.wait(milliseconds: 20_000)) }
        #expect(!event.wait(milliseconds: 50))
        #expect(ended.withLock { $0 } == Array(repeating: 1_800_000, count: more))
        // The others end after their missed scrape and a tenth of the interval.
        clock.advance(to: 1_000_000 + 2 * 3_600_000 + 360_000)
        for _ in 0..<most { #expect(event.wait(milliseconds: 20_000)) }
        #expect(ended.withLock { $0.count } == most + more)
    }

    /// Waits until something is true, for a limited time.
    private static func becomes(_ condition: () -> Bool) -> Bool {
        let pause = TimedSemaphore(value: 0)
        for _ in 0..<2000 {
            if condition() { return true }
            _ = pause.wait(milliseconds: 10)
        }
        return false
    }

    @Test("memory is given back after many targets were removed, but not for each few")
    func givesBack() throws {
        let givenBack = Mutex(0)
        let registry = MetricRegistry()
        let store = ArrayStore()
        let manager = ScrapeManager(
            store: store, clock: SystemClock(), metrics: registry, giveBack: { givenBack.withLock { $0 += 1 } })
        defer { manager.shutdown() }
        func apply(_ sizes: [Int]) throws {
            let jobs = sizes.map { size in
                let list = (0..<size).map { "'127.0.\($0 / 250).\($0 % 250):1'" }.joined(separator: ", ")
                return "{job_name: 'of \(size)', static_configs: [{targets: [\(list)]}]}"
            }
            let text =
                "{global: {scrape_interval: 50y, scrape_timeout: 1s}, scrape_configs: [\(jobs.joined(separator: ", "))]}"
            manager.apply(try ConfigurationLoader.parse(text: Array(text.utf8), path: "test.yml"))
            try #require(Self.becomes { manager.targets().count == sizes.reduce(0, +) })
        }
        func wait(ends: Int) throws {
            try #require(Self.becomes { store.state.withLock { $0.closed.count } == ends })
        }
        try apply([10, EndedTargets.many - 10])
        try apply([EndedTargets.many - 10])
        try wait(ends: 10)
        #expect(givenBack.withLock { $0 } == 0)
        try apply([])
        try wait(ends: EndedTargets.many)
        #expect(Self.becomes { givenBack.withLock { $0 } == 1 })
    }
}
