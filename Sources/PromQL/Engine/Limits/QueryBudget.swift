import Model
import Synchronization

/// The limits of one query and their use: time, samples, memory, and whether the client still waits.
///
/// All threads of a query share it.
final class QueryBudget: Sendable {
    private let deadline: Int64
    private let maxSamples: Int
    private let isCancelled: (@Sendable () -> Bool)?
    let memory: MemoryAccount
    /// The processed samples by step; nil if they were not requested.
    let perStep: SamplesPerStep?
    /// The warnings of sources about data that the result lacks.
    let sourceWarnings = SourceWarnings()
    private let held = Atomic<Int>(0)
    /// The samples and bytes that are retained outside of all nodes.
    private let retainedSamples = Atomic<Int>(0)
    private let retainedBytes = Atomic<Int>(0)
    private let ticks = Atomic<Int>(0)
    /// The number of checks, a measure of the work that does not depend on the machine; ``check(bytes:)`` can count as
    /// several.
    var checks: Int { ticks.load(ordering: .relaxed) }
    private let nextLook: Atomic<Int64>
    private let total = Atomic<Int>(0)
    private let new = Atomic<Int>(0)
    private let peak = Atomic<Int>(0)

    /// The bytes of a column besides its values: the column itself, the header of its array, its labels.
    static let columnOverhead = 192
    /// The bytes of labels that ``columnOverhead`` includes; functions can make labels of any length.
    private static let usualLabels = 1024
    /// The time between two checks of the client's connection, ns.
    private static let lookInterval: Int64 = 50_000_000

    init(
        deadline: Int64, maxSamples: Int, isCancelled: (@Sendable () -> Bool)?, memory: MemoryAccount,
        perStep: SamplesPerStep? = nil
    ) {
        self.deadline = deadline
        self.maxSamples = maxSamples
        self.isCancelled = isCancelled
        self.memory = memory
        self.perStep = perStep
        nextLook = Atomic(QueryEngine.nanoseconds() &+ Self.lookInterval)
    }

    var totalSamples: Int { total.load(ordering: .relaxed) }
    var samplesRead: Int { new.load(ordering: .relaxed) }
    var peakSamples: Int { peak.load(ordering: .relaxed) }

    /// Checks the time and the client at every 32nd call; nodes call it once per series.
    func check() throws(QueryError) {
        let (tick, _) = ticks.wrappingAdd(1, ordering: .relaxed)
        if tick & 31 == 0 { try checkNow() }
    }

    /// Checks the time and the client before work whose time is proportional to `bytes`.
    func check(bytes: Int) throws(QueryError) {
        let count = 1 &+ bytes >> 12
        let (before, now) = ticks.wrappingAdd(count, ordering: .relaxed)
        if before >> 5 != now >> 5 { try checkNow() }
    }

    /// Checks the time and, at intervals of ``lookInterval``, the client.
    func checkNow() throws(QueryError) {
        let now = QueryEngine.nanoseconds()
        if now > deadline { throw .timeout("query timed out in expression evaluation") }
        guard let isCancelled, now > nextLook.load(ordering: .relaxed) else { return }
        nextLook.store(now &+ Self.lookInterval, ordering: .relaxed)
        if isCancelled() { throw .canceled("query was canceled in expression evaluation") }
    }

    /// Counts processed samples.
    func count(_ samples: SampleCount) {
        total.wrappingAdd(samples.looked, ordering: .relaxed)
        new.wrappingAdd(samples.new, ordering: .relaxed)
    }

    /// Sets the number of processed samples back to an earlier value.
    func setTotalSamples(_ samples: Int) { total.store(samples, ordering: .relaxed) }

    /// Counts the samples of a new column, and charges its memory; called before the column is made.
    func reserve(_ samples: Int) throws { try reserve(samples, bytes: samples &* 8 &+ Self.columnOverhead) }

    /// Counts new samples, and charges `bytes` for them; called before they are made.
    func reserve(_ samples: Int, bytes: Int) throws {
        let (_, now) = held.wrappingAdd(samples, ordering: .relaxed)
        raisePeak(now)
        if now > maxSamples { throw QueryError.tooManySamples }
        try memory.charge(bytes)
    }

    /// Checks that the limit allows `samples` more, without counting them as held.
    func probe(_ samples: Int) throws(QueryError) {
        let now = held.load(ordering: .relaxed) &+ samples
        raisePeak(now)
        if now > maxSamples { throw .tooManySamples }
    }

    private func raisePeak(_ samples: Int) {
        if samples > peak.load(ordering: .relaxed) { peak.max(samples, ordering: .relaxed) }
    }

    // MARK: Nodes

    /// The samples and bytes that were held when a node began.
    struct Mark {
        fileprivate var samples: Int
        fileprivate var bytes: Int
    }

