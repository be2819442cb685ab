import Encoding
import Model
import Storage

/// The samples of some series of a head.
final class HeadSamples: HeadVisitor {
    struct Sample {
        var time: Int64
        var value: Double
        /// The position of a histogram; −1 for a float.
        var histogram: Int32
        /// The number of tombstones before it in the log.
        var tombstones: UInt32
        var start: Int64
    }

    private struct Row {
        /// The samples of the log, in the order of time, also those that were deleted later.
        var logged: [Sample] = []
        /// The samples of chunks with in-order samples, without those that were deleted.
        var chunked: [Sample] = []
        /// The samples of the log of out-of-order samples, in the order in which they came.
        var late: [Sample] = []
        /// The samples of chunks with out-of-order samples that are not in blocks.
        var lateChunked: [Sample] = []
        /// For the times of samples in the log, the number of tombstones before the last sample, if the series has some.
        var pushed: [Int64: UInt32] = [:]
        /// The times of out-of-order samples that are in blocks, unless they were deleted there.
        var compacted: Set<Int64> = []
    }

    var isOutOfOrder = false
    var path = ""
    private(set) var refusals = 0
    private(set) var firstRefusal: String?
    private(set) var unreadableChunks = 0
    private(set) var firstUnreadableChunk: String?
    private let index: HeadIndex
    private let minTime: Int64
    private let isOnlyLate: Bool
    private var tombstones: UInt32 = 0
    private var rows: [Row]
    private var places: [Int: Int] = [:]
    private var histograms: [FloatHistogram] = []

    /// - Parameter minTime: The start of the head; nil to read only the log of out-of-order samples.
    init(_ index: HeadIndex, _ series: ArraySlice<Int>, minTime: Int64?) {
        self.index = index
        self.minTime = minTime ?? .max
        isOnlyLate = minTime == nil
        rows = [Row](repeating: Row(), count: series.count)
        for (place, number) in series.enumerated() { places[number] = place }
    }

    private func place(_ reference: UInt64) -> Int? { index.numbers[reference].flatMap { places[$0] } }

    private func add(_ sample: Sample, _ reference: UInt64) {
        guard let number = index.numbers[reference], let place = places[number] else { return }
        if isOutOfOrder {
            rows[place].late.append(sample)
            return
        }
        if index.hasDeletions(number) { rows[place].pushed[sample.time] = tombstones }
        if !isOnlyLate, sample.time >= minTime, rows[place].logged.last.map({ $0.time < sample.time }) ?? true {
            // Prometheus, too, reads only ascending times from the log: the others are in the other log, if they were
            // stored.
            rows[place].logged.append(sample)
        }
    }

    /// The position of a histogram in the form in which it is stored; nil if its parts are inconsistent.
    private func keep(_ histogram: FloatHistogram, at time: Int64) -> Int32? {
        guard histograms.count < Int(Int32.max) else { return nil }
        do throws(FloatHistogram.ValidationError) {
            histograms.append(try histogram.accepted())
            return Int32(histograms.count - 1)
        } catch {
            refusals += 1
            firstRefusal = firstRefusal ?? "at \(time) ms: \(error)"
            return nil
        }
    }

    func series(_ reference: UInt64, _ labels: Labels) {}
    func tombstone(_ reference: UInt64, _ from: Int64, _ to: Int64) { tombstones &+= 1 }
    func metadata(_ reference: UInt64, _ metadata: MetricMetadata) {}
    func exemplarRecord() {}

    func sample(_ reference: UInt64, _ time: Int64, _ value: Double, start: Int64) {
        add(Sample(time: time, value: value, histogram: -1, tombstones: tombstones, start: start), reference)
    }

    func histogram(_ reference: UInt64, _ time: Int64, _ histogram: FloatHistogram, start: Int64) {
        guard place(reference) != nil else { return }
        // Only the time is used of a sample that is not late.
        if Staleness.isMarker(histogram.sum) || isOnlyLate && !isOutOfOrder {
            return sample(reference, time, Staleness.marker, start: start)
        }
        guard let at = keep(histogram, at: time) else { return }
        add(Sample(time: time, value: .nan, histogram: at, tombstones: tombstones, start: start), reference)
    }

