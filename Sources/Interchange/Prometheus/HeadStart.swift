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
    private var merged: [(path: String, maxTime: Int64)] = []

    /// The range of a block that Prometheus makes from its head, ms.
    static let window: Int64 = 2 * 3600 * 1000

    mutating func see(_ block: PrometheusBlock, _ path: String) {
        guard !block.isFromOutOfOrder else { return }
        possible = max(possible, block.maxTime)
        if block.isMerged { merged.append((path, block.maxTime)) } else { certain = max(certain, block.maxTime) }
    }

    /// Whether the blocks do not determine the start.
    var isOpen: Bool { certain < possible }

    /// Determines the start by samples of the head from ``certain`` up to ``possible``.
    ///
    /// - Parameters:
    ///   - probes: The times of samples of some series.
    ///   - files: The file system of the blocks.
    func settle(_ probes: [Labels: [Int64]], _ files: any FileSystem) throws -> Int64 {
        var open: [Labels: Set<Int64>] = probes.mapValues { Set($0) }
        var found: Set<Int64> = []
        for block in merged where block.maxTime > certain {
            try PrometheusBlock(files, block.path).forEach { labels, columns in
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
        let (span, isLong) = step.multipliedReportingOverflow(by: Self.window)
        let (start, isEarly) = possible.subtractingReportingOverflow(span)
        return isLong || isEarly ? certain : max(certain, start)
    }

    /// The number of windows between a time and ``possible``.
    private func steps(_ time: Int64) -> Int64 {
        let (span, isLong) = possible.subtractingReportingOverflow(time)
        return isLong ? Int64.max / Self.window : max(0, span &- 1) / Self.window
    }
}

/// Collects the times of in-order samples of some series of a head.
final class HeadProbes: HeadVisitor {
    var isOutOfOrder = false
    var path = ""
    private let index: HeadIndex
    private let times: Range<Int64>
    private var last: [UInt64: Int64] = [:]
    /// The times by the number of the series.
    private(set) var found: [Int: [Int64]] = [:]
    private var count = 0

    /// The most series that are checked, and the most samples of all series.
    private static let mostSeries = 4096
    private static let mostSamples = 1 << 20

    init(_ index: HeadIndex, _ times: Range<Int64>) {
        self.index = index
        self.times = times
    }

    private func add(_ reference: UInt64, _ time: Int64) {
        guard !isOutOfOrder, let number = index.numbers[reference], number < Self.mostSeries else { return }
        // The log also has out-of-order samples, which blocks may contain.
        if let newest = last[reference], time <= newest { return }
        last[reference] = time
        guard times.contains(time), count < Self.mostSamples else { return }
        if let deleted = index.tombstones[number], deleted.contains(where: { $0.minTime <= time && time <= $0.maxTime })
        {
            return
        }
        count += 1
        found[number, default: []].append(time)
    }

    func sample(_ reference: UInt64, _ time: Int64, _ value: Double, start: Int64) { add(reference, time) }
    func histogram(_ reference: UInt64, _ time: Int64, _ histogram: FloatHistogram, start: Int64) {
        add(reference, time)
    }
    func chunk(_ chunk: PrometheusHeadChunks.Chunk) {
        guard !chunk.isOutOfOrder, let number = index.numbers[chunk.reference], number < Self.mostSeries else { return }
        for time in Set([chunk.minTime, chunk.maxTime]) where times.contains(time) && count < Self.mostSamples {
            count += 1
            found[number, default: []].append(time)
        }
    }
    func series(_ reference: UInt64, _ labels: Labels) {}
    func tombstone(_ reference: UInt64, _ from: Int64, _ to: Int64) {}
    func metadata(_ reference: UInt64, _ metadata: MetricMetadata) {}
    func exemplarRecord() {}
}
