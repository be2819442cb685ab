import Model

extension RangeFunctionRun {
    /// Evaluates a range function over all steps for a series with native histograms.
    ///
    /// - Parameter out: Receives a value per step.
    /// - Returns: The histograms among the results; empty if there are none.
    func evaluateHistograms(
        _ samples: borrowing SampleColumns, metric: String, _ extended: RangeExtension?, _ out: inout [Double]
    ) throws -> [HistogramBox?] {
        work.beginSeries()
        let options = context.query.options
        let mixed = MixedRangeFunction(
            function: plan.function, metric: metric, range: place, annotations: context.annotations)
        let takesHistograms = extended == nil && call.function.traits.contains(.histograms)
        let seesStarts = extended == nil && options.usesStartTimes && call.function.traits.contains(.startTimes)
        let series = MixedSeries(samples, seesStarts: seesStarts)
        try floatWindows(mixed, series, extended, &out)
        if let extended {
            let range = ExtendedHistogramRange(function: mixed, kind: extended, lookback: options.lookbackDelta)
            var seen = Int64.min
            return try range.evaluate(series, plan, work, &out) { count($0, after: &seen, at: $1) }
        }
        var result: [HistogramBox?] = []
        var cursor = MixedSeries.Cursor()
        var seen = Int64.min
        for i in 0..<plan.grid.count {
            let end = plan.end(i)
            let window = series.window(end &- plan.length, end, &cursor)
            count(window, after: &seen, at: i)
            try work.look(at: window.count)
            guard !window.histograms.isEmpty else { continue }
            guard takesHistograms else {
                if window.isMixed {
                    context.annotations.info(HistogramAnnotation.ignoredInMixedRange(metric), at: place)
                }
                continue
            }
            switch try mixed.apply(window, work) {
            case nil: out[i] = Column.absent
            case .float(let value): out[i] = value
            case .histogram(let histogram):
                // `first_over_time` and `last_over_time` make no new histogram.
                if plan.function != .first, plan.function != .last { try work.make(from: histogram) }
                if result.isEmpty { result = [HistogramBox?](repeating: nil, count: plan.grid.count) }
                out[i] = Column.histogramMark
                result[i] = HistogramBox(histogram)
            }
        }
        return result
    }

    /// Counts the samples of a window, and those after `seen`, the end of the previous window, as new.
    private func count(_ window: MixedWindow, after seen: inout Int64, at step: Int) {
        context.count(SampleCount(looked: window.cost, new: window.cost(after: seen)), at: step)
        seen = max(seen, window.end)
    }

    /// Evaluates the function on the floats only.
    private func floatWindows(
        _ function: MixedRangeFunction, _ series: MixedSeries, _ extended: RangeExtension?, _ out: inout [Double]
    ) throws {
        guard !series.floats.isEmpty else {
            for i in out.indices { out[i] = Column.absent }
            return
        }
        var floats = SampleColumns(capacity: series.floats.count)
        for i in series.floats.indices { floats.append(series.floatTimes[i], series.floats[i]) }
        if let extended {
            let lookback = context.query.options.lookbackDelta
            try ExtendedRange(plan, extended, lookback: lookback).evaluate(floats, into: &out)
        } else if !series.starts.isEmpty {
            floats.starts = series.starts
            var windows = StartTimeWindows()
            var cursor = MixedSeries.Cursor()
            try windows.evaluate(floats, plan, WindowTable(floats, plan), &out) { step in
                let end = plan.end(step)
                return series.window(end &- plan.length, end, &cursor).histograms.isEmpty
            }
            if windows.hasOverlap {
                context.annotations.warn(StartTimeWindows.overlapWarning(function.metric), at: function.range)
            }
        } else {
            var resets: [Int32] = []
            let table = WindowTable(floats, plan)
            try out.withUnsafeMutableBufferPointer {
                try FloatWindows.evaluate(floats, plan, table, parameters, &resets, $0)
            }
        }
    }
}
