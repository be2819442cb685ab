import Model

/// `rate`, `increase` and `delta` of a window of histograms.
extension MixedRangeFunction {
    /// The last minus the first sample, extrapolated to the window; nil if there are too few samples, or if their
    /// buckets are incompatible.
    ///
    /// A counter that is known to have begun within the window was empty then: one sample suffices, and nothing is
    /// extrapolated before it.
    func extrapolatedRate(
        _ window: MixedWindow, _ work: HistogramWork
    ) throws -> SampleValue? {
        guard let first = window.histograms.first, let firstTime = window.histogramTimes.first,
            let lastTime = window.histogramTimes.last
        else { return nil }
        let isCounter = function != .delta
        let begin = isCounter ? window.starts.begin(of: firstTime, after: window.start) : nil
        guard window.histograms.count >= 2 || begin != nil else { return nil }
        guard var result = try difference(window, isCounter: isCounter, from: begin, work) else { return nil }
        var toStart = begin == nil ? Double(firstTime - window.start) / 1000 : 0
        var toEnd = Double(window.end - lastTime) / 1000
        let sampled = Double(lastTime - (begin ?? firstTime)) / 1000
        let average = Double(lastTime - firstTime) / 1000 / Double(max(1, window.histograms.count - 1))
        let threshold = average * 1.1
        if begin == nil {
            if toStart >= threshold { toStart = average / 2 }
            if isCounter, result.count > 0, first.histogram.count >= 0 {
                toStart = min(toStart, sampled * (first.histogram.count / result.count))
            }
        }
        if toEnd >= threshold { toEnd = average / 2 }
        var factor = sampled == 0 ? 1 : (sampled + toStart + toEnd) / sampled
        if function == .rate { factor /= Double(window.end - window.start) / 1000 }
        result.multiply(by: factor)
        return .histogram(result)
    }

    /// The last minus the first sample, for counters with the counts before resets added; a compacted gauge.
    ///
    /// - Parameter begin: The time when the counter was empty before the first sample, ms, if it is known.
    private func difference(
        _ window: MixedWindow, isCounter: Bool, from begin: Int64?, _ work: HistogramWork
    ) throws -> FloatHistogram? {
        let points = window.histograms.map(\.histogram)
        guard let last = points.last, let first = points.first else { return nil }
        for point in [first, last] { try work.look(at: point) }
        var previous = first
        if isCounter {
            if first.resetHint == .gauge || last.resetHint == .gauge {
                annotations.warn(HistogramAnnotation.notCounter(metric), at: range)
            }
            // The sample before a reset directly after the first sample does not matter, not even its layout.
            if points.count >= 2, isReset(points, 1, after: previous, window) {
                previous = FloatHistogram(schema: points[1].schema, customBounds: points[1].customBounds)
            }
        }
        guard last.usesCustomBuckets == previous.usesCustomBuckets else {
            annotations.warn(HistogramAnnotation.mixedLayouts(metric), at: range)
            return nil
        }
        var schema = min(previous.schema, last.schema)
        if isCounter {
            for point in points.dropFirst().dropLast() {
                if point.resetHint == .gauge { annotations.warn(HistogramAnnotation.notCounter(metric), at: range) }
                schema = min(schema, point.schema)
                if point.usesCustomBuckets != last.usesCustomBuckets {
                    annotations.warn(HistogramAnnotation.mixedLayouts(metric), at: range)
                    return nil
                }
            }
        }
        guard var result = subtract(previous, from: last.reduced(to: schema)) else { return nil }
        if isCounter {
            guard let sum = try addLost(points, after: previous, to: result, window, work) else { return nil }
            result = sum
            if begin != nil {
                guard let sum = add(first, to: result) else { return nil }
                result = sum
            }
        } else if first.resetHint != .gauge || last.resetHint != .gauge {
            annotations.warn(HistogramAnnotation.notGauge(metric), at: range)
        }
        result.resetHint = .gauge
        result.compact()
        return result
    }

    /// `result` with the counts before each reset added; nil if buckets are incompatible.
    ///
    /// - Parameter first: The sample in place of the first of `points`.
    private func addLost(
        _ points: [FloatHistogram], after first: FloatHistogram, to result: FloatHistogram, _ window: MixedWindow,
        _ work: HistogramWork
    ) throws -> FloatHistogram? {
        var (result, previous, hasOverlap) = (result, first, false)
        for i in points.indices.dropFirst() {
            try work.look(at: points[i])
            let (before, now) = times(window, i)
            hasOverlap = hasOverlap || window.starts.overlap(between: before, and: now)
            if isReset(points, i, after: previous, window) {
                guard let sum = add(previous, to: result) else { return nil }
                result = sum
            }
            previous = points[i]
        }
        if hasOverlap { annotations.warn(StartTimeWindows.overlapWarning(metric), at: range) }
        return result
    }

    /// Whether the counter was reset before sample `i`, by its buckets, its hint or its start timestamp.
    private func isReset(
        _ points: [FloatHistogram], _ i: Int, after previous: FloatHistogram, _ window: MixedWindow
    ) -> Bool {
        let (before, now) = times(window, i)
        return window.starts.hasReset(between: before, and: now) || points[i].isReset(after: previous)
    }

    /// The times of the samples `i` − 1 and `i`.
    private func times(_ window: MixedWindow, _ i: Int) -> (Int64, Int64) {
        let first = window.histogramTimes.startIndex
        return (window.histogramTimes[first + i - 1], window.histogramTimes[first + i])
    }
}