    func chunk(_ chunk: PrometheusHeadChunks.Chunk) {
        guard let number = index.numbers[chunk.reference], let place = places[number],
            chunk.isOutOfOrder || chunk.maxTime >= minTime
        else { return }
        var columns = SampleColumns()
        // The samples of a chunk that cannot be read are mostly in the log, too.
        do throws(DecodeError) {
            try PrometheusChunk.read(chunk.encoding, chunk.bytes, into: &columns)
        } catch {
            if chunk.isOutOfOrder, !index.needsLateChunks { return }
            unreadableChunks += 1
            firstUnreadableChunk = firstUnreadableChunk ?? "\(path): at \(chunk.offset): \(error)"
            return
        }
        var next = 0
        for i in 0..<columns.count {
            let time = columns.timestamps[i]
            var sample = Sample(
                time: time, value: columns.values[i], histogram: -1, tombstones: tombstones,
                start: columns.starts.start(at: time))
            if next < columns.histograms.count, columns.histograms[next].index == i {
                guard let at = keep(columns.histograms[next].histogram, at: time) else {
                    next += 1
                    continue
                }
                sample.histogram = at
                next += 1
            }
            if chunk.isOutOfOrder {
                if index.isPending(number, time, inChunkOf: chunk.reference) {
                    rows[place].lateChunked.append(sample)
                } else {
                    rows[place].compacted.insert(time)
                }
            } else if time >= minTime, !index.isDeleted(number, time, inChunkOf: chunk.reference) {
                rows[place].chunked.append(sample)
            }
        }
    }

    /// Appends the samples of series `number` in the order of time.
    ///
    /// If several have the same time, the one that was pushed last is used: only the others may have been deleted.
    /// Prometheus stores all of them, and answers any.
    func fill(_ number: Int, _ columns: inout SampleColumns) {
        guard let place = places[number] else { return }
        var row = rows[place]
        rows[place] = Row()
        // A late sample may be the newest of its series, and looks in order in the log.
        row.logged.removeAll {
            index.isDeleted(number, $0.time, after: $0.tombstones) || row.compacted.contains($0.time)
        }
        // The log has late samples, too, in the order in which they came. Those that a checkpoint left out came before
        // the tombstones after it.
        func isDeleted(_ sample: Sample) -> Bool {
            index.isDeleted(number, sample.time, after: row.pushed[sample.time] ?? index.checkpointTombstones)
        }
        let late = Self.merge([], row.late.filter { !isDeleted($0) }.reversed())
        let lateChunked = row.lateChunked.filter { !isDeleted($0) }
        var inOrder = Self.merge(row.logged, row.chunked)
        inOrder.removeAll { index.isDeletedInBlock(number, $0.time) }
        for sample in Self.merge(late, Self.merge(inOrder, lateChunked.reversed())) {
            if sample.histogram >= 0 {
                columns.append(sample.time, histograms[Int(sample.histogram)])
            } else {
                columns.append(sample.time, sample.value)
            }
            columns.starts.append(sample.start, from: sample.time)
        }
    }

    /// Merges both in the order of time.
    ///
    /// At the same time the sample of `first` is used, and of several in `second` the earlier one.
    private static func merge(_ first: [Sample], _ second: [Sample]) -> [Sample] {
        if second.isEmpty { return first }
        let order = second.indices.sorted { (second[$0].time, $0) < (second[$1].time, $1) }
        var result: [Sample] = []
        result.reserveCapacity(first.count + second.count)
        var at = 0
        for sample in first {
            while at < order.count, second[order[at]].time < sample.time {
                if result.last?.time != second[order[at]].time { result.append(second[order[at]]) }
                at += 1
            }
            while at < order.count, second[order[at]].time == sample.time { at += 1 }
            result.append(sample)
        }
        while at < order.count {
            if result.last?.time != second[order[at]].time { result.append(second[order[at]]) }
            at += 1
        }
        return result
    }
}
