import Model
import Synchronization

/// The check that native histograms pass when they are read from the store's files.
///
/// What is stored was checked before; a file that is damaged, or was written before there was a check, may hold
/// histograms with which nothing can be computed. They are left out, and the samples beside them are not.
enum StoredHistograms {
    private static let count = Atomic<Int>(0)

    /// Whether a histogram makes sense; one that does not is counted.
    static func isSound(_ histogram: FloatHistogram) -> Bool {
        if ExponentialBounds.schemas.contains(histogram.schema) || histogram.usesCustomBuckets,
            (try? histogram.validateLayout()) != nil
        {
            return true
        }
        count.add(1, ordering: .relaxed)
        return false
    }

    /// How often one was left out, in this process.
    static var leftOut: Int { count.load(ordering: .relaxed) }
}

extension TimeSeriesStore {
    /// How often a stored native histogram was left out of what was read, for its parts contradict each other.
    public static var histogramsLeftOut: Int { StoredHistograms.leftOut }

    /// Series that were not made, for their labels are too long.
    public var seriesRefused: Int { refusedSeries.load(ordering: .relaxed) }

    /// What was said about metrics and is not remembered, for too much is remembered already.
    public var metadataRefused: Int { metadataTable.withLock { $0.refused } }
}
