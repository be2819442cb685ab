import Model

/// Range functions that take histograms, on the windows of a series that has some.
struct MixedRangeFunction {
    let name: String
    /// The series' metric name, for remarks.
    let metric: String
    /// Place of the range argument, for remarks.
    let range: TextRange
    let annotations: Annotations

    /// The functions that take histograms; all others see only the floats.
    static let names: Set<String> = [
        "rate", "increase", "delta", "irate", "idelta", "sum_over_time", "avg_over_time", "count_over_time",
        "present_over_time", "first_over_time", "last_over_time", "ts_of_first_over_time", "ts_of_last_over_time",
        "resets", "changes", "absent_over_time",
    ]

    /// The function's value of a window that is not empty; nil if there is none.
    ///
    /// Windows of floats alone give nil for the functions that compute: the caller has faster code for them.
    func apply(_ window: MixedWindow) -> SampleValue? {
        switch name {
        case "count_over_time": return .float(Double(window.count))
        case "present_over_time", "absent_over_time": return .float(1)
        case "resets": return .float(resets(window.merged.map(\.value)))
        case "changes": return .float(changes(window.merged.map(\.value)))
        case "first_over_time": return first(window)
        case "last_over_time": return last(window)
        case "ts_of_first_over_time":
            let time = min(window.floatTimes.first ?? .max, window.histogramTimes.first ?? .max)
            return .float(Double(time) / 1000)
        case "ts_of_last_over_time":
            let time = max(window.floatTimes.last ?? .min, window.histogramTimes.last ?? .min)
            return .float(Double(time) / 1000)
        case "irate", "idelta": return instantRate(window)
        default: break
        }
        if window.isMixed {
            annotations.warn(HistogramRemark.mixedFloats(metric), at: range)
            return nil
        }
        switch name {
        case "rate", "increase", "delta": return extrapolatedRate(window)
        case "sum_over_time", "avg_over_time": return combined(window)
        default: return nil
        }
    }

    private func first(_ window: MixedWindow) -> SampleValue? {
        guard let time = window.histogramTimes.first, let box = window.histograms.first else {
            return window.floats.first.map { .float($0) }
        }
        if let floatTime = window.floatTimes.first, let float = window.floats.first, floatTime < time {
            return .float(float)
        }
        return .histogram(box.histogram)
    }

    private func last(_ window: MixedWindow) -> SampleValue? {
        guard let time = window.histogramTimes.last, let box = window.histograms.last else {
            return window.floats.last.map { .float($0) }
        }
        if let floatTime = window.floatTimes.last, let float = window.floats.last, floatTime > time {
            return .float(float)
        }
        return .histogram(box.histogram)
    }

    /// How often a sample begins anew, a change of kind included.
    func resets(_ samples: [SampleValue]) -> Double {
        count(samples) { previous, current in
            switch (previous, current) {
            case (.float(let a), .float(let b)): b < a
            case (.histogram(let a), .histogram(let b)): b.isReset(after: a)
            default: true
            }
        }
    }

    /// How often a sample differs from the one before.
    func changes(_ samples: [SampleValue]) -> Double {
        count(samples) { previous, current in
            switch (previous, current) {
            case (.float(let a), .float(let b)): a != b && !(a.isNaN && b.isNaN)
            case (.histogram(let a), .histogram(let b)): !(a == b)
            default: true
            }
        }
    }

    private func count(_ samples: [SampleValue], _ isEvent: (SampleValue, SampleValue) -> Bool) -> Double {
        var count = 0
        for i in samples.indices.dropFirst() where isEvent(samples[i - 1], samples[i]) { count += 1 }
        return Double(count)
    }

    /// `sum_over_time` and `avg_over_time` of histograms.
    private func combined(_ window: MixedWindow) -> SampleValue? {
        guard !window.histograms.isEmpty else { return nil }
        var accumulator = HistogramAccumulator(isAverage: name == "avg_over_time")
        for box in window.histograms {
            do throws(HistogramSum.IncompatibleLayouts) {
                if try accumulator.add(box.histogram).contains(.boundsReconciled) {
                    annotations.info(HistogramRemark.boundsReconciled(.aggregation), at: range)
                }
            } catch {
                annotations.warn(HistogramRemark.mixedLayouts(metric), at: range)
                return nil
            }
        }
        if accumulator.hasResetCollision {
            annotations.warn(HistogramRemark.resetCollision(.aggregation), at: range)
        }
        return accumulator.result.map { .histogram($0) }
    }

