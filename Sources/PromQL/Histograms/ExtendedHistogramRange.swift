import Model

/// The `anchored` and `smoothed` windows of a series with native histograms.
struct ExtendedHistogramRange {
    let function: MixedRangeFunction
    let kind: RangeExtension
    /// The longest distance of a neighbour outside of the window, ms.
    let lookback: Int64

    private var isSmoothed: Bool { kind == .smoothed }
    private var isCounter: Bool { function.function != .delta }

    /// Evaluates the function in all windows with a histogram.
    ///
    /// - Parameters:
    ///   - out: The results of windows of floats; the steps of all other windows are overwritten.
    ///   - counted: Receives the size of each window, in samples.
    /// - Returns: The histograms among the results; empty if there are none.
    func evaluate(
        _ series: MixedSeries, _ plan: WindowPlan, _ work: HistogramWork, _ out: inout [Double],
        counted: (MixedWindow, Int) -> Void
    ) throws -> [HistogramBox?] {
        var cursor = MixedSeries.Cursor()
        var result: [HistogramBox?] = []
        for i in 0..<plan.grid.count {
            let end = plan.end(i)
            let start = end &- plan.length
            let window = series.window(start &- lookback, isSmoothed ? end &+ lookback : end, &cursor)
            counted(window, i)
            try work.look(at: window.count)
            guard !window.histograms.isEmpty else { continue }
            out[i] = Column.absent
            switch try value(window, start, end, work) {
            case nil: break
            case .float(let value): out[i] = value
            case .histogram(let histogram):
                try work.make(from: histogram)
                if result.isEmpty { result = [HistogramBox?](repeating: nil, count: plan.grid.count) }
                out[i] = Column.histogramMark
                result[i] = HistogramBox(histogram)
            }
        }
        return result
    }

    private func value(
        _ window: MixedWindow, _ start: Int64, _ end: Int64, _ work: HistogramWork
    ) throws -> SampleValue? {
        if function.function == .resets || function.function == .changes {
            return try events(window, start, end, work).map { .float($0) }
        }
        if window.isMixed {
            function.annotations.warn(HistogramAnnotation.mixedFloats(function.metric), at: function.range)
            return nil
        }
        return try rate(Array(window.histogramTimes), window.histograms.map(\.histogram), start, end, work)
            .map { .histogram($0) }
    }

    /// The number of `resets` or `changes` between the sample before the window and its end.
    private func events(
        _ window: MixedWindow, _ start: Int64, _ end: Int64, _ work: HistogramWork
    ) throws -> Double? {
        let samples = window.merged
        let firstInside = samples.firstIndex { $0.time > start } ?? samples.count
        let endInside = samples.firstIndex { $0.time > end } ?? samples.count
        guard firstInside < endInside else { return nil }
        var points = Array(samples[max(0, firstInside - 1)..<endInside])
        if firstInside == 0 { points.insert(samples[0], at: 0) }
        return function.function == .resets
            ? try function.resets(points, window.starts, work) : try function.changes(points, work)
    }

    // MARK: rate, increase, delta

    /// The change between the window's edges; nil if there is none, or if buckets are incompatible.
    private func rate(
        _ times: [Int64], _ points: [FloatHistogram], _ start: Int64, _ end: Int64, _ work: HistogramWork
    ) throws -> FloatHistogram? {
        // The first sample is the last one at or before the start, if there is one. With `smoothed`, the last sample is
        // the first one at or after the end, if there is one.
        let final = points.count - 1
        let first = max(0, (times[..<final].firstIndex { $0 > start } ?? final) - 1)
        let last = isSmoothed ? times[..<final].firstIndex { $0 >= end } ?? final : final
        guard times[last] > start, !isSmoothed || times[first] <= end else { return nil }
        guard fit(points[first...last]) else { return nil }
        for at in [first, last] { try work.look(at: points[at]) }
        guard
            let left = isSmoothed && times[first] < start
                ? interpolated(times, points, before: first, at: start, isCounter: isCounter) : points[first],
            let right = isSmoothed && last > 0 && times[last] > end
                ? interpolated(times, points, before: last - 1, at: end, isCounter: isCounter) : points[last]
        else { return nil }
        if !isCounter, left.resetHint != .gauge || right.resetHint != .gauge {
            function.annotations.warn(HistogramAnnotation.notGauge(function.metric), at: function.range)
        }
        guard var result = function.subtract(left, from: right) else { return nil }
        if isCounter {
            // The left edge was interpolated across a reset, so that it includes the reset.
            let isAcross = isSmoothed && times[first] < start && points[first + 1].isReset(after: points[first])
            let inner = (first + (isAcross ? 2 : 1))..<max(last, first + (isAcross ? 2 : 1))
            if !isAcross || first + 2 <= last {
                let before = isAcross ? points[first + 1] : left
                guard let corrected = try addLost(points[inner] + [right], after: before, to: result, work)
                else { return nil }
                result = corrected
            }
        }
        if function.function == .rate { result.divide(by: Double(end - start) / 1000) }
        result.resetHint = .gauge
        return result.compacted()
    }

