import Model

/// The histograms of a selector below `histogram_count`, `histogram_sum` or `histogram_avg`: counts and sums only, and
/// the counter resets that the buckets show.
enum ResetHints {
    /// Removes the buckets, and sets whether the counter was reset since the previous histogram.
    ///
    /// The hint of a histogram stays unknown if Prometheus skips samples before it: between windows with gaps.
    ///
    /// - Parameter plan: The windows that read the samples; nil if they are read without gaps.
    static func detect(_ samples: inout SampleColumns, _ plan: WindowPlan? = nil) {
        let seeks = plan.map { seekTimes(samples, $0) } ?? []
        var previous: FloatHistogram?
        var next = 0
        for i in samples.histograms.indices {
            let current = samples.histograms[i].histogram
            if Staleness.isMarker(current.sum) { continue }
            while next < seeks.count, seeks[next] <= samples.timestamps[samples.histograms[i].index] {
                previous = nil
                next += 1
            }
            var hint = current.resetHint
            if hint == .unknown, let previous { hint = current.isReset(after: previous) ? .reset : .notReset }
            // Exponential and custom buckets are still incompatible.
            samples.histograms[i].histogram = FloatHistogram(
                resetHint: hint, schema: current.resetHint == .gauge || !current.usesCustomBuckets ? 0 : current.schema,
                count: current.count, sum: current.sum)
            previous = current
        }
    }

    /// The times to which samples are skipped, ascending.
    private static func seekTimes(_ samples: borrowing SampleColumns, _ plan: WindowPlan) -> [Int64] {
        var result: [Int64] = []
        var last: Int64?
        var position = 0
        for i in 0..<plan.grid.count {
            let end = plan.end(i)
            let kept = i == 0 ? plan.length : min(plan.length, plan.grid.step)
            if i > 0, end == plan.end(i - 1) { break }
            if let time = last, end &- kept > time { result.append(end &- kept) }
            while position < samples.count, samples.timestamps[position] < end { position += 1 }
            guard position < samples.count else { break }
            last = samples.timestamps[position]
        }
        return result
    }
}