    /// The samples and bytes that are held now, without the retained ones.
    func mark() -> Mark {
        Mark(
            samples: held.load(ordering: .relaxed) &- retainedSamples.load(ordering: .relaxed),
            bytes: memory.used &- retainedBytes.load(ordering: .relaxed))
    }

    /// Corrects the held samples and bytes after a node has ended: of what the node held, only its result is left.
    func settle(_ mark: Mark, result columns: [Column], steps: Int) {
        let retained = (
            samples: retainedSamples.load(ordering: .relaxed), bytes: retainedBytes.load(ordering: .relaxed)
        )
        held.store(mark.samples &+ Self.samples(of: columns, steps: steps) &+ retained.samples, ordering: .relaxed)
        memory.settle(mark.bytes &+ Self.bytes(of: columns, steps: steps) &+ retained.bytes)
    }

    /// Releases the result of a node.
    func release(_ columns: [Column], steps: Int) {
        held.wrappingSubtract(Self.samples(of: columns, steps: steps), ordering: .relaxed)
        memory.release(Self.bytes(of: columns, steps: steps))
    }

    /// Counts and charges a result that is kept after its node has ended, until it is released.
    func retain(_ columns: [Column], steps: Int) throws -> Retained {
        let retained = Retained(
            samples: Self.samples(of: columns, steps: steps), bytes: Self.bytes(of: columns, steps: steps))
        try reserve(retained.samples, bytes: retained.bytes)
        retainedSamples.wrappingAdd(retained.samples, ordering: .relaxed)
        retainedBytes.wrappingAdd(retained.bytes, ordering: .relaxed)
        return retained
    }

    /// Retains `bytes`, which are charged already, after the node that made them has ended.
    func retain(charged bytes: Int) { retainedBytes.wrappingAdd(bytes, ordering: .relaxed) }

    func release(_ retained: Retained) {
        held.wrappingSubtract(retained.samples, ordering: .relaxed)
        retainedSamples.wrappingSubtract(retained.samples, ordering: .relaxed)
        retainedBytes.wrappingSubtract(retained.bytes, ordering: .relaxed)
        memory.release(retained.bytes)
    }

    /// The samples and bytes of a result that is kept after its node has ended.
    struct Retained {
        var samples = 0
        var bytes = 0
    }

    /// Counts and charges a result once more, for another node.
    func reserve(_ columns: [Column], steps: Int) throws {
        try reserve(Self.samples(of: columns, steps: steps), bytes: Self.bytes(of: columns, steps: steps))
    }

    private static func bytes(of columns: [Column], steps: Int) -> Int {
        var bytes = columns.count &* (steps &* 8 &+ columnOverhead)
        for column in columns {
            if !column.histograms.isEmpty { bytes &+= Self.bytes(of: column.histograms) }
            bytes &+= max(0, column.labels.bytes.count &- Self.usualLabels)
        }
        return bytes
    }

    /// The number of samples that columns count as: one per step, and more for a histogram according to its size.
    private static func samples(of columns: [Column], steps: Int) -> Int {
        columns.reduce(columns.count &* steps) { $0 &+ extraSamples(of: $1.histograms) }
    }

    /// The number of samples that histograms count as, in addition to one each.
    static func extraSamples(of histograms: [HistogramBox?]) -> Int {
        histograms.reduce(0) { sum, box in sum &+ (box.map { $0.histogram.sampleCost &- 1 } ?? 0) }
    }

    /// The number of samples that a series counts as, in which a histogram counts according to its size.
    static func samples(of columns: borrowing SampleColumns) -> Int {
        columns.histograms.reduce(columns.count) { $0 &+ $1.histogram.sampleCost &- 1 }
    }

    /// The bytes of a column's histograms.
    static func bytes(of histograms: [HistogramBox?]) -> Int {
        histograms.reduce(histograms.count &* 8) { sum, box in
            guard let histogram = box?.histogram else { return sum }
            return sum &+ 256 &+ 8
                &* (histogram.positiveBuckets.count &+ histogram.negativeBuckets.count &+ histogram.customBounds.count)
        }
    }
}

/// Checks the limits of a query at intervals while many samples of one series are processed.
struct SampleChecks {
    /// The number of samples between two checks of the limits.
    private static let interval = 1 << 18
    private let budget: QueryBudget?
    private var unchecked = 0

    init(_ budget: QueryBudget?) { self.budget = budget }

    /// Counts processed samples, and checks the limits after every ``interval`` of them.
    @inline(__always)
    mutating func add(_ samples: Int) throws(QueryError) {
        unchecked &+= samples
        if unchecked > Self.interval {
            unchecked = 0
            try budget?.checkNow()
        }
    }
}

extension QueryError {
    static var tooManySamples: QueryError {
        .execution("query processing would load too many samples into memory in query execution")
    }
}
