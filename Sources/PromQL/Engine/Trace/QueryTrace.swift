import Model
import Synchronization

/// What each node of one query did; asked for with `explain=analyze`.
///
/// Nodes are known by their place in the query's text. A query without a trace has none of this: the evaluator then
/// holds no ``TraceCursor``.
final class QueryTrace: Sendable {
    /// The figures of one node; workers add to them at once.
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
        /// Most memory that the node and those below it held at once, bytes.
        let peakMemory = Atomic<Int>(0)
        /// Time of the query's own thread in the node itself, without those below it, ns.
        let ownTime = Atomic<Int64>(0)
        /// Time of query workers for the node in addition, ns.
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

    /// The number of the node at a place; that of the whole query for a place that is no node.
    func index(of range: TextRange) -> Int { byRange[range] ?? 0 }

    func node(at range: TextRange) -> Node? { byRange[range].map { nodes[$0] } }
}
