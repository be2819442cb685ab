import GoCompatibility
import Model

/// `count_values`: the number of series with each value; a label of the result has the value.
struct CountValuesNode {
    let aggregation: Aggregation

    func columns(_ context: EvaluationContext) throws -> [Column] {
        guard let parameter = aggregation.parameter else { return [] }
        let label = try labelName(parameter)
        let (budget, steps) = (context.budget, context.grid.count)
        // With `by`, the new label is always one of the grouping labels.
        var grouping = Grouping(
            aggregation.isWithout ? aggregation.grouping : aggregation.grouping + [label],
            isWithout: aggregation.isWithout)
        let work = HistogramWork(budget)
        defer { work.release() }
        var counts: [[Double]] = []
        var drops: [Bool] = []
        try Evaluator.stream(aggregation.expression, context) { metric, values, histograms in
            var last: (value: UInt64, histogram: HistogramBox?, group: Int)?
            for i in 0..<steps where Column.isPresent(values[i]) {
                let box = Column.isHistogram(values[i]) && !histograms.isEmpty ? histograms[i] : nil
                var group = 0
                if let known = last, known.value == values[i].bitPattern, known.histogram === box {
                    group = known.group
                } else {
                    work.beginSeries()
                    if let box { try work.describe(box.histogram) }
                    var builder = LabelsBuilder(metric.labels)
                    builder.set(label, box?.histogram.description ?? FloatText.fixed(values[i]))
                    group = grouping.index(of: builder.labels())
                    last = (values[i].bitPattern, box, group)
                }
                if group == counts.count {
                    try budget.reserve(steps)
                    try budget.reserve(0, bytes: grouping.groups[group].bytes.count)
                    counts.append([Double](repeating: Column.absent, count: steps))
                    drops.append(false)
                }
                if metric.dropsName { drops[group] = true }
                counts[group][i] = Column.isPresent(counts[group][i]) ? counts[group][i] + 1 : 1
            }
        }
        return grouping.groups.indices.map {
            Column(labels: grouping.groups[$0], values: counts[$0], dropsName: drops[$0])
        }
    }

    private func labelName(_ parameter: Expression) throws -> String {
        if let bytes = Evaluator.invalidBytes(parameter) {
            throw QueryError.execution("invalid label name \(GoQuote.quote(bytes: bytes))")
        }
        let label = try Evaluator.string(parameter)
        guard !label.isEmpty else { throw QueryError.execution("invalid label name \(GoQuote.quote(label))") }
        return label
    }
}
