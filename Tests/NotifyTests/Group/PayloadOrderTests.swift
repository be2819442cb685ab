import Model
@testable import Notify
import TestSupport
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

    private static func alerts(_ sets: [[(String, String)]]) -> [NotifiedAlert] {
        sets.map { NotifiedAlert(Alert(labels: Labels($0), startsAt: 1)) }
    }

    /// The rules, one after the other.
    private static func isBefore(_ a: Labels, _ b: Labels) -> Bool {
        for name in ["job", "instance"] {
            switch (a[name], b[name]) {
            case (nil, nil): continue
            case (nil, _): return false
            case (_, nil): return true
            case (let x?, let y?): if !x.isExactly(y) { return x.isExactlyBefore(y) }
            }
        }
        if a.count != b.count { return a.count < b.count }
        for (x, y) in zip(a.pairs, b.pairs) {
            if !x.name.isExactly(y.name) { return y.name.isExactlyBefore(x.name) }
            if !x.value.isExactly(y.value) { return x.value.isExactlyBefore(y.value) }
        }
        return false
    }

    @Test("by job, instance, number of labels, and then label by label")
    func order() {
        let sets = Self.ordered.map { Labels($0) }
        for (i, a) in sets.enumerated() {
            for (j, b) in sets.enumerated() {
                #expect(Self.isBefore(a, b) == (i < j), "\(a) \(b)")
            }
        }
        #expect(PayloadOrder.sorted(Self.alerts(Self.ordered.reversed())).map(\.alert.labels) == sets)
        #expect(PayloadOrder.sorted([]).isEmpty)
    }

    @Test("any alerts are sorted by these rules, whatever bytes their labels have")
    func anyLabels() {
        var random = SeededRandom(seed: SeededRandom.runSeed)
        let letters = ["", "a", "b", "\0", "\u{1}", "\0\u{1}", "\u{7F}", "\u{E9}", "e\u{301}", "\u{10FFFF}"]
        func text() -> String {
            (0..<Int.random(in: 0...3, using: &random)).map { _ in letters.randomElement(using: &random) ?? "" }
                .joined()
        }
        for _ in 0..<200 {
            let sets = (0..<Int.random(in: 0...30, using: &random)).map { _ in
                (0..<Int.random(in: 0...4, using: &random)).map { _ in
                    let name = ["job", "instance", "a", "b"].randomElement(using: &random) ?? ""
                    return (Int.random(in: 0..<4, using: &random) == 0 ? "n" + text() : name, text())
                }
            }
            let sorted = PayloadOrder.sorted(Self.alerts(sets)).map(\.alert.labels)
            #expect(sorted == Self.alerts(sets).map(\.alert.labels).sorted(by: Self.isBefore))
        }
    }

    @Test("a payload is in this order, not in that of the starts")
    func payload() async throws {
        let time = try Timeline("route: {receiver: team, group_wait: 0s}\n" + NotifierGroupTests.receivers)
        let sets = Self.ordered.map { Labels($0) }
        time.notifier.send(
            sets.reversed().enumerated().map { Alert(labels: $1, startsAt: time.clock.now() - Int64($0)) })
        await time.run(until: 1)
        let body = try #require(time.transport.takeCalls().first?.body)
        let prints = body.matches(of: #/"fingerprint":"([0-9a-f]+)"/#).map { String($0.output.1) }
        #expect(prints == sets.map { Fingerprint($0).description })
        #expect(time.notifier.deliveries().first?.firing == sets.map { Fingerprint($0) })
    }
}
