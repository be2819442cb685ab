import Model

/// The reset hints that a storage with chunks sets for the histograms of one series, one after the other.
package struct ChunkHints {
    private var previous: FloatHistogram?

    package init() {}

    /// Records a float, which ends the chunk.
    package mutating func meetFloat() { previous = nil }

    /// The next histogram with its hint.
    package mutating func hinted(_ histogram: FloatHistogram) -> FloatHistogram {
        var histogram = histogram
        if histogram.resetHint != .gauge {
            let isContinued = previous.map { Self.continues(histogram, $0) } ?? false
            histogram.resetHint = isContinued ? .notReset : .unknown
        }
        previous = histogram
        return histogram
    }

    /// Whether a chunk that ends with `before` can contain `now`, a counter that was not reset.
    private static func continues(_ now: FloatHistogram, _ before: FloatHistogram) -> Bool {
        guard before.resetHint != .gauge, now.resetHint != .reset, now.schema == before.schema,
            now.zeroThreshold == before.zeroThreshold, now.customBounds == before.customBounds
        else { return false }
        var plain = now
        plain.resetHint = .unknown
        return !plain.isReset(after: before)
    }
}
