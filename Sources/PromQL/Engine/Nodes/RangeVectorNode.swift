import Model

/// A range vector: a range selector or a subquery.
struct RangeVectorNode {
    private enum Kind {
        case matrix(MatrixNode)
        case subquery(SubqueryNode)
    }

    /// A receiver of a series and its samples; the extension is nil for windows that need no samples outside.
    typealias Body = (Metric, inout SampleColumns, RangeExtension?) throws -> Void

    private let kind: Kind?
    /// The expression, with its parentheses.
    let expression: Expression
    /// The length of the window, ms.
    let length: Int64
    /// The end of the window at each step.
    let end: TimeShift

    init(_ expression: Expression) {
        self.expression = expression
        var plain = expression
        while case .parentheses(let e) = plain { plain = e.expression }
        switch plain {
        case .matrix(let e):
            (kind, length, end) = (.matrix(MatrixNode(matrix: e)), e.window, e.selector.timeShift)
        case .subquery(let e): (kind, length, end) = (.subquery(SubqueryNode(subquery: e)), e.window, e.timeShift)
        default: (kind, length, end) = (nil, 0, TimeShift(nil, 0))
        }
    }

    var isSubquery: Bool { if case .subquery? = kind { true } else { false } }

    /// The range selector; nil for others, or if its windows are extended.
    var plainMatrix: MatrixNode? {
        if case .matrix(let node)? = kind, node.matrix.selector.rangeExtension == nil { node } else { nil }
    }

    /// The metric name that the range selects; empty if there is none.
    var metricName: String { if case .matrix(let node)? = kind { node.matrix.selector.name } else { "" } }

    /// Passes the samples of each series, without stale markers, for all windows at once.
    ///
    /// - Parameter countsInside: Whether the samples inside of a subquery are counted; otherwise the caller counts its
    ///   points.
    func series(_ context: EvaluationContext, countsInside: Bool = false, _ body: Body) throws {
        switch kind {
        case .matrix(let node): try node.series(context, body)
        case .subquery(let node): try node.series(context, countsInside: countsInside, body)
        case nil: throw QueryError.execution("not a range vector: \(expression.type.rawValue)")
        }
    }

    /// The result of an instant query: the samples of the window, sorted by labels.
    func result(_ context: EvaluationContext) throws -> [RangeSeries] {
        var result: [RangeSeries] = []
        let time = end.time(0, of: context.grid)
        // A subquery counts as the samples that were processed inside of it.
        try series(context, countsInside: isSubquery) { metric, samples, _ in
            let wanted = (0..<samples.count).reduce(0) {
                $0 + (samples.timestamps[$1] > time &- length && samples.timestamps[$1] <= time ? 1 : 0)
            }
            guard wanted > 0 else { return }
            let cost = samples.histograms.reduce(wanted) { $0 + $1.histogram.sampleCost - 1 }
            try context.budget.reserve(
                cost, bytes: wanted * 16 + samples.histograms.capacity * 512 + QueryBudget.columnOverhead)
            if !isSubquery { context.count(SampleCount(looked: cost, new: cost), at: 0) }
            let labels = metric.dropsName ? metric.labels.withoutMetadata : metric.labels
            result.append(window(samples, labels, count: wanted, end: time))
        }
        return result.sorted { $0.labels < $1.labels }
    }

    /// The samples in the window that ends at `end`.
    private func window(
        _ samples: borrowing SampleColumns, _ labels: Labels, count: Int, end: Int64
    ) -> RangeSeries {
        var series = RangeSeries(labels: labels, timestamps: [], values: [], histograms: [])
        series.timestamps.reserveCapacity(count)
        series.values.reserveCapacity(count)
        var histogram = 0
        for i in 0..<samples.count {
            while histogram < samples.histograms.count, samples.histograms[histogram].index < i { histogram += 1 }
            guard samples.timestamps[i] > end &- length, samples.timestamps[i] <= end else { continue }
            if histogram < samples.histograms.count, samples.histograms[histogram].index == i {
                series.histograms.append((series.values.count, samples.histograms[histogram].histogram))
            }
            series.timestamps.append(samples.timestamps[i])
            series.values.append(samples.values[i])
        }
        return series
    }
}

extension Expression {
    /// The expression as a range selector; nil for others, or if its windows are extended.
    var plainMatrix: MatrixSelector? {
        switch self {
        case .parentheses(let e): e.expression.plainMatrix
        case .matrix(let e) where e.selector.rangeExtension == nil: e
        default: nil
        }
    }
}
