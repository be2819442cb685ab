import Model

/// Gathers the samples of one group at one step for `sum` and `avg`, floats aside.
struct HistogramAccumulator {
    /// Whether it averages, rather than adds up.
    let isAverage: Bool
    private var sum: HistogramSum?
    private var count = 0
    /// The mean so far instead of the sum, since the sum would overflow.
    private var isIncremental = false
    private var sawReset = false
    private var sawNoReset = false
    /// Exponential and custom buckets met: there is no result.
    private(set) var isIncompatible = false

    init(isAverage: Bool) { self.isAverage = isAverage }

    /// Bytes of the buckets that it holds.
    var heldBytes: Int { sum?.heldBytes ?? 0 }

    /// Takes a histogram in.
    ///
    /// - Returns: What happened; throws if its buckets do not fit those before.
    mutating func add(_ histogram: FloatHistogram) throws(HistogramSum.IncompatibleLayouts) -> HistogramSum.Notes {
        if isIncompatible { return [] }
        if histogram.resetHint == .reset { sawReset = true }
        if histogram.resetHint == .notReset { sawNoReset = true }
        count += 1
        guard var running = sum else {
            sum = HistogramSum(histogram, isCompensated: true)
            return []
        }
        // Taken out while it changes, so that its buckets are not copied.
        sum = nil
        do throws(HistogramSum.IncompatibleLayouts) {
            let notes = try isAverage ? addToMean(histogram, &running) : running.add(histogram)
            sum = running
            return notes
        } catch {
            isIncompatible = true
            throw error
        }
    }

    private mutating func addToMean(
        _ histogram: FloatHistogram, _ running: inout HistogramSum
    ) throws(HistogramSum.IncompatibleLayouts) -> HistogramSum.Notes {
        let n = Double(count)
        if !isIncremental {
            var next = running
            let notes = try next.add(histogram)
            if !next.hasOverflowed {
                running = next
                return notes
            }
            isIncremental = true
            running.divide(by: n - 1)
        }
        running.scale(by: (n - 1) / n)
        var share = histogram
        share.divide(by: n)
        return try running.add(share)
    }

    /// Whether a counter reset contradicts a histogram that says there was none.
    var hasResetCollision: Bool { sawReset && sawNoReset }

    /// The sum or average; nil without histograms, or with ones that do not fit.
    var result: FloatHistogram? {
        guard !isIncompatible, var sum else { return nil }
        if isAverage, !isIncremental { sum.divide(by: Double(count)) }
        return sum.total.compacted()
    }
}
