import Model
import Notify
import Testing

@Suite("Notification log")
struct NotificationLogTests {
    static func set(_ numbers: [UInt64]) -> Set<Fingerprint> { Set(numbers.map { Fingerprint(raw: $0) }) }

    static func reason(
        last: (firing: [UInt64], resolved: [UInt64])?, firing: [UInt64], resolved: [UInt64] = [],
        sendsResolved: Bool = true, age: Int64 = 0
    ) -> NotificationReason? {
        NotificationLog.reason(
            last: last.map {
                NotificationEntry(
                    groupKey: "g", receiver: "r", time: 1000 - age, firing: set($0.firing), resolved: set($0.resolved),
                    expiresAt: 0)
            }, firing: set(firing), resolved: set(resolved), sendsResolved: sendsResolved, repeatInterval: 100,
            now: 1000)
    }

    @Test("what is new is told, what is known is not")
    func reasons() {
        #expect(Self.reason(last: nil, firing: [1]) == .firstNotification)
        #expect(Self.reason(last: nil, firing: [], resolved: [1]) == nil)
        #expect(Self.reason(last: ([1], []), firing: [1]) == nil)
        #expect(Self.reason(last: ([1], []), firing: [1, 2]) == .newAlertsInGroup)
        #expect(Self.reason(last: ([1, 2], []), firing: [1]) == nil)
        #expect(Self.reason(last: ([1, 2], []), firing: [1], resolved: [2]) == .newResolvedAlerts)
        #expect(Self.reason(last: ([1, 2], []), firing: [1], resolved: [2], sendsResolved: false) == nil)
        #expect(Self.reason(last: ([1], [2]), firing: [1], resolved: [2]) == nil)
        #expect(Self.reason(last: ([1], []), firing: [], resolved: [1]) == .allAlertsResolved)
        #expect(Self.reason(last: ([], [1]), firing: [], resolved: [1]) == nil)
        #expect(Self.reason(last: ([], [1]), firing: [1]) == .firstNotification)
    }

    @Test("reasons have Alertmanager's texts")
    func texts() {
        let reasons: [NotificationReason] = [
            .firstNotification, .newAlertsInGroup, .newResolvedAlerts, .allAlertsResolved, .repeatIntervalElapsed,
        ]
        #expect(
            reasons.map(\.rawValue) == [
                "first notification", "new alerts added", "some alerts resolved", "all alerts resolved",
                "repeat interval elapsed",
            ])
    }

    @Test("groups whose labels differ in their bytes are two, even if Unicode takes them for the same")
    func bytes() {
        var dispatcher = Dispatcher(root: Route(receiver: "r", groupBy: ["a"], groupWait: 0))
        for value in ["caf\u{E9}", "cafe\u{301}"] {
            let labels = Labels([("a", value), ("alertname", "x")])
            dispatcher.insert(NotifiedAlert(Alert(labels: labels, annotations: .empty, startsAt: 1)), now: 1)
        }
        let due = dispatcher.takeDue(at: 10).map(\.flush)
        #expect(due.map(\.alerts.count) == [1, 1])
        var log = NotificationLog()
        for flush in due {
            #expect(log.entry(groupKey: flush.groupKey, groupID: flush.groupID, receiver: "r") == nil)
            log.record(
                NotificationEntry(
                    groupKey: flush.groupKey, receiver: "r", time: 10, firing: [], resolved: [], expiresAt: 100))
        }
    }

    @Test("the same is told again only after the repeat interval")
    func repeats() {
        #expect(Self.reason(last: ([1], []), firing: [1], age: 100) == nil)
        #expect(Self.reason(last: ([1], []), firing: [1], age: 101) == .repeatIntervalElapsed)
        #expect(Self.reason(last: ([], [1]), firing: [], resolved: [1], age: 500) == nil)
    }
}
