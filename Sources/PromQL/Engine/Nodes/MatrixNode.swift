import Model

/// A range selector.
struct MatrixNode {
    let matrix: MatrixSelector

    /// Passes the samples of each series, without stale markers, for all windows at once.
    func series(_ context: EvaluationContext, _ body: RangeVectorNode.Body) throws {
        try context.traced(matrix.range) { context in
            let selector = matrix.selector
            let lookback = context.options.lookbackDelta
            let request = request(
                context.grid, before: selector.rangeExtension == nil ? 0 : lookback,
                after: selector.rangeExtension == .smoothed ? lookback : 0)
            let series = try context.select(request)
            let layouts = selector.showsEmptyBuckets ? ChunkLayouts(context.query, request) : nil
            var samples = SampleColumns()
            var reservation = MemoryReservation(context.budget)
            defer { reservation.release() }
            for index in 0..<series.count {
                try context.budget.check()
                try series.read(index, into: &samples)
                try reservation.charge(samples.heldBytes)
                RangeWindows.removeStale(&samples)
                guard samples.count > 0 else { continue }
                if selector.detectsResets {
                    ResetHints.detect(&samples)
                } else {
                    try layouts?.widen(&samples, of: series.labels(index))
                }
                try context.budget.probe(QueryBudget.samples(of: samples))
                context.trace.read(samples: samples.count)
                try context.trace.outside { try body(Metric(series, index), &samples, selector.rangeExtension) }
            }
            context.trace.read(cost: samples.cost)
        }
    }

    /// Computes a range function of each series, on several threads if there is much work; only for windows that are
    /// not extended.
    func evaluate(_ run: RangeFunctionRun, _ sink: SeriesSink) throws {
        try run.context.traced(matrix.range) { context in
            let (selector, budget, trace) = (matrix.selector, context.budget, context.trace)
            let request = request(context.grid)
            let series = try context.select(request)
            let layouts = selector.showsEmptyBuckets ? ChunkLayouts(context.query, request) : nil
            let maker = RangeColumns(
                set: series, plan: run.plan, parameters: run.parameters, seesStarts: run.seesStarts,
                perStep: budget.perStep)
            let (first, last) = selector.timeShift.bounds(context.grid)
            try context.produce(maker, count: series.count, span: last &- first &+ matrix.window) {
                index, made, values, scratch in
                try budget.check()
                switch made {
                case .nothing(let read, let counted):
                    try budget.probe(read)
                    budget.count(counted)
                    if read > 0 { trace.read(samples: read) }
                case .values(let read, let counted):
                    try budget.probe(read)
                    trace.read(samples: read)
                    budget.count(counted)
                    try trace.outside { try run.finish(Metric(series, index), values, [], sink) }
                case .apart, .failed:
                    if scratch.index != index { try maker.read(index, scratch) }
                    scratch.index = -1
                    if selector.detectsResets {
                        ResetHints.detect(&scratch.samples, run.plan)
                    } else {
                        try layouts?.widen(&scratch.samples, of: series.labels(index))
                    }
                    try budget.probe(QueryBudget.samples(of: scratch.samples))
                    trace.read(samples: scratch.samples.count)
                    try trace.outside { try run.evaluateMixed(Metric(series, index), scratch.samples, nil, sink) }
                }
            }
        }
    }

    /// The request for the samples of all windows.
    ///
    /// - Parameters:
    ///   - before: The time before the first window in which samples are needed, too, ms.
    ///   - after: The time after the last window in which samples are needed, too, ms.
    private func request(_ grid: StepGrid, before: Int64 = 0, after: Int64 = 0) -> SelectRequest {
        let (first, last) = matrix.selector.timeShift.bounds(grid)
        return SelectRequest(
            matchers: matrix.selector.matchers, minTime: first &- matrix.window &- before &+ 1,
            maxTime: last &+ after, isSorted: false)
    }
}
