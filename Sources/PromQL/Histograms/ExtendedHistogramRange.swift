import Model

/// `anchored` and `smoothed` ranges of a series that has native histograms.
struct ExtendedHistogramRange {
    let function: MixedRangeFunction
    let extended: RangeExtension
    /// How far outside of the window a neighbour may be, ms.
    let lookback: Int64

    /// Overwrites the steps of `out` whose windows see a histogram.
    ///
    /// - Returns: The histograms among the results; empty if there are none.
    func evaluate(_ series: MixedSeries, _ plan: WindowPlan, _ out: inout [Double]) -> [HistogramBox?] {
        let after = extended == .smoothed ? lookback : 0
        var cursor = MixedSeries.Cursor()
        var result: [HistogramBox?] = []
        for i in 0..<plan.grid.count {
            let end = plan.end(i)
            let start = end &- plan.length
            let window = series.window(start &- lookback, end &+ after, &cursor)
            guard !window.histograms.isEmpty else { continue }
            out[i] = Column.absent
            switch value(window, start, end) {
            case nil: break
            case .float(let value): out[i] = value
            case .histogram(let histogram):
                if result.isEmpty { result = [HistogramBox?](repeating: nil, count: plan.grid.count) }
                out[i] = Column.histogramMark
                result[i] = HistogramBox(histogram)
            }
        }
        return result
    }

    private func value(_ window: MixedWindow, _ start: Int64, _ end: Int64) -> SampleValue? {
        let samples = window.merged
        let firstInside = samples.firstIndex { $0.time > start } ?? samples.count
        let endInside = samples.firstIndex { $0.time > end } ?? samples.count
        guard firstInside < samples.count, samples[firstInside].time <= end || extended == .anchored else { return nil }
        var points: [SampleValue]
        if extended == .anchored {
            guard firstInside < endInside else { return nil }
            points = samples[max(0, firstInside - 1)..<endInside].map(\.value)
            if firstInside == 0 { points.insert(samples[0].value, at: 0) }
        } else {
            points = samples[firstInside..<endInside].map(\.value)
            guard let left = edge(samples, start, after: firstInside), let right = edge(samples, end, after: endInside)
            else { return mixed() }
            points = [left] + points + [right]
        }
        switch function.name {
        case "resets": return .float(function.resets(points))
        case "changes": return .float(function.changes(points))
        default: break
        }
        var boxes: [HistogramBox] = []
        for point in points {
            guard case .histogram(let histogram) = point else { return mixed() }
            boxes.append(HistogramBox(histogram))
        }
        guard boxes.count >= 2, var result = function.difference(boxes[...], isCounter: function.name != "delta")
        else { return nil }
        if function.name == "rate" { result.divide(by: Double(end - start) / 1000) }
        return .histogram(result)
    }

    private func mixed() -> SampleValue? {
        function.annotations.warn(HistogramRemark.mixedFloats(function.metric), at: function.range)
        return nil
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
