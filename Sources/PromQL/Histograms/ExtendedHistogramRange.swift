import Model

/// What `anchored` and `smoothed` do with a series that has native histograms.
struct ExtendedHistogramRange {
    let function: MixedRangeFunction
    /// How far outside of the window a neighbour may be, ms.
    let lookback: Int64

    /// Overwrites the steps of `out` whose windows see a histogram: how often an `anchored` range was reset or changed.
    func evaluate(_ series: MixedSeries, _ plan: WindowPlan, _ out: inout [Double]) {
        var cursor = MixedSeries.Cursor()
        for i in 0..<plan.grid.count {
            let end = plan.end(i)
            let start = end &- plan.length
            let window = series.window(start &- lookback, end, &cursor)
            guard !window.histograms.isEmpty else { continue }
            out[i] = value(window, start, end) ?? Column.absent
        }
    }

    /// What `resets` or `changes` finds between the sample before the window and its end.
    private func value(_ window: MixedWindow, _ start: Int64, _ end: Int64) -> Double? {
        let samples = window.merged
        let firstInside = samples.firstIndex { $0.time > start } ?? samples.count
        let endInside = samples.firstIndex { $0.time > end } ?? samples.count
        guard firstInside < endInside else { return nil }
        var points = samples[max(0, firstInside - 1)..<endInside].map(\.value)
        if firstInside == 0 { points.insert(samples[0].value, at: 0) }
        return function.name == "resets" ? function.resets(points) : function.changes(points)
    }

    /// The sample at `time`, interpolated between its neighbours; the one there is where the other is missing.
    func edge(
        _ samples: [(time: Int64, value: SampleValue)], _ time: Int64, after: Int
    ) -> SampleValue? {
        let before = after - 1
        guard before >= 0 else { return after < samples.count ? samples[after].value : nil }
        guard samples[before].time != time, after < samples.count else { return samples[before].value }
        let share = Double(time - samples[before].time) / Double(samples[after].time - samples[before].time)
        if case .float(let low) = samples[before].value, case .float(let high) = samples[after].value {
            let from = function.name != "delta" && high < low ? 0 : low
            return .float(from + (high - from) * share)
        }
        guard case .histogram(var low) = samples[before].value, case .histogram(let high) = samples[after].value else {
            return nil
        }
        if function.name != "delta", high.isReset(after: low) {
            low = FloatHistogram(schema: high.schema, customBounds: high.customBounds)
        }
        do throws(HistogramSum.IncompatibleLayouts) {
            var change = try high.subtracting(low).0
            change.multiply(by: share)
            var result = try low.adding(change).0
            result.resetHint = high.resetHint == .gauge ? .gauge : .unknown
            return .histogram(result.compacted())
        } catch {
            return nil
        }
    }
}
