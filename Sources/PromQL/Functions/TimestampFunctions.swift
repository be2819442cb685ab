import Model

/// `timestamp` and `start_timestamp`.
struct TimestampFunctions {
    let argument: Expression
    let context: EvaluationContext
    /// Whether it returns the start timestamp, which only samples of selectors have.
    let isStart: Bool

    /// The time of the sample of a selector; the step's time for any other expression.
    func stream(_ sink: SeriesSink) throws {
        var plain = argument
        while case .parentheses(let e) = plain { plain = e.expression }
        if case .selector(let selector) = plain { return try sampleTimes(selector, sink) }
        if !isStart { try stepTimes(sink) }
    }

    private func stepTimes(_ sink: SeriesSink) throws {
        let grid = context.grid
        var out = [Double](repeating: 0, count: grid.count)
        try Evaluator.stream(argument, context) { metric, values, _ in
            for i in 0..<grid.count {
                out[i] = Column.isPresent(values[i]) ? Double(grid.time(i)) / 1000 : Column.absent
            }
            try out.withUnsafeBufferPointer { try sink(context.nameless(metric), $0, []) }
        }
    }

    private func sampleTimes(_ selector: VectorSelector, _ sink: SeriesSink) throws {
        let (grid, lookback, shift) = (context.grid, context.options.lookbackDelta, selector.timeShift)
        let (first, last) = shift.bounds(grid)
        let series = try context.select(
            SelectRequest(
                matchers: selector.matchers, minTime: first &- lookback &+ 1, maxTime: last, isSorted: false))
        var samples = SampleColumns()
        var out = [Double](repeating: 0, count: grid.count)
        for index in 0..<series.count {
            try context.budget.check()
            try series.read(index, into: &samples)
            let stale = Set(samples.histograms.filter { Staleness.isMarker($0.histogram.sum) }.map(\.index))
            var position = -1
            for i in 0..<grid.count {
                let time = shift.time(i, of: grid)
                while position + 1 < samples.count, samples.timestamps[position + 1] <= time { position += 1 }
                let isThere =
                    position >= 0 && samples.timestamps[position] > time &- lookback
                    && !Staleness.isMarker(samples.values[position]) && !stale.contains(position)
                guard isThere else {
                    out[i] = Column.absent
                    continue
                }
                let found = samples.timestamps[position]
                out[i] = Double(isStart ? samples.starts.start(at: found) : found) / 1000
            }
            try out.withUnsafeBufferPointer { try sink(context.nameless(Metric(series, index)), $0, []) }
        }
    }
}
