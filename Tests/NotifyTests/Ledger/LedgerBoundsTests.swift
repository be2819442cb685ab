import Model
import Platform
import TestSupport
import Testing

@testable import Notify

/// The number and the size of what the ledger writes and keeps.
@Suite("Bounds of the ledger")
struct LedgerBoundsTests {
    private static func alerts(_ count: Int, endsAt: Int64 = 0) -> [Alert] {
        (0..<count).map {
            Alert(
                labels: Labels([("a", "\($0)"), ("severity", $0 % 2 == 0 ? "page" : "warn")]),
                startsAt: Timeline.start, endsAt: endsAt)
        }
    }

    @Test("a storm writes the states of its alerts once, and nothing while they last")
    func storm() async throws {
        let count = 10_000
        let files = FaultyFileSystem()
        let clock = ManualClock(now: Timeline.start, jumps: true)
        let notifier = try Timeline.notifier(files, clock, groupWait: 10)
        _ = try notifier.setSilence(
            Silence(
                matchers: [Matcher(name: "severity", equals: "warn")], startsAt: Timeline.start,
                endsAt: Timeline.time(7200)))
        notifier.send(Self.alerts(count, endsAt: Timeline.time(7200)))
        _ = notifier.step(at: clock.now())
        await notifier.settle()
        /// Runs one flush of all groups, and returns the bytes and the syncs that it took.
        func flush(at seconds: Double) async throws -> (bytes: Int, syncs: Int) {
            let (size, syncs) = (notifier.ledger?.size ?? 0, files.operations.count)
            clock.advance(to: Timeline.time(seconds))
            var next = Int64.min
            while next <= clock.now() {
                next = notifier.step(at: clock.now())
                await notifier.settle()
            }
            return ((notifier.ledger?.size ?? 0) - size, files.operations.count - syncs)
        }
        // Each group of one alert: half of them are silenced, and are written at once.
        let first = try await flush(at: 10)
        #expect(notifier.deliveries(limit: .max).count == count / 2)
        let histories = try Ledger.open(folder: "l", files).1.histories.byFingerprint
        #expect(histories.count == count)
        #expect(histories.values.allSatisfy { $0.changes.count == 1 })
        // After the maintenance at 39 s, the next flush of the silenced groups writes nothing, and no others are due to notify.
        _ = try await flush(at: 39)
        let second = try await flush(at: 40)
        #expect(second.bytes == 0 && second.syncs == 0, "\(first), \(second)")
    }

    @Test("the changes of an alert, the alerts and their bytes are limited")
    func histories() {
        var histories = AlertHistories()
        var alerts = ActiveAlerts()
        let labels = Labels([("a", "1")])
        alerts.restore(NotifiedAlert(Alert(labels: labels, startsAt: 1)))
        for time in 1...100 {
            let change = AlertChange(
                time: Int64(time), state: time % 2 == 0 ? .notified : .silenced, groupKey: "k", target: "r",
                causes: (0..<20).map { "\($0)" })
            histories.add(change, of: [Fingerprint(labels)], alerts)
        }
        let kept = histories.byFingerprint.values.first?.changes ?? []
        #expect(kept.map(\.time) == (85...100).map { Int64($0) })
        #expect(kept.allSatisfy { $0.causes.count == 8 })
        for number in 0..<(AlertHistories.kept * 2 + 10) {
            histories.restore(
                AlertHistory(
                    labels: Labels([("b", "\(number)")]), startsAt: 0,
                    changes: [AlertChange(time: Int64(1000 + number), state: .unread, groupKey: "k", target: "r")]))
            if histories.byFingerprint.count > AlertHistories.kept * 2 { break }
        }
        #expect(histories.byFingerprint.count <= AlertHistories.kept * 2)
        #expect(histories.limited.count == AlertHistories.kept)
        #expect(!histories.limited.contains { $0.labels == labels })
        for number in 0..<40 {
            histories.restore(
                AlertHistory(labels: Labels([("c", String(repeating: "\(number % 10)", count: 1 << 20))]), startsAt: 0))
        }
        #expect(histories.limited.reduce(0) { $0 + $1.size } <= AlertHistories.bytes)
    }

    @Test("deliveries are limited in number and in bytes, and the newest one is always kept")
    func deliveries() {
        func delivery(_ time: Int64, _ error: String, alerts: Int = 1) -> Delivery {
            Delivery(
                time: time, groupID: "", groupKey: "", receiver: "", integration: "", reason: "", outcome: .failed,
                status: 0, attempts: 1, duration: 0, error: error,
                firing: [Fingerprint](repeating: Fingerprint(raw: 1), count: alerts), resolved: [])
        }
        var recent = RecentDeliveries()
        for time in 0..<20_000 { recent.append(delivery(Int64(time), "")) }
        #expect(recent.list.count == RecentDeliveries.kept && recent.list.last?.time == 19_999)
        for time in 0..<50 { recent.append(delivery(Int64(time), String(repeating: "x", count: 1 << 20))) }
        #expect(recent.list.reduce(0) { $0 + $1.size } <= RecentDeliveries.bytes)
        #expect(recent.list.last?.time == 49)
        recent.append(delivery(7, "", alerts: 2 << 20))
        #expect(recent.list.map(\.time) == [7])
    }

    @Test("a state is news only if it differs from the last one of the group, for each integration apart")
    func news() {
        func change(_ state: AlertChange.State, _ target: String, _ group: String = "k") -> AlertChange {
            AlertChange(time: 1, state: state, groupKey: group, target: target)
        }
        var history = AlertHistory(labels: Labels([("a", "1")]), startsAt: 1)
        let isNews: [(AlertChange, Bool)] = [
            (change(.notified, "r/slack/0"), true), (change(.failed, "r/webhook/0"), true),
            (change(.notified, "r/slack/0"), false), (change(.failed, "r/webhook/0"), false),
            (change(.notified, "r/webhook/0"), true), (change(.silenced, "r"), true),
            (change(.silenced, "r"), false), (change(.silenced, "r", "other"), true),
            (change(.notified, "r/slack/0"), true),
        ]
        for (index, (change, expected)) in isNews.enumerated() {
            #expect(history.isNew(change) == expected, "change \(index)")
            if history.isNew(change) { history.add(change) }
        }
    }
}
