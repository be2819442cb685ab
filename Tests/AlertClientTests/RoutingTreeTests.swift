import Config
import Model
import Notify
import Testing

@testable import AlertClient

/// Routing trees as amtool 0.25 prints them for the same file.
@Suite("Routing tree")
struct RoutingTreeTests {
    private static let text = """
        route:
          receiver: r0
          routes:
          - {receiver: a, matchers: [a="1"], continue: true, routes: [{receiver: a1, matchers: [b="1"], continue: true},
            {receiver: a2, matchers: [b=~".+"], continue: true}, {matchers: [c="1"]}, {receiver: e}]}
          - {receiver: b, match_re: {b: "1|2"}, continue: true}
          - {receiver: c, matchers: [z!="", team="ops"], match: {x: 'a"b'}}
          - {continue: true}
        receivers: [{name: r0},{name: a},{name: a1},{name: a2},{name: b},{name: c},{name: e}]
        """

    private static func route() throws -> Route {
        Route(try AlertmanagerConfigLoader.parse(text: Array(text.utf8), path: "a.yml"))
    }

    @Test func `the whole tree has receivers and continue`() throws {
        #expect(
            RoutingTree.whole(try Self.route())
                == """
                .
                └── default-route  receiver: r0
                    ├── {a="1"}  continue: true  receiver: a
                    │   ├── {b="1"}  continue: true  receiver: a1
                    │   ├── {b=~".+"}  continue: true  receiver: a2
                    │   ├── {c="1"}  receiver: a
                    │   └── default-route  receiver: e
                    ├── {b=~"^(?:1|2)$"}  continue: true  receiver: b
                    ├── {team="ops",x="a\\"b",z!=""}  receiver: c
                    └── default-route  continue: true  receiver: r0

                """.replacing("│   ", with: "│\u{A0}\u{A0} "))
    }

    @Test func `the matching tree has receivers at its ends`() throws {
        let labels = Labels([("a", "1"), ("b", "1"), ("c", "1")])
        #expect(
            RoutingTree.matching(try Self.route(), labels)
                == """
                .
                └── default-route
                    ├── {a="1"}
                    │   ├── {b="1"}  receiver: a1
                    │   ├── {b=~".+"}  receiver: a2
                    │   └── {c="1"}  receiver: a
                    ├── {b=~"^(?:1|2)$"}  receiver: b
                    └── default-route  receiver: r0

                """.replacing("│   ", with: "│\u{A0}\u{A0} "))
        #expect(try Self.route().match(labels).map(\.receiver) == ["a1", "a2", "a", "b", "r0"])
        #expect(
            RoutingTree.matching(try Self.route(), .empty)
                == ".\n└── default-route\n    └── default-route  receiver: r0\n")
    }
}
