import Model

/// A subquery: the values of an expression at steps of its own, as a range vector.
struct SubqueryNode {
    let subquery: Subquery

    /// Passes the points of each series to `body`; series are sorted by labels.
    ///
    /// - Parameter countsInside: Whether the samples that the expression processes are counted; otherwise the caller
    ///   counts the points.
    func series(_ context: EvaluationContext, countsInside: Bool, _ body: RangeVectorNode.Body) throws {
        let (first, last) = subquery.timeShift.bounds(context.grid)
        let inner = try subquery.grid(
            first: first, last: last, defaultStep: context.options.defaultSubqueryStep)
        guard let inner else { return }
        let budget = context.budget
        // The memory is one row of values for each node that streams, and the samples of one series.
        let rows = inner.count &* (8 &* subquery.expression.nodeCount &+ 16)
        try budget.memory.charge(rows)
        // The samples inside only count as read; the points in the windows count as processed.
        let looked = budget.totalSamples
        let columns = try Evaluator.columns(subquery.expression, context.over(inner))
        if !countsInside { budget.setTotalSamples(looked) }
        defer {
            budget.release(columns, steps: inner.count)
            budget.memory.release(rows)
        }
        var samples = SampleColumns(capacity: inner.count)
        for column in columns.sorted(by: { $0.labels < $1.labels }) {
            try budget.check()
            points(of: column, inner, into: &samples)
            if samples.count > 0 { try body(Metric(column.labels, dropsName: column.dropsName), &samples, nil) }
        }
    }

    private func points(of column: Column, _ grid: StepGrid, into samples: inout SampleColumns) {
        samples.removeAll()
        for i in 0..<grid.count {
            let value = column.values[i]
            if Column.isFloat(value) {
                samples.append(grid.time(i), value)
            } else if Column.isHistogram(value), let box = column.histograms.isEmpty ? nil : column.histograms[i] {
                var histogram = box.histogram
                if histogram.resetHint == .reset || histogram.resetHint == .notReset {
                    histogram.resetHint = .unknown
                }
                samples.append(grid.time(i), histogram)
            }
        }
    }
}

extension Subquery {
    /// The times at which its expression is evaluated: the multiples of the step in all windows; nil if there are none.
    ///
    /// - Parameters:
    ///   - first: The end of the first window, ms.
    ///   - last: The end of the last window, ms.
    ///   - defaultStep: The step of a subquery without a step, ms.
    func grid(first: Int64, last: Int64, defaultStep: Int64) throws(QueryError) -> StepGrid? {
        let step = step > 0 ? step : defaultStep
        // The grid begins with the first multiple of the step after the exclusive start of the window.
        let left = first &- window
        var start = step &* (left / step)
        if start <= left { start = start &+ step }
        guard last >= start else { return nil }
        let count = (last &- start) / step + 1
        guard count < 50_000_000 else { throw QueryError.tooManySamples }
        return StepGrid(start: start, step: step, count: Int(count))
    }
}
