import Model
@testable import Notify
import TestSupport
import Testing

@Suite("Route")
struct RouteTests {
    @Test("keys hold the sorted matchers from the root on, as Alertmanager writes them")
    func keys() throws {
        let tree = Route(
            receiver: "r",
            routes: [
                Route(
                    receiver: "a", matchers: [Matcher(name: "g", equals: "x"), try Matcher("a", .regex, "1|2")],
                    routes: [Route(receiver: "b", matchers: [try Matcher("s", .notEqual, "q\"")])])
            ]
        ).numbered()
        #expect(tree.all.map(\.key) == ["{}", #"{}/{a=~"1|2",g="x"}"#, #"{}/{a=~"1|2",g="x"}/{s!="q\""}"#])
        #expect(Set(tree.all.map(\.id)).count == 3)
    }

    @Test("keys quote as Alertmanager does, and sort kinds as it does")
    func texts() throws {
        func key(_ matchers: [Matcher]) -> String {
            Route(receiver: "r", routes: [Route(receiver: "a", matchers: matchers)]).numbered().routes[0].key
        }
        #expect(key([Matcher(name: "a.é", equals: "t\t\u{200B}\\\"\n")]) == "{}/{a.é=\"t\t\u{200B}\\\\\\\"\\n\"}")
        #expect(key([Matcher(name: "a b", equals: "\t")]) == #"{}/{"a b"="\t"}"#)
        let kinds: [Matcher.Kind] = [.notRegex, .regex, .notEqual, .equal]
        #expect(key(try kinds.map { try Matcher("a", $0, "1") }) == #"{}/{a="1",a!="1",a=~"1",a!~"1"}"#)
    }

    @Test("the identity shows expressions of match_re without anchors")
    func written() throws {
        let tree = Route(
            receiver: "r", routes: [Route(receiver: "a", matchers: [try Matcher("k", .regex, "^(?:m.*|n)$")])]
        ).numbered()
        #expect(tree.routes[0].key == #"{}/{k=~"^(?:m.*|n)$"}"#)
        #expect(tree.routes[0].id == #"{}/{k=~"m.*|n"}/0"#)
    }

    @Test("siblings of equal matchers have identities of their own")
    func identities() {
        let tree = Route(
            receiver: "r",
            routes: [
                Route(receiver: "a", matchers: [Matcher(name: "x", equals: "1")], continues: true),
                Route(receiver: "b", matchers: [Matcher(name: "x", equals: "1")]),
            ]
        ).numbered()
        let taken = tree.match(Labels([("x", "1")]))
        #expect(taken.map(\.receiver) == ["a", "b"])
        #expect(taken[0].key == taken[1].key && taken[0].id != taken[1].id)
    }

    @Test("grouping by all takes every label")
    func groupByAll() {
        let labels = Labels([("a", "1"), ("b", "2")])
        #expect(Route(receiver: "r", groupBy: nil).groupLabels(of: labels) == labels)
        #expect(Route(receiver: "r", groupBy: ["b", "c"]).groupLabels(of: labels) == Labels([("b", "2")]))
    }

    /// A tree of random nodes.
    static func tree(_ random: inout SeededRandom, depth: Int) throws -> Route {
        let matchers = try (0..<Int.random(in: 0...2, using: &random)).map { _ in
            try SilenceIndexTests.Model.matcher(&random)
        }
        let children = try (0..<(depth == 0 ? 0 : Int.random(in: 0...8, using: &random))).map { _ in
            try tree(&random, depth: depth - 1)
        }
        return Route(
            receiver: "\(Int.random(in: 0..<1_000_000, using: &random))", matchers: matchers,
            continues: Bool.random(using: &random), routes: children)
    }

    @Test("random trees match what a comparison with all nodes says")
    func random() throws {
        var random = SeededRandom(seed: SeededRandom.runSeed)
        for _ in 0..<300 {
            var tree = try Self.tree(&random, depth: 2)
            tree.matchers = []
            let numbered = tree.numbered()
            for _ in 0..<10 {
                let labels = SilenceIndexTests.Model.labels(&random)
                #expect(numbered.match(labels).map(\.receiver) == tree.match(labels).map(\.receiver), "\(labels)")
            }
        }
    }

    @Test("an alert is compared with few of a thousand routes, also if some match all")
    func comparisons() throws {
        let routes = (0..<1000).map { number in
            Route(
                receiver: "\(number)",
                matchers: number == 500 ? [] : [Matcher(name: "team", equals: "\(number)")], continues: true)
        }
        let tree = Route(receiver: "r", routes: routes).numbered()
        for number in 0..<500 {
            let labels = Labels([("team", "\(number)")])
            #expect(tree.tried(for: labels) == [number, 500])
            #expect(tree.match(labels).map(\.receiver) == ["\(number)", "500"])
        }
    }
}
