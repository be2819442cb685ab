import Model
@testable import Notify
import Testing

@Suite("Order of payloads")
struct PayloadOrderTests {
    /// Each is before all that follow.
    static let ordered: [[(String, String)]] = [
        [("a", "z"), ("instance", "1"), ("job", "a")],
        [("a", "1"), ("b", "1"), ("instance", "1"), ("job", "a")],
        [("instance", "2"), ("job", "a")],
        [("job", "a")],
        [("instance", "1"), ("job", "b")],
        [("instance", "9")],
        [("z", "1")],
        // Of as many labels: the set that lacks the smaller name first.
        [("c", "0"), ("d", "0")],
        [("b", "9"), ("c", "0")],
        [("b", "9"), ("c", "1")],
        [("a", "1"), ("d", "0")],
        [("a", "2"), ("b", "0")],
        [("a", "2"), ("b", "\u{FF}")],
        [("a", "1"), ("b", "1"), ("c", "1")],
    ]

    @Test("by job, instance, number of labels, and then label by label")
    func order() {
        let sets = Self.ordered.map { Labels($0) }
        for (i, a) in sets.enumerated() {
            for (j, b) in sets.enumerated() {
                #expect(PayloadOrder.isBefore(a, b) == (i < j), "\(a) \(b)")
            }
        }
    }

    @Test("a flush is in this order, not in that of the starts")
    func flush() {
        var dispatcher = Dispatcher(root: Route(receiver: "r", groupWait: 0))
        for (start, set) in Self.ordered.reversed().enumerated() {
            let alert = Alert(labels: Labels(set), startsAt: Int64(start + 1))
            dispatcher.insert(NotifiedAlert(alert), now: 100)
        }
        let flush = dispatcher.takeDue(at: 100).first
        #expect(flush?.alerts.map(\.alert.labels) == Self.ordered.map { Labels($0) })
    }
}
