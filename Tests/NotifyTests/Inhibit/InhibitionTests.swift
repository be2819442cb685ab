import Model
@testable import Notify
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

    @Test("an alert is compared with few of a thousand rules; the answers are those of the single rules")
    func comparisons() throws {
        var random = SeededRandom(seed: SeededRandom.runSeed)
        let apart = (0..<1000).map { number in
            InhibitRule(
                sourceMatchers: [Matcher(name: "s", equals: "\(number)")],
                targetMatchers: [Matcher(name: "t", equals: "\(number)"), Matcher(name: "x", equals: "")], equal: [])
        }
        let alerts = (0..<1000).map { Self.alert([("s", "\($0)")]) }
        let inhibitor = Inhibitor(rules: apart, alerts: alerts, now: 100)
        for number in 0..<1000 {
            let labels = Labels([("t", "\(number)")])
            #expect(inhibitor.tried(for: labels) == [number])
            #expect(inhibitor.inhibitors(of: labels) == [alerts[number].fingerprint])
        }
        let broad = (0..<200).map { number in
            InhibitRule(
                sourceMatchers: [Matcher(name: "s", equals: "\(number)")],
                targetMatchers: [Matcher(name: "s", equals: "")], equal: ["l"])
        }
        let sources = (0..<30).map { Self.alert([("s", "\($0)"), ("l", "\($0 % 10)")]) }
        let few = Inhibitor(rules: broad, alerts: sources, now: 100)
        #expect(few.tried(for: Labels([("l", "3")])) == [3, 13, 23])
        #expect(few.inhibitors(of: Labels([("l", "3")]), atMost: 2) == [3, 13].map { sources[$0].fingerprint })
        #expect(few.tried(for: Labels([("l", "other")])).isEmpty && !few.inhibits(Labels([("l", "other")])))
        for _ in 0..<100 {
            let rules = try (0..<5).map { _ in
                try InhibitRule(
                    sourceMatchers: [SilenceIndexTests.Model.matcher(&random)],
                    targetMatchers: [
                        SilenceIndexTests.Model.matcher(&random), SilenceIndexTests.Model.matcher(&random),
                    ], equal: ["c"])
            }
            let source = NotifiedAlert(Alert(labels: SilenceIndexTests.Model.labels(&random), startsAt: 1))
            for _ in 0..<10 {
                let labels = SilenceIndexTests.Model.labels(&random)
                let inhibitor = Inhibitor(rules: rules, alerts: [source], now: 100)
                let found = inhibitor.inhibitors(of: labels)
                #expect(inhibitor.inhibits(labels) == !found.isEmpty)
                let expected = rules.filter { rule in
                    func accept(_ matchers: [Matcher], _ labels: Labels) -> Bool {
                        matchers.allSatisfy { $0.matches(labels) }
                    }
                    let own = source.alert.labels
                    let isBoth = accept(rule.sourceMatchers, labels) && accept(rule.targetMatchers, own)
                    return accept(rule.sourceMatchers, own) && accept(rule.targetMatchers, labels)
                        && own["c"] == labels["c"] && !isBoth
                }
                #expect(found.count == expected.count)
            }
        }
    }
}
