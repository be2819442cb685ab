import Model
import Synchronization

/// The check of native histograms that are read from the store's files.
///
/// Histograms are also checked before they are stored. A file that is damaged, or was written without this check, may
/// have histograms that cannot be used. They are left out, but the samples beside them are not.
enum StoredHistograms {
    private static let count = Atomic<Int>(0)

    /// Whether a histogram is valid; an invalid one is counted.
    static func isSound(_ histogram: FloatHistogram) -> Bool {
        if ExponentialBounds.schemas.contains(histogram.schema) || histogram.usesCustomBuckets,
            (try? histogram.validateLayout()) != nil
        {
            return true
        }
        count.add(1, ordering: .relaxed)
        return false
    }

    /// The number of histograms that were left out in this process.
    static var leftOut: Int { count.load(ordering: .relaxed) }
}

extension TimeSeriesStore {
    /// The number of times that a stored native histogram was left out because its parts contradict each other.
    public static var histogramsLeftOut: Int { StoredHistograms.leftOut }

    /// The number of series that were not made because their labels are too long.
    public var seriesRefused: Int { refusedSeries.load(ordering: .relaxed) }

    /// The number of metadata that were refused because too many are stored already.
    public var metadataRefused: Int { metadataTable.withLock { $0.refused } }
}
