import Encoding
import Model

/// Receives the contents of the files of a head.
protocol HeadVisitor: PrometheusRecordVisitor {
    /// Whether the following contents are from the log of out-of-order samples.
    var isOutOfOrder: Bool { get set }
    /// The file of the chunks.
    var path: String { get set }
    /// Called before each record of a log.
    func beginRecord()
    func chunk(_ chunk: PrometheusHeadChunks.Chunk)
}

extension HeadVisitor {
    func beginRecord() {}
}

/// The series of a head, the size of each, and what was deleted.
final class HeadIndex: HeadVisitor {
    /// A tombstone of the log.
    private struct Deletion {
        var minTime: Int64
        var maxTime: Int64
        var reference: UInt64
        /// The number of tombstones before it.
        var number: UInt32

        /// Whether the whole series disappeared from the head; the same labels may have returned as another one.
        var isOfSeries: Bool { minTime == .min && maxTime == .max }
    }

    var isOutOfOrder = false
    var path = ""
    private(set) var labels: [Labels] = []
    /// The approximate bytes of the samples of each series in ``HeadSamples``.
    private(set) var sizes: [Int] = []
    private(set) var numbers: [UInt64: Int] = [:]
    private(set) var metadata: [ExactText: MetricMetadata] = [:]
    /// Whether the log of out-of-order samples exists and is undamaged.
    ///
    /// Then it has all samples that are not in blocks. Prometheus keeps chunks of others for some time, which may have
    /// been deleted from the blocks since.
    private var isLateLogWhole = false
    /// The times of samples in that log whose series is unknown: a chunk may have them under another reference.
    private var lateOrphans: Set<Int64> = []
    /// Whether that log has samples.
    private(set) var hasLateSamples = false
    private static let mostLateOrphans = 1 << 20
    private var deletions: [Int: [Deletion]] = [:]
    private var blockDeletions: [Int: [(minTime: Int64, maxTime: Int64)]] = [:]
    private var tombstones: UInt32 = 0
    /// The number of tombstones of the checkpoint.
    private(set) var checkpointTombstones: UInt32 = 0
    /// The newest time of a sample of the logs.
    private(set) var newest = Int64.min
    private(set) var exemplars = 0
    private(set) var orphans = 0
    private var known: [Labels: Int] = [:]

    func series(_ reference: UInt64, _ labels: Labels) {
        guard numbers[reference] == nil else { return }
        // A series that disappeared and returned has another reference.
        if let number = known[labels] {
            numbers[reference] = number
            return
        }
        numbers[reference] = self.labels.count
        known[labels] = self.labels.count
        self.labels.append(labels)
        sizes.append(64)
    }

    /// Sets whether the log of out-of-order samples exists and is undamaged, after it was read.
    func endLateLog(isWhole: Bool) {
        isLateLogWhole = isWhole && lateOrphans.count < Self.mostLateOrphans
    }

    /// Whether a chunk of out-of-order samples may have some that are not in a block.
    var needsLateChunks: Bool { !isLateLogWhole || !lateOrphans.isEmpty }

    /// Whether a sample of series `number` in a chunk of out-of-order samples is not in a block, and was not deleted
    /// from one.
    func isPending(_ number: Int, _ time: Int64, inChunkOf reference: UInt64) -> Bool {
        if isLateLogWhole, !lateOrphans.contains(time) { return false }
        return !isDeleted(number, time, inChunkOf: reference) && !isDeletedInBlock(number, time)
    }

    private func count(_ reference: UInt64, _ time: Int64, _ bytes: Int) {
        newest = max(newest, time)
        if isOutOfOrder { hasLateSamples = true }
        if let number = numbers[reference] {
            sizes[number] += bytes
        } else {
            orphans += 1
            if isOutOfOrder, lateOrphans.count < Self.mostLateOrphans { lateOrphans.insert(time) }
        }
    }

    func sample(_ reference: UInt64, _ time: Int64, _ value: Double, start: Int64) {
        count(reference, time, MemoryLayout<HeadSamples.Sample>.stride)
    }

    func histogram(_ reference: UInt64, _ time: Int64, _ histogram: FloatHistogram, start: Int64) {
        count(
            reference, time, 256 + 8 * (histogram.positiveBuckets.count + histogram.negativeBuckets.count))
    }

    func chunk(_ chunk: PrometheusHeadChunks.Chunk) {
        let isFloat = chunk.encoding == 1 || chunk.encoding == 4
        if let number = numbers[chunk.reference] {
            sizes[number] += chunk.count * (isFloat ? 32 : 1024)
        } else if !chunk.isOutOfOrder || needsLateChunks {
            orphans += chunk.count
        }
    }

    func tombstone(_ reference: UInt64, _ from: Int64, _ to: Int64) {
        if let number = numbers[reference] {
            deletions[number, default: []].append(
                Deletion(minTime: from, maxTime: to, reference: reference, number: tombstones))
        }
        tombstones &+= 1
    }

    func endCheckpoint() { checkpointTombstones = tombstones }

    /// Whether the log has tombstones of series `number`.
    func hasDeletions(_ number: Int) -> Bool { deletions[number] != nil }

    /// Sets the times that were deleted from blocks.
    func use(_ deletions: [Labels: [(minTime: Int64, maxTime: Int64)]]) {
        for (labels, times) in deletions {
            if let number = known[labels] { blockDeletions[number] = times }
        }
    }

    /// Whether a sample of series `number` in the log was deleted by a tombstone after the first `tombstones`.
    ///
    /// Later samples are not deleted by it.
    func isDeleted(_ number: Int, _ time: Int64, after tombstones: UInt32) -> Bool {
        guard let deletions = deletions[number] else { return false }
        return deletions.contains { $0.number >= tombstones && $0.minTime <= time && time <= $0.maxTime }
    }

    /// Whether a sample of series `number` in a chunk of the series with this reference was deleted by a tombstone.
    func isDeleted(_ number: Int, _ time: Int64, inChunkOf reference: UInt64) -> Bool {
        guard let deletions = deletions[number] else { return false }
        return deletions.contains {
            $0.minTime <= time && time <= $0.maxTime && ($0.reference == reference || !$0.isOfSeries)
        }
    }

    /// Whether this time of series `number` was deleted from a block.
    func isDeletedInBlock(_ number: Int, _ time: Int64) -> Bool {
        guard let times = blockDeletions[number] else { return false }
        return times.contains { $0.minTime <= time && time <= $0.maxTime }
    }

    func metadata(_ reference: UInt64, _ metadata: MetricMetadata) {
        guard let number = numbers[reference], let name = labels[number][Labels.nameLabel] else { return }
        self.metadata[ExactText(name)] = metadata
    }

    func exemplarRecord() { self.exemplars += 1 }
}
