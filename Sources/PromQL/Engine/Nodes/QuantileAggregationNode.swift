import GoCompatibility
import Model

/// `quantile`: the quantile of each group at each step.
struct QuantileAggregationNode {
    let aggregation: Aggregation

    func columns(_ context: EvaluationContext) throws -> [Column] {
        guard let parameter = aggregation.parameter else { return [] }
        let (budget, steps) = (context.budget, context.grid.count)
        let q = try Evaluator.scalar(parameter, context)
        annotate(q, at: parameter.range, context.annotations)
        let input = try Evaluator.columns(aggregation.expression, context)
        if input.contains(where: { $0.values.contains(where: Column.isHistogram) }) {
            context.annotations.info(HistogramAnnotation.ignored(in: "quantile"), at: aggregation.expression.range)
        }
        let groups = aggregation.groups(of: input)
        var result: [Column] = []
        var scratch: [Double] = []
        for (labels, indices) in zip(groups.labels, groups.members) {
            try budget.check()
            try budget.reserve(steps)
            var out = [Double](repeating: Column.absent, count: steps)
            for i in 0..<steps {
                scratch.removeAll(keepingCapacity: true)
                for index in indices where Column.isFloat(input[index].values[i]) {
                    scratch.append(input[index].values[i])
                }
                if !scratch.isEmpty { out[i] = LinearQuantile.of(q[i], &scratch) }
            }
            result.append(
                Column(labels: labels, values: out, dropsName: indices.contains { input[$0].dropsName }))
        }
        return result.filter { !$0.isEmpty }
    }

    private func annotate(_ q: [Double], at range: TextRange, _ annotations: Annotations) {
        // The set has bit patterns: NaN does not equal NaN, so a set of numbers would keep each NaN, and compare all of
        // them.
        for value in Set(q.lazy.map(\.bitPattern)).map(Double.init(bitPattern:)) where !(value >= 0 && value <= 1) {
            annotations.warn("quantile value should be between 0 and 1, got \(FloatText.general(value))", at: range)
        }
    }
}
