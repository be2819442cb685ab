import Model

/// A function of each float of a vector; it removes the names of the series.
struct ElementwiseNode {
    let operand: Expression
    /// The change of each histogram; nil if histograms are removed.
    var histogram: ((inout FloatHistogram) -> Void)?

    /// Passes each series to `sink`, with the result of `change` for each float and the index of its step.
    func stream(
        _ context: EvaluationContext, _ sink: SeriesSink, _ change: (Double, Int) -> Double
    ) throws {
        var out = [Double](repeating: 0, count: context.grid.count)
        let work = HistogramWork(context.budget)
        defer { work.release() }
        try Evaluator.stream(operand, context) { metric, values, histograms in
            let changed = try changed(histograms, work)
            for i in 0..<out.count {
                let value = values[i]
                out[i] =
                    Column.isFloat(value)
                    ? change(value, i) : Column.isHistogram(value) && !changed.isEmpty ? value : Column.absent
            }
            try out.withUnsafeBufferPointer { try sink(context.nameless(metric), $0, changed) }
        }
    }

    private func changed(_ histograms: [HistogramBox?], _ work: HistogramWork) throws -> [HistogramBox?] {
        guard !histograms.isEmpty, let histogram else { return [] }
        work.beginSeries()
        return try histograms.map {
            try $0.map { box in
                try work.make(from: box.histogram)
                var result = box.histogram
                histogram(&result)
                return HistogramBox(result)
            }
        }
    }
}
