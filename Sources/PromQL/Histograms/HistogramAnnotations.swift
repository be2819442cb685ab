import Model

/// The texts of annotations about histograms, in Prometheus's words.
enum HistogramAnnotation {
    static func mixedFloats(_ metric: String) -> String {
        "encountered a mix of histograms and floats for metric name \(Quoted.text(metric))"
    }

    static let mixedFloatsInAggregation = "encountered a mix of histograms and floats for aggregation"

    static func mixedLayouts(_ metric: String) -> String {
        "vector contains a mix of histograms with exponential and custom buckets schemas for metric name "
            + Quoted.text(metric)
    }

    static func notCounter(_ metric: String) -> String {
        "this native histogram metric is not a counter: \(Quoted.text(metric))"
    }

    static func notGauge(_ metric: String) -> String {
        "this native histogram metric is not a gauge: \(Quoted.text(metric))"
    }

    static func ignoredInMixedRange(_ metric: String) -> String {
        "ignored histograms in a range containing both floats and histograms for metric name \(Quoted.text(metric))"
    }

    static func ignored(in aggregation: String) -> String { "ignored histogram in \(aggregation) aggregation" }

    static func incompatibleTypes(_ op: BinaryOperator, leftIsHistogram: Bool, rightIsHistogram: Bool) -> String {
        func name(_ isHistogram: Bool) -> String { isHistogram ? "histogram" : "float" }
        return "incompatible sample types encountered for binary operator \(Quoted.text(op.rawValue)): "
            + "\(name(leftIsHistogram)) \(op.rawValue) \(name(rightIsHistogram))"
    }

    static func incompatibleLayouts(_ op: BinaryOperator) -> String {
        "incompatible bucket layout encountered for binary operator \(op.rawValue)"
    }

    static func mixedClassicAndNative(_ metric: String) -> String {
        "vector contains a mix of classic and native histograms" + named(metric)
    }

    /// The operation in which histograms were added or subtracted.
    enum Operation: String { case addition, subtraction, aggregation }

    static func resetCollision(_ operation: Operation) -> String {
        "conflicting counter resets during histogram \(operation.rawValue)"
    }

    static func boundsReconciled(_ operation: Operation) -> String {
        "mismatched custom buckets were reconciled during \(operation.rawValue)"
    }

    static func estimate(_ note: FloatHistogram.EstimateNote, _ metric: String) -> String {
        switch note {
        case .isNaN: "input to histogram_quantile has NaN observations, result is NaN" + named(metric)
        case .isSkewed: "input to histogram_quantile has NaN observations, result is skewed higher" + named(metric)
        case .excludesNaN:
            "input to histogram_fraction has NaN observations, which are excluded from all fractions" + named(metric)
        }
    }

    private static func named(_ metric: String) -> String {
        metric.isEmpty ? "" : " for metric name \(Quoted.text(metric))"
    }
}
