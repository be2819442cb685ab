import Model

/// Adds up the histograms of one group at one step for `sum` and `avg`.
struct HistogramAccumulator {
    /// Whether it computes the average and not the sum.
    let isAverage: Bool
    private var sum: HistogramSum?
    private var count = 0
    /// Whether it stores the mean so far, because the sum would overflow.
    private var isIncremental = false
    private var sawReset = false
    private var sawNoReset = false
    /// Whether exponential and custom buckets were mixed: then there is no result.
    private(set) var isIncompatible = false

    init(isAverage: Bool) { self.isAverage = isAverage }

    /// The bytes of its buckets.
    var heldBytes: Int { sum?.heldBytes ?? 0 }

    /// Adds a histogram.
    ///
    /// - Returns: The notes about the addition. Throws if its buckets are incompatible.
    mutating func add(_ histogram: FloatHistogram) throws(HistogramSum.IncompatibleLayouts) -> HistogramSum.Notes {
        if isIncompatible { return [] }
        if histogram.resetHint == .reset { sawReset = true }
        if histogram.resetHint == .notReset { sawNoReset = true }
        count += 1
        guard var running = sum else {
            sum = HistogramSum(histogram, isCompensated: true)
            return []
        }
        // The sum is removed while it changes, so that its buckets are not copied.
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

    /// Whether there were a histogram with a counter reset and one without.
    var hasResetCollision: Bool { sawReset && sawNoReset }

    /// The sum or average; nil without histograms, or with incompatible ones.
    var result: FloatHistogram? {
        guard !isIncompatible, var sum else { return nil }
        if isAverage, !isIncremental { sum.divide(by: Double(count)) }
        return sum.total.compacted()
    }
}
