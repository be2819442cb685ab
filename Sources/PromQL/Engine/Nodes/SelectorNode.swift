import Model

/// An instant selector: at each step the newest sample of the lookback window, which is open on the left.
struct SelectorNode {
    let selector: VectorSelector

    func stream(_ context: EvaluationContext, _ sink: SeriesSink) throws {
        if selector.rangeExtension == .smoothed {
            return try SmoothedSelectorNode(selector: selector).stream(context, sink)
        }
        let (grid, lookback) = (context.grid, context.options.lookbackDelta)
        let shift = selector.timeShift
        let (first, last) = shift.bounds(grid)
        let isSingle = grid.count == 1 || first == last
        let request = SelectRequest(
            matchers: selector.matchers, minTime: first &- lookback &+ 1, maxTime: last,
            newestOnly: isSingle && !selector.detectsResets, isSorted: false)
        let series = try context.select(request)
        let layouts = selector.showsEmptyBuckets ? ChunkLayouts(context.query, request) : nil
        let maker = InstantColumns(set: series, grid: grid, shift: shift, lookback: lookback)
        let (budget, trace) = (context.budget, context.trace)
        try context.produce(maker, count: series.count, span: isSingle ? 0 : last &- first &+ lookback) {
            index, made, values, scratch in
            try budget.check()
            switch made {
            case .nothing(let read, _): if read > 0 { trace.read(samples: read) }
            case .values(let read, let counted):
                trace.read(samples: read)
                budget.count(counted)
                budget.perStep?.add(values, [], grid, isFixed: shift.isFixed)
                try sink(Metric(series, index), values, [])
            case .apart, .failed:
                if scratch.index != index { try series.read(index, into: &scratch.samples) }
                scratch.index = -1
                trace.read(samples: scratch.samples.count)
                if selector.detectsResets {
                    ResetHints.detect(&scratch.samples)
                } else {
                    try layouts?.widen(&scratch.samples, of: series.labels(index))
                }
                try mixed(scratch.samples, maker, budget) { try sink(Metric(series, index), $0, $1) }
            }
        }
    }

    /// Passes the values of a series with histograms to `body`, if there are any.
    private func mixed(
        _ samples: borrowing SampleColumns, _ maker: InstantColumns, _ budget: QueryBudget,
        _ body: (UnsafeBufferPointer<Double>, [HistogramBox?]) throws -> Void
    ) throws {
        let isFixed = maker.shift.isFixed
        var out = [Double](repeating: Column.absent, count: maker.grid.count)
        let found = out.withUnsafeMutableBufferPointer { buffer in
            buffer.baseAddress.map { maker.pick(samples, $0) } ?? 0
        }
        guard found > 0 else { return }
        let histograms = maker.pickHistograms(samples, into: &out)
        let costs = histograms.map { $0.map { $0.histogram.sampleCost - 1 } ?? 0 }
        let looked = found + costs.reduce(0, +)
        budget.count(SampleCount(looked: looked, new: isFixed ? 1 + (costs.first ?? 0) : looked))
        try out.withUnsafeBufferPointer {
            budget.perStep?.add($0, histograms, maker.grid, isFixed: isFixed)
            try body($0, histograms)
        }
    }
}
