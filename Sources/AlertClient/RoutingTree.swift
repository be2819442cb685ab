import Model
import Notify

/// A routing tree as lines, in amtool's form.
package enum RoutingTree {
    /// A node with its text and the nodes below it.
    private struct Node {
        var text: String
        var nodes: [Node] = []
    }

    /// All routes, with receivers and `continue`.
    package static func whole(_ route: Route) -> String { ".\n" + lines([node(route)], "") }

    /// The routes that match an alert, with the receivers at the ends.
    package static func matching(_ route: Route, _ labels: Labels) -> String {
        ".\n" + lines([matchingNode(route, labels)], "")
    }

    private static func name(_ route: Route) -> String {
        route.matchers.isEmpty ? "default-route" : TextTable.printable(route.matchersText)
    }

    private static func receiver(_ route: Route) -> String { "  receiver: " + TextTable.printable(route.receiver) }

    private static func node(_ route: Route) -> Node {
        Node(
            text: name(route) + (route.continues ? "  continue: true" : "") + receiver(route),
            nodes: route.routes.map(node))
    }

    private static func matchingNode(_ route: Route, _ labels: Labels) -> Node {
        var node = Node(text: name(route))
        for child in route.routes where child.matchers.allSatisfy({ $0.matches(labels) }) {
            node.nodes.append(matchingNode(child, labels))
            if !child.continues { break }
        }
        if node.nodes.isEmpty { node.text += receiver(route) }
        return node
    }

    private static func lines(_ nodes: [Node], _ indent: String) -> String {
        var text = ""
        for (index, node) in nodes.enumerated() {
            let isLast = index == nodes.count - 1
            text += indent + (isLast ? "└── " : "├── ") + node.text + "\n"
            text += lines(node.nodes, indent + (isLast ? "    " : "│\u{A0}\u{A0} "))
        }
        return text
    }
}
