import Model

/// A `smoothed` instant selector, which interpolates between neighbours within the lookback on both sides.
struct SmoothedSelectorNode {
    let selector: VectorSelector

    func stream(_ context: EvaluationContext, _ sink: SeriesSink) throws {
        let lookback = context.options.lookbackDelta
        let (first, last) = selector.timeShift.bounds(context.grid)
        let series = try context.select(
            SelectRequest(
                matchers: selector.matchers, minTime: first &- lookback &+ 1, maxTime: last &+ lookback,
                isSorted: false))
        var samples = SampleColumns()
        var reservation = MemoryReservation(context.budget)
        let work = HistogramWork(context.budget)
        defer {
            work.release()
            reservation.release()
        }
        var out = [Double](repeating: Column.absent, count: context.grid.count)
        for index in 0..<series.count {
            try context.budget.check()
            try series.read(index, into: &samples)
            try reservation.charge(samples.heldBytes)
            guard samples.count > 0 else { continue }
            RangeWindows.removeStale(&samples)
            var mixed: [HistogramBox?] = []
            if samples.histograms.isEmpty {
                floats(samples, context, &out)
            } else {
                mixed = try histograms(samples, metric: series.labels(index).metricName, context, work, &out)
            }
            try out.withUnsafeBufferPointer { try sink(Metric(series, index), $0, mixed) }
        }
    }

    private func floats(_ samples: borrowing SampleColumns, _ context: EvaluationContext, _ out: inout [Double]) {
        let (lookback, shift) = (context.options.lookbackDelta, selector.timeShift)
        var position = -1
        for i in 0..<context.grid.count {
            let time = shift.time(i, of: context.grid)
            while position + 1 < samples.count, samples.timestamps[position + 1] <= time { position += 1 }
            out[i] = Column.absent
            guard position >= 0, samples.timestamps[position] > time &- lookback else { continue }
            let (t1, y1) = (samples.timestamps[position], samples.values[position])
            if t1 == time || position + 1 >= samples.count || samples.timestamps[position + 1] > time &+ lookback {
                out[i] = y1
            } else {
                let (t2, y2) = (samples.timestamps[position + 1], samples.values[position + 1])
                out[i] = y1 + (y2 - y1) * Double(time - t1) / Double(t2 - t1)
            }
        }
    }

    /// Computes the values of a series that has histograms.
    private func histograms(
        _ samples: borrowing SampleColumns, metric: String, _ context: EvaluationContext, _ work: HistogramWork,
        _ out: inout [Double]
    ) throws -> [HistogramBox?] {
        work.beginSeries()
        let (lookback, shift) = (context.options.lookbackDelta, selector.timeShift)
        let range = ExtendedHistogramRange(
            function: MixedRangeFunction(
                function: .delta, metric: metric, range: selector.range, annotations: context.annotations),
            kind: .smoothed, lookback: lookback)
        let series = MixedSeries(samples)
        var cursor = MixedSeries.Cursor()
        var result = [HistogramBox?](repeating: nil, count: context.grid.count)
        for i in 0..<context.grid.count {
            let time = shift.time(i, of: context.grid)
            let near = series.window(time &- lookback, time &+ lookback, &cursor).merged
            try work.look(at: near.count)
            out[i] = Column.absent
            guard let sample = try range.sample(near, at: time, work) else { continue }
            switch sample {
            case .float(let value): out[i] = value
            case .histogram(let histogram):
                try work.make(from: histogram)
                out[i] = Column.histogramMark
                result[i] = HistogramBox(histogram)
            }
        }
        return result
    }
}
