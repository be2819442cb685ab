import Model
import Notify
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
}
