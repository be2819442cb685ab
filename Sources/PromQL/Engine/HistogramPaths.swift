import Model

/// Scaling a histogram, for unary minus.
enum FloatHistogramScaling {
    static func scale(_ histogram: FloatHistogram, by factor: Double) -> FloatHistogram {
        var scaled = histogram
        scaled.count *= factor
        scaled.sum *= factor
        scaled.zeroCount *= factor
        for i in scaled.positiveBuckets.indices { scaled.positiveBuckets[i] *= factor }
        for i in scaled.negativeBuckets.indices { scaled.negativeBuckets[i] *= factor }
        if factor < 0 { scaled.resetHint = .gauge }
        return scaled
    }
}

extension Evaluator {
    /// Range functions of a series that has native histograms.
    func histogramRange(
        _ function: RangeFunction, _ call: Call, _ range: Expression, _ samples: borrowing SampleColumns,
        _ plan: WindowPlan, _ out: inout [Double], _ parameters: [[Double]]
    ) throws -> [HistogramBox?] {
        var isHistogram = [Bool](repeating: false, count: samples.count)
        var boxes: [Int: HistogramBox] = [:]
        for entry in samples.histograms {
            isHistogram[entry.index] = true
            boxes[entry.index] = HistogramBox(entry.histogram)
        }
        var result = [HistogramBox?](repeating: nil, count: plan.grid.count)
        var (low, high) = (0, 0)
        for i in 0..<plan.grid.count {
            let end = plan.end(i)
            while high < samples.count, samples.timestamps[high] <= end { high += 1 }
            while low < high, samples.timestamps[low] <= end &- plan.length { low += 1 }
            out[i] = Column.absent
            guard high > low else { continue }
            guardian.count(high - low)
            switch function {
            case .count: out[i] = Double(high - low)
            case .present: out[i] = 1
            case .tsOfFirst: out[i] = Double(samples.timestamps[low]) / 1000
            case .tsOfLast: out[i] = Double(samples.timestamps[high - 1]) / 1000
            case .first, .last:
                let at = function == .first ? low : high - 1
                if let box = boxes[at] {
                    out[i] = Column.histogramMark
                    result[i] = box
                } else {
                    out[i] = samples.values[at]
                }
            default:
                let mixed = isHistogram[low..<high].contains(false)
                if mixed, isHistogram[low..<high].contains(true), function == .rate || function == .increase {
                    annotations.warn(
                        "encountered a mix of histograms and floats for metric name \(GoQuote.quote(Self.metricName(range)))",
                        at: call.arguments[0].range)
                }
                throw QueryError.execution("not supported yet: \(call.function.name) of native histograms")
            }
        }
        return result
    }
}
