import Config
import Model
import Platform
import Synchronization
import Telemetry
import TestSupport
import Testing

@testable import Notify
@testable import martlet

@Suite("Liveness and heartbeats")
struct LivenessTests {
    private static let now: Int64 = 1_700_000_000_000

    private func alive() -> Liveness {
        Liveness(
            start: Self.now - 3_600_000,
            scrapes: [
                .init(name: "http://a", interval: 15_000, duration: 10_000, last: Self.now - 50_000),
                .init(name: "http://new", interval: 15_000, duration: 10_000, last: 0),
            ], groups: [.init(name: "f;g", interval: 60_000, last: Self.now - 170_000)],
            notifier: NotifierHealth(
                isRunning: true, delay: 50_000, failing: [("r/webhook/0", Self.now - 800_000)]))
    }

    private func reasons(_ change: (inout Liveness) -> Void) -> [String] {
        var liveness = alive()
        change(&liveness)
        return liveness.reasons(at: Self.now)
    }

    @Test("a daemon whose parts work in time is alive")
    func good() {
        #expect(reasons { _ in } == [])
        #expect(reasons { $0.notifier = nil } == [])
        #expect(reasons { $0.scrapes = [] } == [])
    }

    @Test("each part that does not work is a reason")
    func bad() {
        #expect(
            reasons { $0.scrapes[0].last = Self.now - 56_000 } == [
                "no scrape of http://a has finished since 2023-11-14T22:12:24Z"
            ])
        #expect(reasons { $0.scrapes.removeFirst() } == ["no target has been scraped"])
        #expect(reasons { $0.groups[0].last -= 11_000 } == ["rule group f;g is not evaluated in time"])
        #expect(reasons { $0.groups[0].last = 0 } == ["rule group f;g is not evaluated in time"])
        #expect(reasons { $0.notifier?.isRunning = false } == ["the notifier does not run"])
        #expect(reasons { $0.notifier?.delay = 60_001 } == ["notifications are not sent in time"])
        #expect(reasons { $0.notifier?.failing[0].since -= 101_000 } == ["r/webhook/0 takes no notifications"])
    }

    @Test("after the start there is time for the first scrapes and evaluations")
    func start() {
        let fresh = reasons {
            $0.start = Self.now - 20_000
            $0.scrapes = [.init(name: "http://new", interval: 15_000, last: 0)]
            $0.groups[0].last = 0
        }
        #expect(fresh == [])
    }

    // MARK: Sending

    private final class Calls: Sendable {
        let urls = Mutex<[String]>([])
        let reasons = Mutex<[String]>([])
        let fails = Mutex(false)
    }

    private func config(_ text: String) throws -> [HeartbeatConfig.Outgoing] {
        try HeartbeatConfig.parse(text: Array(text.utf8), path: "h.yml").outgoing
    }

    @Test("a URL is called at its interval, but not while the daemon is not alive")
    func pings() async throws {
        let (calls, clock, metrics) = (Calls(), ManualClock(now: Self.now), MetricRegistry())
        let pings = HeartbeatPings(
            clock: clock, metrics: metrics, reasons: { calls.reasons.withLock { $0 } },
            send: { config in
                calls.urls.withLock { $0.append(config.url) }
                if calls.fails.withLock({ $0 }) { throw CommandFailure(description: "refused") }
            })
        func counts() -> [Double] {
            ["sent", "failed", "withheld"].map { name in
                metrics.families().first { $0.name == "martlet_heartbeats_\(name)_total" }?.samples.first?.value ?? -1
            }
        }
        pings.apply(try config("outgoing: [{url: 'http://a/', interval: 1m}]"))
        #expect(clock.nextDeadline == nil)
        pings.start()
        await clock.waitForSleeper(until: Self.now + 60_000)
        #expect(counts() == [1, 0, 0])
        calls.reasons.withLock { $0 = ["dead"] }
        clock.advance(to: Self.now + 60_000)
        await clock.waitForSleeper(until: Self.now + 120_000)
        #expect(counts() == [1, 0, 1])
        calls.reasons.withLock { $0 = [] }
        calls.fails.withLock { $0 = true }
        clock.advance(to: Self.now + 120_000)
        await clock.waitForSleeper(until: Self.now + 180_000)
        #expect(counts() == [1, 1, 1])
        calls.fails.withLock { $0 = false }
        pings.apply(try config("outgoing: [{url: 'http://b/', interval: 5m}]"))
        await clock.waitForSleeper(until: Self.now + 420_000)
        #expect(calls.urls.withLock { $0 } == ["http://a/", "http://a/", "http://b/"])
        pings.stop()
    }
}
