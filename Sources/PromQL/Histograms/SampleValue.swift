import Model

/// A sample of either kind.
enum SampleValue: Sendable {
    case float(Double)
    case histogram(FloatHistogram)
}

extension Column {
    /// The sample of a step with a value.
    func sample(_ step: Int) -> SampleValue {
        if Column.isHistogram(values[step]), !histograms.isEmpty, let box = histograms[step] {
            return .histogram(box.histogram)
        }
        return .float(values[step])
    }
}
