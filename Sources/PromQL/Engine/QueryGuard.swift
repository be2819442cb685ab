import Model
import Synchronization

/// Watches the limits of one query: time, samples, memory, and whether anybody still waits.
///
/// Workers of one query share it.
final class QueryGuard: Sendable {
    private let deadline: Int64
    private let maxSamples: Int
    private let isCancelled: (@Sendable () -> Bool)?
    let memory: MemoryAccount
    private let held = Atomic<Int>(0)
    private let ticks = Atomic<Int>(0)
    private let nextLook: Atomic<Int64>
    private let total = Atomic<Int>(0)
    private let peak = Atomic<Int>(0)

    /// Bytes of a column besides its values: the column itself, the header of its array, its labels.
    static let columnOverhead = 192
    /// How often the client's connection is looked at, ns.
    private static let lookInterval: Int64 = 50_000_000

    init(deadline: Int64, maxSamples: Int, isCancelled: (@Sendable () -> Bool)?, memory: MemoryAccount) {
        self.deadline = deadline
        self.maxSamples = maxSamples
        self.isCancelled = isCancelled
        self.memory = memory
        nextLook = Atomic(QueryEngine.nanoseconds() &+ Self.lookInterval)
    }

    var totalSamples: Int { total.load(ordering: .relaxed) }
    var peakSamples: Int { peak.load(ordering: .relaxed) }

    /// Called once per series: ends the query when its time is over or nobody waits for it.
    func check() throws(QueryError) {
        let (tick, _) = ticks.wrappingAdd(1, ordering: .relaxed)
        if tick & 31 == 0 { try checkNow() }
    }

    /// Looks at the clock and, now and then, at the client.
    func checkNow() throws(QueryError) {
        let now = QueryEngine.nanoseconds()
        if now > deadline { throw .timeout("query timed out in expression evaluation") }
        guard let isCancelled, now > nextLook.load(ordering: .relaxed) else { return }
        nextLook.store(now &+ Self.lookInterval, ordering: .relaxed)
        if isCancelled() { throw .canceled("query was canceled in expression evaluation") }
    }

    /// Counts samples that were looked at.
    func count(_ samples: Int) { total.wrappingAdd(samples, ordering: .relaxed) }

    /// Counts samples that are held from now on, in one column, and charges its memory; before it is made.
    func hold(_ samples: Int) throws { try hold(samples, bytes: samples &* 8 &+ Self.columnOverhead) }

    /// Counts samples that are held from now on, and charges `bytes` for them; before they are made.
    func hold(_ samples: Int, bytes: Int) throws {
        let (_, now) = held.wrappingAdd(samples, ordering: .relaxed)
        raisePeak(now)
        if now > maxSamples { throw QueryError.execution(Evaluator.tooManySamples) }
        try memory.charge(bytes)
    }

    /// Counts samples of one column that are no longer held.
    func release(_ samples: Int) {
        held.wrappingSubtract(samples, ordering: .relaxed)
    }

    /// Checks that `samples` more would fit, without holding them.
    func probe(_ samples: Int) throws(QueryError) {
        let now = held.load(ordering: .relaxed) &+ samples
        raisePeak(now)
        if now > maxSamples { throw .execution(Evaluator.tooManySamples) }
    }

    private func raisePeak(_ samples: Int) {
        if samples > peak.load(ordering: .relaxed) { peak.max(samples, ordering: .relaxed) }
    }

    // MARK: Nodes

    /// What was held when a node began.
    struct Mark {
        fileprivate var samples: Int
        fileprivate var bytes: Int
    }

    func mark() -> Mark { Mark(samples: held.load(ordering: .relaxed), bytes: memory.used) }

    /// Called when a node is done: of all that it held, only its result is left.
    func settle(_ mark: Mark, result columns: [Column], steps: Int) {
        held.store(mark.samples &+ columns.count &* steps, ordering: .relaxed)
        memory.settle(mark.bytes &+ Self.bytes(of: columns, steps: steps))
    }

    /// Called when the result of a node goes.
    func drop(_ columns: [Column], steps: Int) {
        held.wrappingSubtract(columns.count &* steps, ordering: .relaxed)
        memory.release(Self.bytes(of: columns, steps: steps))
    }

    private static func bytes(of columns: [Column], steps: Int) -> Int {
        var bytes = columns.count &* (steps &* 8 &+ columnOverhead)
        for column in columns where !column.histograms.isEmpty { bytes &+= Self.bytes(of: column.histograms) }
        return bytes
    }

    /// Bytes of a column's histograms.
    static func bytes(of histograms: [HistogramBox?]) -> Int {
        histograms.reduce(histograms.count &* 8) { sum, box in
            guard let histogram = box?.histogram else { return sum }
            return sum &+ 256 &+ 8
                &* (histogram.positiveBuckets.count &+ histogram.negativeBuckets.count &+ histogram.customBounds.count)
        }
    }
}
