import Model
import Notify
import TestSupport
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

    @Test("random alerts are muted as a search through all sources says")
    func random() {
        var random = SeededRandom(seed: SeededRandom.runSeed)
        func labels() -> [(String, String)] {
            ["s", "t", "e"].map { ($0, "\(Int.random(in: 0...1, using: &random))") }
        }
        func has(_ labels: [(String, String)], _ name: String) -> String { labels.first { $0.0 == name }?.1 ?? "" }
        for _ in 0..<500 {
            let sources = (0..<Int.random(in: 0...8, using: &random)).map { number in
                (labels: labels() + [("n", "\(number)")], endsAt: [0, 50, 200].randomElement(using: &random) ?? 0)
            }
            let alerts = sources.map { Self.alert($0.labels, endsAt: Int64($0.endsAt)) }
            let target = labels()
            let expected = sources.first { source in
                source.endsAt != 50 && has(source.labels, "s") == "1" && has(source.labels, "e") == has(target, "e")
                    && !(has(target, "s") == "1" && has(source.labels, "t") == "1")
            }
            let found = Inhibitor(rules: [Self.rule], alerts: alerts, now: 100).inhibitors(of: Labels(target))
            let isTarget = has(target, "t") == "1"
            #expect(found == (isTarget ? expected.map { [Self.alert($0.labels).fingerprint] } ?? [] : []))
        }
    }
}
