import Model
import Synchronization

/// The position of a node in the trace of its query while it is evaluated; it records nothing without a trace.
struct NodeTrace {
    private let cursor: TraceCursor?
    /// The frame of the node; nil outside of all nodes.
    private let frame: TraceCursor.Frame?

    /// The position outside of all nodes.
    init(_ cursor: TraceCursor?) { self.init(cursor, nil) }

    private init(_ cursor: TraceCursor?, _ frame: TraceCursor.Frame?) {
        self.cursor = cursor
        self.frame = frame
    }

    /// Whether the query has a trace.
    var isRecording: Bool { cursor != nil }

    /// Enters the node at `range`, until ``leave()``.
    func enter(_ range: TextRange) -> NodeTrace { NodeTrace(cursor, cursor?.enter(range)) }

    /// Returns to the node that was current before.
    func leave() {
        if let cursor, let frame { cursor.leave(frame) }
    }

    /// Runs `body`, the work of the node around this one on a series of this one.
    @inline(__always)
    func outside(_ body: () throws -> Void) rethrows {
        guard let cursor, let frame else { return try body() }
        try cursor.outside(frame, body)
    }

    /// Counts series that the node has produced.
    @inline(__always)
    func made(series: Int = 1, points: Int) {
        if let cursor, let frame { cursor.made(frame, series: series, points: points) }
    }

    /// Counts samples that the node has read from one series.
    @inline(__always)
    func read(samples: Int) {
        if let cursor, let frame { cursor.read(frame, samples: samples) }
    }

    /// Adds the cost of reading the node's samples.
    ///
    /// - Parameter workerTime: The time of query workers, ns.
    func read(cost: ReadCost, workerTime: Int64 = 0) {
        if let cursor, let frame { cursor.read(frame, cost: cost, workerTime: workerTime) }
    }
}

/// The position of one thread in a trace; the time that passes is added to the current node.
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

    /// Adds the time since the last change to the current node.
    func finish() { change(to: current) }

    /// The state to which ``leave(_:)`` returns.
    struct Frame {
        fileprivate var outer: Int
        fileprivate var outerPeak: Int
        fileprivate var bytes: Int
        /// The node that was entered.
        let node: Int
    }

    /// Enters the node at `range`.
    func enter(_ range: TextRange) -> Frame {
        let node = trace.index(of: range)
        let frame = Frame(outer: current, outerPeak: peak, bytes: memory.used, node: node)
        trace.nodes[node].evaluations.wrappingAdd(1, ordering: .relaxed)
        peak = frame.bytes
        change(to: node)
        return frame
    }

    /// Returns to the node that was current before.
    func leave(_ frame: Frame) {
        peak = max(peak, memory.used)
        trace.nodes[frame.node].peakMemory.max(peak &- frame.bytes, ordering: .relaxed)
        peak = max(peak, frame.outerPeak)
        change(to: frame.outer)
    }

    /// Runs `body`, the work of the node around `frame` on a series of the node of `frame`.
    func outside<R>(_ frame: Frame, _ body: () throws -> R) rethrows -> R {
        change(to: frame.outer)
        defer { change(to: frame.node) }
        return try body()
    }

    /// Counts series that the node of `frame` has produced.
    func made(_ frame: Frame, series: Int, points: Int) {
        trace.nodes[frame.node].series.wrappingAdd(series, ordering: .relaxed)
        trace.nodes[frame.node].points.wrappingAdd(points, ordering: .relaxed)
    }

    /// Counts samples that the node of `frame` has read from one series.
    func read(_ frame: Frame, samples: Int) {
        trace.nodes[frame.node].samples.wrappingAdd(samples, ordering: .relaxed)
    }

    /// Adds the cost of reading the samples of the node of `frame`.
    ///
    /// - Parameter workerTime: The time of query workers, ns.
    func read(_ frame: Frame, cost: ReadCost, workerTime: Int64) {
        let node = trace.nodes[frame.node]
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
