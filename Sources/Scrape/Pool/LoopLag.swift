import Synchronization
import Telemetry

/// The delay of the scrape loop, for metrics and the log.
final class LoopLag: Sendable {
    private struct State {
        var seconds = 0.0
        var missed = 0
        var missedAtWarning = 0
        var nextWarning: Int64 = 0
    }
    private let state = Mutex(State())
    private let log = Log("scrape manager")

    /// The delay from which on a message is logged, ms.
    private static let notable: Int64 = 1000
    private static let pause: Int64 = 60_000

    /// Records the largest delay, `lag` ms, of the turns that were due at `now`, and the number of skipped turns.
    func observe(lag: Int64, missed: Int, now: Int64) {
        let warning = state.withLock { state -> (Double, Int)? in
            state.seconds = Double(max(0, lag)) / 1000
            state.missed += missed
            guard lag >= Self.notable || missed > 0, now >= state.nextWarning else { return nil }
            state.nextWarning = now &+ Self.pause
            let new = state.missed - state.missedAtWarning
            state.missedAtWarning = state.missed
            return (state.seconds, new)
        }
        guard let (seconds, missed) = warning else { return }
        log.warn(
            "Scraping is behind schedule: the machine is too slow for this many targets, or the clock was changed",
            ["lag_seconds": "\(seconds)", "missed_scrapes": "\(missed)"])
    }

    func families() -> [MetricFamily] {
        let state = state.withLock { $0 }
        return [
            MetricFamily(
                name: "martlet_scrape_loop_lag_seconds",
                help: "How late the scrape that was started last began.", kind: .gauge,
                samples: [.init(value: state.seconds)]),
            MetricFamily(
                name: "martlet_scrape_loop_missed_scrapes_total",
                help: "Scrapes that were skipped because the loop was late or the target was still busy.",
                kind: .counter, samples: [.init(value: Double(state.missed))]),
        ]
    }
}
