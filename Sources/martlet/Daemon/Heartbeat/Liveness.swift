import GoCompatibility
import Model
import Notify
import Rules
import Scrape

/// Facts about the work of the daemon, from which it follows whether it is alive.
///
/// This is a pure value: facts in, reasons out.
struct Liveness: Sendable {
    /// Something that happens at an interval.
    struct Beat: Sendable {
        var name: String
        /// ms.
        var interval: Int64
        /// The longest duration of one time, ms.
        var duration: Int64 = 0
        /// The time of the last one, ms; 0 for none.
        var last: Int64
    }

    /// The number of intervals after which something is overdue.
    static let intervals: Int64 = 3
    /// The longest time that a due notification may wait for the notifier's loop, ms.
    static let longestDelay: Int64 = 60_000
    /// The time after which a receiver that takes no notification keeps heartbeats from being sent, ms.
    static let longestFailure: Int64 = 900_000

    /// The time when the daemon started, ms.
    var start: Int64
    var scrapes: [Beat] = []
    var groups: [Beat] = []
    /// Nil without the built-in notifier.
    var notifier: NotifierHealth?

    /// The reasons for which the daemon is not alive at `now`, at most one for each part; empty if it is.
    func reasons(at now: Int64) -> [String] {
        var reasons: [String] = []
        // A target without a scrape may be new.
        let begun = scrapes.filter { $0.last != 0 }
        if let late = begun.first(where: { isLate($0, at: now) }) {
            reasons.append("no scrape of \(late.name) has finished since \(RFC3339.text(late.last))")
        } else if begun.isEmpty, !scrapes.isEmpty, scrapes.allSatisfy({ isLate($0, at: now) }) {
            reasons.append("no target has been scraped")
        }
        if let late = groups.first(where: { isLate($0, at: now) }) {
            reasons.append("rule group \(late.name) is not evaluated in time")
        }
        guard let notifier else { return reasons }
        if !notifier.isRunning {
            reasons.append("the notifier does not run")
        } else if notifier.delay > Self.longestDelay {
            reasons.append("notifications are not sent in time")
        } else if let failing = notifier.failing.first(where: { now - $0.since > Self.longestFailure }) {
            reasons.append("\(failing.name) takes no notifications")
        }
        return reasons
    }

    private func isLate(_ beat: Beat, at now: Int64) -> Bool {
        now - max(beat.last, start) > Self.intervals * beat.interval + beat.duration
    }
}

extension Liveness {
    /// The facts of the parts.
    init(_ scrape: ScrapeManager, _ rules: RuleManager, _ notifier: Notifier?, start: Int64, now: Int64) {
        self.init(
            start: start,
            scrapes: scrape.targets().map {
                Beat(name: $0.url, interval: $0.interval, duration: $0.timeout, last: $0.lastScrape)
            },
            groups: rules.status().map {
                Beat(name: $0.key, interval: $0.interval, last: $0.lastEvaluation)
            }, notifier: notifier?.health(at: now))
    }
}
