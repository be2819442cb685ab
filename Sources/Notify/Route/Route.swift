import Config
import Model

/// A node of the routing tree with its inherited values.
///
/// Durations are ms.
package struct Route: Sendable {
    package var receiver: String
    /// The labels to group by; nil groups by all.
    package var groupBy: [String]?
    package var matchers: [Matcher]
    /// Whether later siblings are tried even if this node matches.
    package var continues: Bool
    package var groupWait: Int64
    package var groupInterval: Int64
    package var repeatInterval: Int64
    package var muteTimeIntervals: [String]
    package var activeTimeIntervals: [String]
    package var routes: [Route] { didSet { children = nil } }
    /// The positions in ``routes``, by the matchers there; nil before ``numbered()``.
    private var children: MatcherIndex<Int>?
    /// The matchers of all nodes from the root: `{}/{severity="page"}`; the beginning of the group keys.
    package internal(set) var key = "{}"
    /// The node's position in the tree, which also differs between siblings with equal matchers:
    /// `{}/{severity="page"}/0`.
    ///
    /// Unlike ``key`` it has regular expressions of `match_re` as they were written: ledgers contain this form.
    package internal(set) var id = "{}"

    package init(
        receiver: String, groupBy: [String]? = [], matchers: [Matcher] = [], continues: Bool = false,
        groupWait: Int64 = 30_000, groupInterval: Int64 = 300_000, repeatInterval: Int64 = 14_400_000,
        muteTimeIntervals: [String] = [], activeTimeIntervals: [String] = [], routes: [Route] = []
    ) {
        self.receiver = receiver
        self.groupBy = groupBy
        self.matchers = matchers
        self.continues = continues
        self.groupWait = groupWait
        self.groupInterval = groupInterval
        self.repeatInterval = repeatInterval
        self.muteTimeIntervals = muteTimeIntervals
        self.activeTimeIntervals = activeTimeIntervals
        self.routes = routes
    }

    /// The tree with the keys and identities of all nodes, for a root.
    package func numbered() -> Route { numbered(parentKey: nil, parentID: nil, index: 0) }

    private func numbered(parentKey: String?, parentID: String?, index: Int) -> Route {
        var node = self
        node.matchers.sort { $0.isBefore($1) }
        let own = node.matchersText
        node.key = parentKey.map { $0 + "/" + own } ?? own
        let written = "{" + node.matchers.map(\.writtenText).joined(separator: ",") + "}"
        node.id = parentID.map { "\($0)/\(written)/\(index)" } ?? written
        node.routes = routes.enumerated().map {
            $0.element.numbered(parentKey: node.key, parentID: node.id, index: $0.offset)
        }
        var children = MatcherIndex<Int>()
        for (index, child) in node.routes.enumerated() { children.add(index, child.matchers) }
        node.children = children
        return node
    }

    /// The nodes for an alert: at each level the first that matches, and the following ones while they have `continue`.
    ///
    /// A node is used itself if none of its children matches.
    package func match(_ labels: Labels) -> [Route] {
        guard matchers.allSatisfy({ $0.matches(labels) }) else { return [] }
        var taken: [Route] = []
        for index in tried(for: labels) {
            let matched = routes[index].match(labels)
            taken += matched
            if !matched.isEmpty, !routes[index].continues { break }
        }
        return taken.isEmpty ? [self] : taken
    }

    /// The positions of the children that may match, in order.
    func tried(for labels: Labels) -> [Int] {
        children?.candidates(of: labels).joined().sorted() ?? Array(routes.indices)
    }

    /// The labels of the group of an alert.
    package func groupLabels(of labels: Labels) -> Labels {
        groupBy.map { labels.keeping($0) } ?? labels
    }

    /// The node's own matchers: `{severity="page",team=~"a|b"}`.
    package var matchersText: String {
        "{" + matchers.map { AlertMatchers.text($0.name, $0.kind.rawValue, $0.value) }.joined(separator: ",") + "}"
    }

    /// The identity of the group with `groupLabels`, which also differs between routes with equal matchers.
    func groupID(_ groupLabels: Labels) -> String { id + ":" + groupLabels.description }

    /// All nodes, the root first.
    package var all: [Route] { [self] + routes.flatMap(\.all) }
}

extension Matcher {
    /// The matcher without the anchors of `match_re`.
    fileprivate var writtenText: String {
        let value = value
        guard kind == .regex, value.hasPrefix("^(?:"), value.hasSuffix(")$"), value.utf8.count > 6,
            let written = try? Matcher(name, .regex, String(value.dropFirst(4).dropLast(2)), dot: .noLineFeed)
        else { return description }
        return written.description
    }
}
