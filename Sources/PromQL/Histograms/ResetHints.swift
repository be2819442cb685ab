import Model

/// Counter resets that a store does not know of.
enum ResetHints {
    /// Compares each histogram of unknown history with the one before it, and notes whether the counter began anew.
    static func detect(_ samples: inout SampleColumns) {
        var previous: FloatHistogram?
        for i in samples.histograms.indices {
            let current = samples.histograms[i].histogram
            if Staleness.isMarker(current.sum) { continue }
            if current.resetHint == .unknown, let previous {
                samples.histograms[i].histogram.resetHint = current.isReset(after: previous) ? .reset : .notReset
            }
            // Who asks for counts and sums only does not see the buckets, nor resets in them, of a gauge.
            if current.resetHint == .gauge {
                samples.histograms[i].histogram = FloatHistogram(
                    resetHint: .gauge, count: current.count, sum: current.sum)
            }
            previous = current
        }
    }
}
