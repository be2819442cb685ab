import Model
import Synchronization

/// The figures of each node of one query, for `explain=analyze`.
///
/// Nodes are identified by their range in the query's text. Other queries have no trace, and the evaluator has no
/// ``TraceCursor`` for them.
final class QueryTrace: Sendable {
    /// The figures of one node; several workers may add to them at the same time.
    final class Node: Sendable {
        let range: TextRange
        let evaluations = Atomic<Int>(0)
        let series = Atomic<Int>(0)
        let points = Atomic<Int>(0)
        let samples = Atomic<Int>(0)
        let chunks = Atomic<Int>(0)
        let bytes = Atomic<Int>(0)
        let cacheHits = Atomic<Int>(0)
        let cacheMisses = Atomic<Int>(0)
        /// The most bytes that the node and the nodes below it held at once.
        let peakMemory = Atomic<Int>(0)
        /// The time of the query's own thread in the node itself, without the nodes below it, ns.
        let ownTime = Atomic<Int64>(0)
        /// The time of query workers for the node, in addition to ``ownTime``, ns.
        let workerTime = Atomic<Int64>(0)

        init(_ range: TextRange) { self.range = range }
    }

    let nodes: [Node]
    private let byRange: [TextRange: Int]

    init(_ expression: Expression) {
        var nodes: [Node] = []
        var byRange: [TextRange: Int] = [:]
        func visit(_ expression: Expression) {
            if byRange[expression.range] == nil {
                byRange[expression.range] = nodes.count
                nodes.append(Node(expression.range))
            }
            for child in expression.children { visit(child) }
        }
        visit(expression)
        self.nodes = nodes
        self.byRange = byRange
    }

    /// The index of the node at a range; the index of the whole query for a range without a node.
    func index(of range: TextRange) -> Int { byRange[range] ?? 0 }

    func node(at range: TextRange) -> Node? { byRange[range].map { nodes[$0] } }
}