    /// `irate` and `idelta` of the last two samples, of either kind.
    private func instantRate(_ window: MixedWindow) -> SampleValue? {
        let samples = window.merged
        guard samples.count >= 2 else { return nil }
        let (before, last) = (samples[samples.count - 2], samples[samples.count - 1])
        let seconds = Double(last.time - before.time) / 1000
        guard seconds != 0 else { return nil }
        let isRate = name == "irate"
        switch (before.value, last.value) {
        case (.float(let a), .float(let b)):
            let difference = isRate && b < a ? b : b - a
            return .float(isRate ? difference / seconds : difference)
        case (.histogram(let a), .histogram(let b)):
            if isRate, a.resetHint == .gauge || b.resetHint == .gauge {
                annotations.warn(HistogramRemark.notCounter(metric), at: range)
            }
            if !isRate, a.resetHint != .gauge || b.resetHint != .gauge {
                annotations.warn(HistogramRemark.notGauge(metric), at: range)
            }
            var result = b
            if !isRate || !b.isReset(after: a) {
                guard let difference = subtract(a, from: b) else { return nil }
                result = difference
            }
            result.resetHint = .gauge
            result.compact()
            if isRate { result.divide(by: seconds) }
            return .histogram(result)
        default:
            annotations.warn(HistogramRemark.mixedFloats(metric), at: range)
            return nil
        }
    }

    /// `b` minus `a`; nil, with a remark, if their buckets do not fit.
    func subtract(_ a: FloatHistogram, from b: FloatHistogram) -> FloatHistogram? {
        do throws(HistogramSum.IncompatibleLayouts) {
            let (result, notes) = try b.subtracting(a)
            if notes.contains(.boundsReconciled) {
                annotations.info(HistogramRemark.boundsReconciled(.subtraction), at: range)
            }
            return result
        } catch {
            annotations.warn(HistogramRemark.mixedLayouts(metric), at: range)
            return nil
        }
    }

    /// The sum of `b` and `a`; nil, with a remark, if their buckets do not fit.
    func add(_ a: FloatHistogram, to b: FloatHistogram) -> FloatHistogram? {
        do throws(HistogramSum.IncompatibleLayouts) {
            let (result, notes) = try b.adding(a)
            if notes.contains(.boundsReconciled) {
                annotations.info(HistogramRemark.boundsReconciled(.addition), at: range)
            }
            return result
        } catch {
            annotations.warn(HistogramRemark.mixedLayouts(metric), at: range)
            return nil
        }
    }

    /// `rate`, `increase` and `delta` of histograms, extrapolated to the window.
    private func extrapolatedRate(_ window: MixedWindow) -> SampleValue? {
        guard window.histograms.count >= 2, let firstTime = window.histogramTimes.first,
            let lastTime = window.histogramTimes.last, let first = window.histograms.first
        else { return nil }
        let isCounter = name != "delta"
        guard var result = difference(window.histograms, isCounter: isCounter) else { return nil }
        var toStart = Double(firstTime - window.start) / 1000
        var toEnd = Double(window.end - lastTime) / 1000
        let sampled = Double(lastTime - firstTime) / 1000
        let average = sampled / Double(window.histograms.count - 1)
        let threshold = average * 1.1
        if toStart >= threshold { toStart = average / 2 }
        if isCounter {
            var toZero = toStart
            if result.count > 0, first.histogram.count >= 0 {
                toZero = sampled * (first.histogram.count / result.count)
            }
            if toZero < toStart { toStart = toZero }
        }
        if toEnd >= threshold { toEnd = average / 2 }
        var factor = sampled == 0 ? 1 : (sampled + toStart + toEnd) / sampled
        if name == "rate" { factor /= Double(window.end - window.start) / 1000 }
        result.multiply(by: factor)
        return .histogram(result)
    }

    /// Last minus first of at least two, with what was lost in resets added for counters; a compacted gauge.
    func difference(_ boxes: ArraySlice<HistogramBox>, isCounter: Bool) -> FloatHistogram? {
        let points = boxes.map(\.histogram)
        guard let last = points.last, let first = points.first else { return nil }
        var previous = first
        if isCounter {
            if first.resetHint == .gauge || last.resetHint == .gauge {
                annotations.warn(HistogramRemark.notCounter(metric), at: range)
            }
            // What was before a reset right after the first sample does not matter, not even its layout.
            if points[1].isReset(after: previous) {
                previous = FloatHistogram(schema: points[1].schema, customBounds: points[1].customBounds)
            }
        }
        guard last.usesCustomBuckets == previous.usesCustomBuckets else {
            annotations.warn(HistogramRemark.mixedLayouts(metric), at: range)
            return nil
        }
        var schema = min(previous.schema, last.schema)
        if isCounter {
            for point in points[1..<(points.count - 1)] {
                if point.resetHint == .gauge { annotations.warn(HistogramRemark.notCounter(metric), at: range) }
                schema = min(schema, point.schema)
                if point.usesCustomBuckets != last.usesCustomBuckets {
                    annotations.warn(HistogramRemark.mixedLayouts(metric), at: range)
                    return nil
                }
            }
        }
        guard var result = subtract(previous, from: last.reduced(to: schema)) else { return nil }
        if isCounter {
            for point in points.dropFirst() {
                if point.isReset(after: previous) {
                    guard let sum = add(previous, to: result) else { return nil }
                    result = sum
                }
                previous = point
            }
        } else if first.resetHint != .gauge || last.resetHint != .gauge {
            annotations.warn(HistogramRemark.notGauge(metric), at: range)
        }
        result.resetHint = .gauge
        result.compact()
        return result
    }
}
