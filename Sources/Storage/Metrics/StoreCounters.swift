import Model
import Synchronization
import Telemetry

/// The counters of a store since it was opened; they are incremented once per batch or less often.
final class StoreCounters: Sendable {
    /// A count by the type of the sample.
    struct ByType: ~Copyable, Sendable {
        private let floats = Atomic<Int>(0)
        private let histograms = Atomic<Int>(0)

        func add(floats: Int, histograms: Int) {
            if floats > 0 { self.floats.wrappingAdd(floats, ordering: .relaxed) }
            if histograms > 0 { self.histograms.wrappingAdd(histograms, ordering: .relaxed) }
        }

        var values: (floats: Int, histograms: Int) {
            (floats.load(ordering: .relaxed), histograms.load(ordering: .relaxed))
        }
    }

    /// A count of successes and failures.
    struct Attempts: ~Copyable, Sendable {
        private let good = Atomic<Int>(0)
        private let bad = Atomic<Int>(0)

        func succeed() { good.wrappingAdd(1, ordering: .relaxed) }
        func fail() { bad.wrappingAdd(1, ordering: .relaxed) }

        var succeeded: Int { good.load(ordering: .relaxed) }
        var failed: Int { bad.load(ordering: .relaxed) }
        var total: Int { succeeded + failed }
    }

    // MARK: Commits

    let appended = ByType()
    let appendedOutOfOrder = ByType()
    let outOfOrder = ByType()
    let outOfBounds = ByType()
    let tooOld = ByType()
    let unknownSeries = Atomic<Int>(0)
    let commits = Atomic<Int>(0)
    let activeCommits = Atomic<Int>(0)

    // MARK: Series and chunks

    let seriesCreated = Atomic<Int>(0)
    let seriesRemoved = Atomic<Int>(0)
    /// The number of chunks that were in the head when the store was opened.
    let chunksAtOpen = Atomic<Int>(0)

    // MARK: Maintenance

    /// Head compactions.
    let cuts = Attempts()
    /// Head compactions and merges of blocks.
    let compactions = Attempts()
    let compactionsTriggered = Atomic<Int>(0)
    let isCompacting = Atomic<Bool>(false)
    let timeRetentions = Atomic<Int>(0)
    let sizeRetentions = Atomic<Int>(0)
    let checkpoints = Attempts()
    let logTruncations = Attempts()
    /// The duration of reading the checkpoint and the log, s, as a bit pattern.
    let replaySeconds = Atomic<UInt64>(0)
    /// Whether the last run ended with a checkpoint; false until the store is open.
    let startedClean = Atomic<Bool>(false)

    private struct Durations {
        var compactions = [Int](repeating: 0, count: StoreCounters.compactionBounds.count)
        var compactionSum = 0.0
        var compactionCount = 0
        var headForgets = QuantileWindow()
        var truncations = QuantileWindow()
    }
    private let durations = Mutex(Durations())

    /// The upper bounds of the durations of compactions, s.
    static let compactionBounds: [Double] = (0..<14).map { Double(1 << $0) }

    func observeCompaction(_ seconds: Double) {
        let bucket = Self.compactionBounds.firstIndex { seconds <= $0 }
        durations.withLock {
            if let bucket { $0.compactions[bucket] += 1 }
            $0.compactionSum += seconds
            $0.compactionCount += 1
        }
    }

    func observeForget(_ seconds: Double) { durations.withLock { $0.headForgets.add(seconds) } }

    func observeTruncation(_ seconds: Double) { durations.withLock { $0.truncations.add(seconds) } }

    var compactionDurations: (buckets: [Int], sum: Double, count: Int) {
        durations.withLock { ($0.compactions, $0.compactionSum, $0.compactionCount) }
    }

    var headForgets: QuantileWindow { durations.withLock { $0.headForgets } }

    var truncations: QuantileWindow { durations.withLock { $0.truncations } }

    // MARK: Batches

    /// Counts the samples that a commit has stored.
    func noteStored(_ writer: borrowing BatchWriter, hasHistograms: Bool, _ histogramAt: (Int) -> Int?) {
        guard hasHistograms || writer.hasOutOfOrder else { return appended.add(floats: writer.count, histograms: 0) }
        var (histograms, outOfOrder, outOfOrderHistograms) = (0, 0, 0)
        for k in 0..<writer.count {
            let isHistogram = hasHistograms && histogramAt(Int(writer.positions[k])) != nil
            if isHistogram { histograms += 1 }
            guard writer.outOfOrder[k] else { continue }
            if isHistogram { outOfOrderHistograms += 1 } else { outOfOrder += 1 }
        }
        appended.add(floats: writer.count - histograms, histograms: histograms)
        appendedOutOfOrder.add(floats: outOfOrder, histograms: outOfOrderHistograms)
    }

    /// Counts the samples that a commit has refused.
    func noteRefused(_ batch: borrowing SampleBatch, _ outcome: CommitOutcome, _ histogramAt: (Int) -> Int?) {
        for (index, reason) in outcome.rejected {
            let isHistogram = histogramAt(index) != nil
            // Another target continues the series, so a refused stale marker is not an error.
            if !isHistogram, Staleness.isMarker(batch.values[index]) { continue }
            let (floats, histograms) = isHistogram ? (0, 1) : (1, 0)
            switch reason {
            case .outOfOrder: outOfOrder.add(floats: floats, histograms: histograms)
            case .outOfBounds: outOfBounds.add(floats: floats, histograms: histograms)
            case .tooOld: tooOld.add(floats: floats, histograms: histograms)
            case .unknownSeries: unknownSeries.wrappingAdd(1, ordering: .relaxed)
            default: break
            }
        }
    }
}
