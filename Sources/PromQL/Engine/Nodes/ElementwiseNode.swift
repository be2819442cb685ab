import Model

/// A function of each float of a vector by itself; the names of the series go.
struct ElementwiseNode {
    let operand: Expression
    /// What becomes of histograms; nil if they go.
    var histogram: ((inout FloatHistogram) -> Void)?

    /// Gives each series to `sink`, with what `change` makes of each float and its step.
    func stream(
        _ context: EvaluationContext, _ sink: SeriesSink, _ change: (Double, Int) -> Double
    ) throws {
        var out = [Double](repeating: 0, count: context.grid.count)
        try Evaluator.stream(operand, context) { metric, values, histograms in
            let changed = changed(histograms)
            for i in 0..<out.count {
                let value = values[i]
                out[i] =
                    Column.isFloat(value)
                    ? change(value, i) : Column.isHistogram(value) && !changed.isEmpty ? value : Column.absent
            }
            try out.withUnsafeBufferPointer { try sink(context.nameless(metric), $0, changed) }
        }
    }

    private func changed(_ histograms: [HistogramBox?]) -> [HistogramBox?] {
        guard !histograms.isEmpty, let histogram else { return [] }
        return histograms.map {
            $0.map { box in
                var result = box.histogram
                histogram(&result)
                return HistogramBox(result)
            }
        }
    }
}
