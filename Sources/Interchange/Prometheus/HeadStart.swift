import Encoding
import Model
import Platform

/// The time where the head of a Prometheus begins: older in-order samples are in blocks, unless they were deleted
/// there.
///
/// Prometheus uses the end of the last block that was not made of out-of-order samples. But a block that was compacted
/// from both kinds has lost the mark, and may end after the end of the last head compaction. So compacted blocks are
/// checked: if they have none of the head's samples of a window, the head was not compacted up to there.
struct HeadStart {
    /// The end of the last block up to which the head was certainly compacted.
    private(set) var certain = Int64.min
    /// The end of the last block up to which the head may have been compacted.
    private(set) var possible = Int64.min
    /// The times that were deleted from blocks.
    private(set) var deletions: [Labels: [(minTime: Int64, maxTime: Int64)]] = [:]
    private var merged: [(path: String, maxTime: Int64)] = []
    /// The range of a block that Prometheus makes from its head, ms.
    private(set) var window: Int64 = 2 * 3600 * 1000
    private static let leastWindow: Int64 = 60 * 1000

    mutating func see(_ block: PrometheusBlock, _ path: String) throws {
        for range in [(block.minTime, block.maxTime)] + block.parents { narrowWindow(range.0, range.1) }
        try block.forEachDeletion { labels, times in deletions[labels, default: []] += times }
        guard !block.isFromOutOfOrder else { return }
        possible = max(possible, block.maxTime)
        if block.isMerged { merged.append((path, block.maxTime)) } else { certain = max(certain, block.maxTime) }
    }

    /// Uses the range of a block if it is the shortest one that is aligned.
    private mutating func narrowWindow(_ minTime: Int64, _ maxTime: Int64) {
        let (span, isLong) = maxTime.subtractingReportingOverflow(minTime)
        guard !isLong, span >= Self.leastWindow, span < window, minTime % span == 0 else { return }
        window = span
    }

    /// Whether the blocks do not determine the start.
    var isOpen: Bool { certain < possible }

    /// Determines the start by samples of the head from ``certain`` up to ``possible``.
    ///
    /// - Parameters:
    ///   - probes: The times of samples of some series.
    ///   - files: The file system of the blocks.
    func settle(_ probes: [Labels: Set<Int64>], _ files: any FileSystem) throws -> Int64 {
        var open = probes
        var found: Set<Int64> = []
        for block in merged where block.maxTime > certain {
            // A sample that was deleted in a block was compacted, too.
            try PrometheusBlock(files, block.path).forEach(hasDeleted: true) { labels, columns in
                guard let times = open[labels] else { return }
                for at in 0..<columns.count where times.contains(columns.timestamps[at]) {
                    found.insert(steps(columns.timestamps[at]))
                    open[labels]?.remove(columns.timestamps[at])
                }
            }
        }
        // Windows without samples in blocks, after the last window with some, were never compacted.
        let limit = found.min() ?? .max
        let step = (open.values.joined().map(steps).filter { $0 < limit }.max() ?? -1) &+ 1
        let (span, isLong) = step.multipliedReportingOverflow(by: window)
        let (start, isEarly) = possible.subtractingReportingOverflow(span)
        return isLong || isEarly ? certain : max(certain, start)
    }

    /// The number of windows between a time and ``possible``.
    private func steps(_ time: Int64) -> Int64 {
        let (span, isLong) = possible.subtractingReportingOverflow(time)
        return isLong ? Int64.max / window : max(0, span &- 1) / window
    }
}

/// Collects the times of in-order samples of some series of a head that were not deleted.
final class HeadProbes: HeadVisitor {
    var isOutOfOrder = false
    var path = ""
    private let index: HeadIndex
    private let times: Range<Int64>
    private let window: Int64
    private var last: [UInt64: Int64] = [:]
    /// The newest time of all series, and the oldest that was in order when the current record was written.
    private var newest = Int64.min
    private var oldestInOrder = Int64.min
    private var inOrder: [Int: Set<Int64>] = [:]
    /// Times of out-of-order samples, which blocks may contain even if the head was not compacted.
    private var late: [Int: Set<Int64>] = [:]
    private var count = 0
    /// The number of tombstones of the log up to here.
    private var tombstones: UInt32 = 0

    /// The most series that are checked, and the most samples of all series.
    private static let mostSeries = 4096
    private static let mostSamples = 1 << 20

    init(_ index: HeadIndex, _ start: HeadStart) {
        self.index = index
        times = start.certain..<start.possible
        window = start.window
    }

    func beginRecord() {
        let (oldest, isEarly) = newest.subtractingReportingOverflow(window / 2)
        oldestInOrder = isEarly ? .min : oldest
    }

    private func add(_ reference: UInt64, _ time: Int64) {
        guard !isOutOfOrder, let number = index.numbers[reference], number < Self.mostSeries else { return }
        // A sample that is much older than the newest one of all series is out of order, too.
        if time < oldestInOrder || last[reference].map({ time <= $0 }) ?? false {
            return note(number, time, &late)
        }
        last[reference] = time
        newest = max(newest, time)
        if index.isDeleted(number, time, after: tombstones) || index.isDeletedInBlock(number, time) { return }
        note(number, time, &inOrder)
    }

    private func note(_ number: Int, _ time: Int64, _ list: inout [Int: Set<Int64>]) {
        guard times.contains(time), count < Self.mostSamples else { return }
        if list[number, default: []].insert(time).inserted { count += 1 }
    }

    /// The times that were found, by the number of the series.
    var found: [Int: Set<Int64>] {
        inOrder.reduce(into: [:]) { $0[$1.key] = $1.value.subtracting(late[$1.key] ?? []) }
    }

    func sample(_ reference: UInt64, _ time: Int64, _ value: Double, start: Int64) { add(reference, time) }
    func histogram(_ reference: UInt64, _ time: Int64, _ histogram: FloatHistogram, start: Int64) {
        add(reference, time)
    }
    func chunk(_ chunk: PrometheusHeadChunks.Chunk) {
        guard !chunk.isOutOfOrder, let number = index.numbers[chunk.reference], number < Self.mostSeries else { return }
        for time in Set([chunk.minTime, chunk.maxTime]) {
            let isDeleted =
                index.isDeleted(number, time, inChunkOf: chunk.reference) || index.isDeletedInBlock(number, time)
            if !isDeleted { note(number, time, &inOrder) }
        }
    }
    func series(_ reference: UInt64, _ labels: Labels) {}
    func tombstone(_ reference: UInt64, _ from: Int64, _ to: Int64) { tombstones &+= 1 }
    func metadata(_ reference: UInt64, _ metadata: MetricMetadata) {}
    func exemplarRecord() {}
}
