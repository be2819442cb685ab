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
            previous = current
        }
    }
}
