import Encoding
import Model
import Platform

/// Where the head of a Prometheus begins: samples in order that are older are in blocks, unless they were deleted there.
///
/// Prometheus takes the end of the last block that was not made of out-of-order samples. But a block that was merged from
/// both kinds has lost the mark, and may end before the head was ever written up to there. So blocks that were merged
/// are asked: if they have none of the head's samples of a window, the head was not compacted so far.
struct HeadStart {
    /// The end of the last block that surely holds the head up to there.
    private(set) var certain = Int64.min
    /// The end of the last block that may do so.
    private(set) var possible = Int64.min
    private var merged: [(path: String, maxTime: Int64)] = []

    /// The span of a block that Prometheus makes of its head, ms.
    static let window: Int64 = 2 * 3600 * 1000

    mutating func see(_ block: PrometheusBlock, _ path: String) {
        guard !block.isFromOutOfOrder else { return }
        possible = max(possible, block.maxTime)
        if block.isMerged { merged.append((path, block.maxTime)) } else { certain = max(certain, block.maxTime) }
    }

    /// Whether the blocks leave it open.
    var isOpen: Bool { certain < possible }

    /// Decides by samples of the head, which were collected from ``certain`` up to ``possible``.
    ///
    /// - Parameters:
    ///   - probes: Times of samples of some series.
    ///   - files: Where the blocks are.
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
        // Behind the last window of which a block has something, those without anything were never compacted.
        let limit = found.min() ?? .max
        let step = (open.values.joined().map(steps).filter { $0 < limit }.max() ?? -1) &+ 1
        let (span, isLong) = step.multipliedReportingOverflow(by: Self.window)
        let (start, isEarly) = possible.subtractingReportingOverflow(span)
        return isLong || isEarly ? certain : max(certain, start)
    }

    /// How many windows before ``possible`` a time is.
    private func steps(_ time: Int64) -> Int64 {
        let (span, isLong) = possible.subtractingReportingOverflow(time)
        return isLong ? Int64.max / Self.window : max(0, span &- 1) / Self.window
    }
}

/// Collects times of samples in order of some series of a head.
final class HeadProbes: HeadVisitor {
    var isOutOfOrder = false
    var path = ""
    private let index: HeadIndex
    private let times: Range<Int64>
    private var last: [UInt64: Int64] = [:]
    /// By the number of the series.
    private(set) var found: [Int: [Int64]] = [:]
    private var count = 0

    /// So many series are asked about, and so many samples of all.
    private static let mostSeries = 4096
    private static let mostSamples = 1 << 20

    init(_ index: HeadIndex, _ times: Range<Int64>) {
        self.index = index
        self.times = times
    }

    private func add(_ reference: UInt64, _ time: Int64) {
        guard !isOutOfOrder, let number = index.numbers[reference], number < Self.mostSeries else { return }
        // The log has samples out of order, too, which blocks may hold.
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