    /// Whether all histograms have the same kind of buckets.
    ///
    /// Adds an annotation for gauges in a function for counters.
    private func fit(_ points: ArraySlice<FloatHistogram>) -> Bool {
        for point in points {
            if point.usesCustomBuckets != points.first?.usesCustomBuckets {
                function.annotations.warn(HistogramAnnotation.mixedLayouts(function.metric), at: function.range)
                return false
            }
            if isCounter, point.resetHint == .gauge {
                function.annotations.warn(HistogramAnnotation.notCounter(function.metric), at: function.range)
            }
        }
        return true
    }

    /// `result` with the counts before each reset added; nil if buckets are incompatible.
    private func addLost(
        _ points: ArraySlice<FloatHistogram>, after first: FloatHistogram, to result: FloatHistogram,
        _ work: HistogramWork
    ) throws -> FloatHistogram? {
        var lost: FloatHistogram?
        var previous = first
        for point in points {
            try work.look(at: point)
            if point.isReset(after: previous) {
                if let before = lost {
                    guard let sum = function.add(previous, to: before) else { return nil }
                    lost = sum
                } else {
                    lost = previous
                }
            }
            previous = point
        }
        guard let lost else { return result }
        return function.add(lost, to: result)
    }

    /// The histogram at `time`, linearly interpolated between the sample at `index` and the next; nil if their buckets
    /// are incompatible.
    private func interpolated(
        _ times: [Int64], _ points: [FloatHistogram], before index: Int, at time: Int64, isCounter: Bool
    ) -> FloatHistogram? {
        let (low, high) = (points[index], points[index + 1])
        if time == times[index] { return low }
        if time == times[index + 1] { return high }
        let share = Double(time - times[index]) / Double(times[index + 1] - times[index])
        if isCounter, high.isReset(after: low) {
            // After a reset the counter is assumed to begin with zero at the time of the earlier sample.
            var result = high
            result.multiply(by: share)
            return result
        }
        guard var change = function.subtract(low, from: high) else { return nil }
        change.multiply(by: share)
        return function.add(low, to: change)
    }

    // MARK: Instants

    /// The sample at `time` of a `smoothed` selector, interpolated between its neighbours; the earlier one where there
    /// is no later.
    func sample(_ samples: [MixedWindow.Sample], at time: Int64, _ work: HistogramWork) throws -> SampleValue? {
        let after = samples.firstIndex { $0.time > time } ?? samples.count
        guard after > 0 else { return nil }
        let before = samples[after - 1]
        guard before.time != time, after < samples.count else { return before.value }
        let later = samples[after]
        switch (before.value, later.value) {
        case (.float(let low), .float(let high)):
            return .float(low + (high - low) * (Double(time - before.time) / Double(later.time - before.time)))
        case (.histogram(let low), .histogram(let high)):
            guard fit([low, high]) else { return nil }
            for histogram in [low, high] { try work.look(at: histogram) }
            // Samples of a counter are assumed unless both histograms are gauges.
            let isCounter = low.resetHint != .gauge || high.resetHint != .gauge
            return interpolated([before.time, later.time], [low, high], before: 0, at: time, isCounter: isCounter)
                .map { .histogram($0) }
        default: return nil
        }
    }
}
