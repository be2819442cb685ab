import Model

/// An aggregation.
struct AggregationNode {
    let aggregation: Aggregation

    func columns(_ context: EvaluationContext) throws -> [Column] {
        let columns =
            switch aggregation.op {
            case .sum, .avg, .min, .max, .count, .group, .stddev, .stdvar: try folded(context)
            case .quantile: try QuantileAggregationNode(aggregation: aggregation).columns(context)
            case .topk, .bottomk, .limitk, .limitRatio:
                try SelectionAggregationNode(aggregation: aggregation).columns(context)
            case .countValues: try CountValuesNode(aggregation: aggregation).columns(context)
            }
        return aggregation.dropsName ? try Column.merged(columns, context.budget) : columns
    }

    /// Folds each series into its group when the operand produces it.
    private func folded(_ context: EvaluationContext) throws -> [Column] {
        let (op, place, steps, budget) = (
            aggregation.op, aggregation.expression.range, context.grid.count, context.budget
        )
        var grouping = Grouping(aggregation.grouping, isWithout: aggregation.isWithout)
        var folds: [GroupFold] = []
        var drops: [Bool] = []
        var sums = HistogramGroups(isAverage: op == .avg, range: place, context)
        defer { sums.release() }
        try Evaluator.stream(aggregation.expression, context) { metric, values, histograms in
            let group = grouping.index(of: metric)
            if group == folds.count {
                try budget.reserve(
                    steps, bytes: steps &* GroupFold.bytesPerStep(op) &+ QueryBudget.columnOverhead)
                drops.append(false)
                folds.append(GroupFold(op, steps: steps))
            }
            if metric.dropsName { drops[group] = true }
            folds[group].add(values)
            if !histograms.isEmpty {
                if op == .sum || op == .avg {
                    try sums.add(histograms, values, metric: metric.labels.metricName, to: group)
                } else if op == .count || op == .group {
                    folds[group].addHistograms(values)
                } else if values.contains(where: Column.isHistogram) {
                    context.annotations.info(HistogramAnnotation.ignored(in: op.rawValue), at: place)
                }
            }
        }
        var columns = zip(grouping.groups, folds).map { Column(labels: $0, values: $1.result()) }
        for group in columns.indices {
            columns[group].dropsName = drops[group]
            try sums.finish(group, &columns[group])
        }
        return columns.filter { !$0.isEmpty }
    }
}

extension Aggregation {
    /// The groups of a whole vector: their labels, and the indices of the columns in each.
    func groups(of input: [Column]) -> (labels: [Labels], members: [[Int]]) {
        var grouping = Grouping(self.grouping, isWithout: isWithout)
        var members: [[Int]] = []
        for (index, column) in input.enumerated() {
            let group = grouping.index(of: column.labels)
            if group == members.count { members.append([]) }
            members[group].append(index)
        }
        return (grouping.groups, members)
    }
}
