import Encoding
import Model
import Platform

/// The error of a block that determines where the head begins, and cannot be read.
struct UnreadBlock: Error {
    var directory: String
    var reason: String
}

/// The time where the head of a Prometheus begins: older in-order samples are in blocks, unless they were deleted
/// there.
///
/// Prometheus uses the end of the last block that was not made of out-of-order samples. But a block that was compacted
/// from both kinds has lost the mark, and may end after the end of the last head compaction; and a block that another
/// program made may end anywhere. So such blocks are checked: if they have none of the head's samples of a window, the
/// head was not compacted up to there.
struct HeadStart {
    /// The end of the last block up to which the head was certainly compacted.
    private(set) var certain = Int64.min
    /// The end of the last block up to which the head may have been compacted.
    private(set) var possible = Int64.min
    /// The times that were deleted from blocks.
    private(set) var deletions: [Labels: [(minTime: Int64, maxTime: Int64)]] = [:]
    /// The blocks that do not determine how far the head was compacted.
    private var unsure: [(path: String, maxTime: Int64)] = []
    /// The other ones.
    private var ends: [(path: String, maxTime: Int64)] = []
    /// The range of a block that Prometheus makes from its head, ms.
    private var window: Int64 = 2 * 3600 * 1000
    private static let leastWindow: Int64 = 60 * 1000
    /// For the lengths of aligned ranges of blocks, the beginning of the first one.
    private var lengths: [Int64: Int64] = [:]
    /// The greatest common divisor of the ends of blocks, of those that are whole minutes; 0 if there are none.
    private var divisor: Int64 = 0

    mutating func see(_ block: PrometheusBlock, _ path: String) throws {
        for range in [(block.minTime, block.maxTime)] + block.parents {
            narrowWindow(range.0, range.1)
            // The end of samples is almost never a whole minute, but the end of a range always is.
            if range.1 % Self.leastWindow == 0 { divisor = Self.commonDivisor(divisor, range.1) }
        }
        try block.forEachDeletion { labels, times in deletions[labels, default: []] += times }
        guard !block.isFromOutOfOrder else { return }
        possible = max(possible, block.maxTime)
        if block.isMerged { unsure.append((path, block.maxTime)) } else { ends.append((path, block.maxTime)) }
    }

    /// Excludes blocks that Prometheus cannot have made from a head whose newest sample has the time `newest`.
    mutating func exclude(newest: Int64) {
        let (limit, isEarly) = newest.subtractingReportingOverflow(window / 2)
        for end in ends {
            if !isEarly, end.maxTime <= limit, end.maxTime % window == 0 {
                certain = max(certain, end.maxTime)
            } else {
                unsure.append(end)
            }
        }
        ends = []
    }

    /// Uses the length of a range of blocks if it is the shortest one that two aligned ranges have.
    ///
    /// The first block after a gap is shorter, and may be aligned by accident.
    private mutating func narrowWindow(_ minTime: Int64, _ maxTime: Int64) {
        let (span, isLong) = maxTime.subtractingReportingOverflow(minTime)
        guard !isLong, span >= Self.leastWindow, span < window, minTime % span == 0 else { return }
        if lengths[span, default: minTime] != minTime { window = span } else { lengths[span] = minTime }
    }

    private static func commonDivisor(_ first: Int64, _ second: Int64) -> Int64 {
        var (large, small) = (first.magnitude, second.magnitude)
        while small > 0 { (large, small) = (small, large % small) }
        return Int64(clamping: large)
    }

    /// The length of the parts of the time that were compacted as a whole, ms.
    ///
    /// The ends of all blocks are multiples of the range of Prometheus's blocks, and so is their greatest common
    /// divisor. So the range is not longer than it.
    var step: Int64 { divisor > 0 ? min(window, divisor) : window }

    /// Whether the blocks do not determine the start.
    var isOpen: Bool { certain < possible }

    /// Determines the start by samples of the head from ``certain`` up to ``possible``.
    ///
    /// - Parameters:
    ///   - probes: The times of samples of some series.
    ///   - files: The file system of the blocks.
    /// - Throws: ``UnreadBlock``.
    func settle(_ probes: [Labels: Set<Int64>], _ files: any FileSystem) throws -> Int64 {
        guard let oldest = probes.values.joined().min() else { return possible }
        var open = probes
        // The newest window with samples in blocks.
        var found = Int64.min
        for block in unsure where block.maxTime > max(certain, oldest) {
            // A sample that was deleted in a block was compacted, too.
            do {
                try PrometheusBlock(files, block.path).forEach(hasDeleted: true) { labels, columns in
                    guard let times = open[labels] else { return }
                    for at in 0..<columns.count where times.contains(columns.timestamps[at]) {
                        found = max(found, number(columns.timestamps[at]))
                        open[labels]?.remove(columns.timestamps[at])
                    }
                }
            } catch { throw UnreadBlock(directory: block.path, reason: "\(error)") }
        }
        // Windows without samples in blocks, after the last window with some, were never compacted.
        guard let first = open.values.joined().map(number).filter({ $0 > found }).min() else { return possible }
        let (span, isEarly) = first.multipliedReportingOverflow(by: step)
        return isEarly ? certain : max(certain, min(possible, span &+ phase))
    }

    /// The number of the window of a time.
    private func number(_ time: Int64) -> Int64 {
        let (span, isEarly) = time.subtractingReportingOverflow(phase)
        if isEarly { return .min / step }
        return span / step - (span % step < 0 ? 1 : 0)
    }

    /// The beginning of a window: Prometheus's own blocks end at multiples of their range.
    private var phase: Int64 {
        if certain > .min || unsure.contains(where: { $0.maxTime % step == 0 }) { return 0 }
        return possible > 0 ? possible % step : 0
    }
}

/// Collects the times of in-order samples of some series of a head that were not deleted.
final class HeadProbes: HeadVisitor {
    var isOutOfOrder = false
    var path = ""
    private let index: HeadIndex
    private let times: Range<Int64>
    private let step: Int64
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
        step = start.step
    }

    func beginRecord() {
        let (oldest, isEarly) = newest.subtractingReportingOverflow(step / 2)
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
