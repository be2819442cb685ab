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

/// One thread's place in a trace: the time that passes is the current node's.
final class TraceCursor {
    let trace: QueryTrace
    private let memory: MemoryAccount
    private var current: Int
    private var since: Int64
    private var peak = 0

    init(_ trace: QueryTrace, memory: MemoryAccount, at current: Int = 0) {
        self.trace = trace
        self.memory = memory
        self.current = current
        since = QueryEngine.nanoseconds()
    }

    /// Gives the time since the last change to the current node.
    func finish() { change(to: current) }

    /// What ``leave(_:)`` goes back to.
    struct Frame {
        fileprivate var outer: Int
        fileprivate var outerPeak: Int
        fileprivate var bytes: Int
        /// The node that was entered.
        let node: Int
    }

    /// Goes into the node at `range`.
    func enter(_ range: TextRange) -> Frame {
        let node = trace.index(of: range)
        let frame = Frame(outer: current, outerPeak: peak, bytes: memory.used, node: node)
        trace.nodes[node].evaluations.wrappingAdd(1, ordering: .relaxed)
        peak = frame.bytes
        change(to: node)
        return frame
    }

    /// Goes back to the node that was current before.
    func leave(_ frame: Frame) {
        peak = max(peak, memory.used)
        trace.nodes[frame.node].peakMemory.max(peak &- frame.bytes, ordering: .relaxed)
        peak = max(peak, frame.outerPeak)
        change(to: frame.outer)
    }

    /// Runs what the node around `frame` does with a series that the node has made.
    func outside<R>(_ frame: Frame, _ body: () throws -> R) rethrows -> R {
        change(to: frame.outer)
        defer { change(to: frame.node) }
        return try body()
    }

    /// Counts a series that the node of `frame` has made.
    func made(_ frame: Frame, series: Int = 1, points: Int) {
        trace.nodes[frame.node].series.wrappingAdd(series, ordering: .relaxed)
        trace.nodes[frame.node].points.wrappingAdd(points, ordering: .relaxed)
    }

    /// Counts the samples that a selector has read of one series.
    func read(_ range: TextRange, samples: Int) {
        trace.nodes[trace.index(of: range)].samples.wrappingAdd(samples, ordering: .relaxed)
    }

    /// Counts what a selector's samples were read from.
    ///
    /// - Parameter workerTime: The time of query workers, ns.
    func read(_ range: TextRange, cost: ReadCost, workerTime: Int64 = 0) {
        let node = trace.nodes[trace.index(of: range)]
        node.workerTime.wrappingAdd(workerTime, ordering: .relaxed)
        node.chunks.wrappingAdd(cost.chunks, ordering: .relaxed)
        node.bytes.wrappingAdd(cost.bytes, ordering: .relaxed)
        node.cacheHits.wrappingAdd(cost.cacheHits, ordering: .relaxed)
        node.cacheMisses.wrappingAdd(cost.cacheMisses, ordering: .relaxed)
    }

    private func change(to node: Int) {
        let now = QueryEngine.nanoseconds()
        trace.nodes[current].ownTime.wrappingAdd(now &- since, ordering: .relaxed)
        current = node
        since = now
    }
}
