import Model

/// Range functions with support for histograms, on the windows of a series that has some.
struct MixedRangeFunction {
    let function: RangeFunction
    /// The series' metric name, for annotations.
    let metric: String
    /// The range of the range argument, for annotations.
    let range: TextRange
    let annotations: Annotations

    /// The function's value of a window that is not empty; nil if there is none.
    ///
    /// Windows of floats alone return nil for the functions that compute: the caller has faster code for them.
    ///
    /// - Parameter work: Counts the histograms that are computed with.
    func apply(_ window: MixedWindow, _ work: HistogramWork) throws -> SampleValue? {
        switch function {
        case .count: return .float(Double(window.count))
        case .present: return .float(1)
        case .resets: return .float(try resets(window.merged, window.starts, work))
        case .changes: return .float(try changes(window.merged, work))
        case .first: return first(window)
        case .last: return last(window)
        case .tsOfFirst:
            let time = min(window.floatTimes.first ?? .max, window.histogramTimes.first ?? .max)
            return .float(Double(time) / 1000)
        case .tsOfLast:
            let time = max(window.floatTimes.last ?? .min, window.histogramTimes.last ?? .min)
            return .float(Double(time) / 1000)
        case .irate, .idelta: return try instantRate(window, work)
        default: break
        }
        if window.isMixed {
            annotations.warn(HistogramAnnotation.mixedFloats(metric), at: range)
            return nil
        }
        switch function {
        case .rate, .increase, .delta: return try extrapolatedRate(window, work)
        case .sum, .avg: return try combined(window, work)
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

    /// The number of resets, including changes of kind.
    func resets(
        _ samples: [MixedWindow.Sample], _ starts: StartTimes, _ work: HistogramWork
    ) throws -> Double {
        try count(samples, work) { previous, current in
            switch (previous.value, current.value) {
            case (.float(let a), .float(let b)): b < a || starts.hasReset(between: previous.time, and: current.time)
            case (.histogram(let a), .histogram(let b)):
                b.isReset(after: a) || starts.hasReset(between: previous.time, and: current.time)
            default: true
            }
        }
    }

    /// The number of times that a sample differs from the one before.
    func changes(_ samples: [MixedWindow.Sample], _ work: HistogramWork) throws -> Double {
        try count(samples, work) { previous, current in
            switch (previous.value, current.value) {
            case (.float(let a), .float(let b)): a != b && !(a.isNaN && b.isNaN)
            case (.histogram(let a), .histogram(let b)): !(a == b)
            default: true
            }
        }
    }

    private func count(
        _ samples: [MixedWindow.Sample], _ work: HistogramWork,
        _ isEvent: (MixedWindow.Sample, MixedWindow.Sample) -> Bool
    ) throws -> Double {
        var count = 0
        for i in samples.indices.dropFirst() {
            if case .histogram(let histogram) = samples[i].value { try work.look(at: histogram) }
            if isEvent(samples[i - 1], samples[i]) { count += 1 }
        }
        return Double(count)
    }

    /// `sum_over_time` and `avg_over_time` of histograms.
    private func combined(
        _ window: MixedWindow, _ work: HistogramWork
    ) throws -> SampleValue? {
        guard !window.histograms.isEmpty else { return nil }
        var accumulator = HistogramAccumulator(isAverage: function == .avg)
        for box in window.histograms {
            try work.look(at: box.histogram)
            do throws(HistogramSum.IncompatibleLayouts) {
                if try accumulator.add(box.histogram).contains(.boundsReconciled) {
                    annotations.info(HistogramAnnotation.boundsReconciled(.aggregation), at: range)
                }
            } catch {
                annotations.warn(HistogramAnnotation.mixedLayouts(metric), at: range)
                return nil
            }
        }
        if accumulator.hasResetCollision {
            annotations.warn(HistogramAnnotation.resetCollision(.aggregation), at: range)
        }
        return accumulator.result.map { .histogram($0) }
    }

    /// `irate` and `idelta` of the last two samples, of either kind.
    private func instantRate(_ window: MixedWindow, _ work: HistogramWork) throws -> SampleValue? {
        let samples = window.merged
        guard samples.count >= 2 else { return nil }
        let (before, last) = (samples[samples.count - 2], samples[samples.count - 1])
        let seconds = Double(last.time - before.time) / 1000
        guard seconds != 0 else { return nil }
        let isRate = function == .irate
        let isKnownReset = isRate && window.starts.hasReset(between: before.time, and: last.time)
        switch (before.value, last.value) {
        case (.float(let a), .float(let b)):
            let difference = isRate && (isKnownReset || b < a) ? b : b - a
            return .float(isRate ? difference / seconds : difference)
        case (.histogram(let a), .histogram(let b)):
            for histogram in [a, b] { try work.look(at: histogram) }
            if isRate, a.resetHint == .gauge || b.resetHint == .gauge {
                annotations.warn(HistogramAnnotation.notCounter(metric), at: range)
            }
            if !isRate, a.resetHint != .gauge || b.resetHint != .gauge {
                annotations.warn(HistogramAnnotation.notGauge(metric), at: range)
            }
            var result = b
            if !isRate || !(isKnownReset || b.isReset(after: a)) {
                guard let difference = subtract(a, from: b) else { return nil }
                result = difference
            }
            result.resetHint = .gauge
            result.compact()
            if isRate { result.divide(by: seconds) }
            return .histogram(result)
        default:
            annotations.warn(HistogramAnnotation.mixedFloats(metric), at: range)
            return nil
        }
    }

    /// `b` minus `a`; nil, with an annotation, if their buckets are incompatible.
    func subtract(_ a: FloatHistogram, from b: FloatHistogram) -> FloatHistogram? {
        do throws(HistogramSum.IncompatibleLayouts) {
            let (result, notes) = try b.subtracting(a)
            if notes.contains(.boundsReconciled) {
                annotations.info(HistogramAnnotation.boundsReconciled(.subtraction), at: range)
            }
            return result
        } catch {
            annotations.warn(HistogramAnnotation.mixedLayouts(metric), at: range)
            return nil
        }
    }

    /// The sum of `b` and `a`; nil, with an annotation, if their buckets are incompatible.
    func add(_ a: FloatHistogram, to b: FloatHistogram) -> FloatHistogram? {
        do throws(HistogramSum.IncompatibleLayouts) {
            let (result, notes) = try b.adding(a)
            if notes.contains(.boundsReconciled) {
                annotations.info(HistogramAnnotation.boundsReconciled(.addition), at: range)
            }
            return result
        } catch {
            annotations.warn(HistogramAnnotation.mixedLayouts(metric), at: range)
            return nil
        }
    }
}
