import Model
import Notify
import Testing

@Suite("Inhibition")
struct InhibitionTests {
    static func alert(_ labels: [(String, String)], endsAt: Int64 = 0) -> NotifiedAlert {
        NotifiedAlert(Alert(labels: Labels(labels), startsAt: 1, endsAt: endsAt))
    }

    static let rule = InhibitRule(
        sourceMatchers: [Matcher(name: "s", equals: "1")], targetMatchers: [Matcher(name: "t", equals: "1")],
        equal: ["e", "f"])

    static func isMuted(_ target: [(String, String)], by sources: [NotifiedAlert]) -> Bool {
        !Inhibitor(rules: [rule], alerts: sources, now: 100).inhibitors(of: Labels(target)).isEmpty
    }

    @Test("a firing source with equal labels mutes")
    func mutes() {
        let source = Self.alert([("s", "1"), ("e", "x")])
        #expect(Self.isMuted([("t", "1"), ("e", "x")], by: [source]))
        #expect(!Self.isMuted([("t", "1"), ("e", "y")], by: [source]))
        #expect(!Self.isMuted([("t", "1")], by: [source]))
        #expect(!Self.isMuted([("t", "2"), ("e", "x")], by: [source]))
    }

    @Test("a label that both lack is equal")
    func missing() {
        #expect(Self.isMuted([("t", "1")], by: [Self.alert([("s", "1")])]))
    }

    @Test("a resolved source mutes nothing")
    func resolved() {
        #expect(!Self.isMuted([("t", "1")], by: [Self.alert([("s", "1")], endsAt: 99)]))
        #expect(Self.isMuted([("t", "1")], by: [Self.alert([("s", "1")], endsAt: 101)]))
    }

    @Test("an alert that is source and target is muted by pure sources only")
    func both() {
        let both = Self.alert([("s", "1"), ("t", "1")])
        #expect(!Self.isMuted([("s", "1"), ("t", "1")], by: [both]))
        #expect(Self.isMuted([("s", "1"), ("t", "1")], by: [both, Self.alert([("s", "1")])]))
        #expect(Self.isMuted([("t", "1")], by: [both]))
    }
}
