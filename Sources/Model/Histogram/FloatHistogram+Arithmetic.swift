extension FloatHistogram {
    /// The sum of two histograms, not compacted; throws if their layouts are incompatible.
    public func adding(_ other: FloatHistogram) throws(HistogramSum.IncompatibleLayouts) -> (
        FloatHistogram, HistogramSum.Notes
    ) {
        var sum = HistogramSum(self, isCompensated: false)
        let notes = try sum.add(other)
        return (sum.total, notes)
    }

    /// The difference of two histograms, not compacted; throws if their layouts are incompatible.
    ///
    /// The hint is the combination of both hints; a caller that computes a rate or a difference sets it to `gauge`.
    public func subtracting(_ other: FloatHistogram) throws(HistogramSum.IncompatibleLayouts) -> (
        FloatHistogram, HistogramSum.Notes
    ) {
        var sum = HistogramSum(self, isCompensated: false)
        let notes = try sum.subtract(other)
        return (sum.total, notes)
    }

    /// Multiplies every count and the sum by `factor`; a negative factor makes it a gauge.
    public mutating func multiply(by factor: Double) {
        zeroCount *= factor
        count *= factor
        sum *= factor
        for i in positiveBuckets.indices { positiveBuckets[i] *= factor }
        for i in negativeBuckets.indices { negativeBuckets[i] *= factor }
        if factor < 0 { resetHint = .gauge }
    }

    /// Divides every count and the sum by `divisor`; a negative one makes it a gauge, zero removes the buckets.
    public mutating func divide(by divisor: Double) {
        zeroCount /= divisor
        count /= divisor
        sum /= divisor
        if divisor < 0 { resetHint = .gauge }
        if divisor == 0 {
            positiveSpans = []
            negativeSpans = []
            positiveBuckets = []
            negativeBuckets = []
            return
        }
        for i in positiveBuckets.indices { positiveBuckets[i] /= divisor }
        for i in negativeBuckets.indices { negativeBuckets[i] /= divisor }
    }

    /// The count of a zero bucket with `threshold`, or with a larger one that does not split a non-empty bucket.
    ///
    /// - Returns: That count and its threshold. `threshold` must not be below the histogram's own.
    func zeroCount(threshold: Double) -> (count: Double, threshold: Double) {
        if threshold == zeroThreshold { return (zeroCount, threshold) }
        var threshold = threshold
        while true {
            var total = zeroCount
            forEachPositive { bucket in
                guard bucket.lower < threshold else { return false }
                total += bucket.count
                guard bucket.upper > threshold else { return true }
                if bucket.count != 0 { threshold = bucket.upper }
                return false
            }
            var isComplete = true
            forEachNegative { bucket in
                guard bucket.upper > -threshold else { return false }
                total += bucket.count
                guard bucket.lower < -threshold else { return true }
                if bucket.count != 0 {
                    // A larger threshold may include further positive buckets, so they are counted again.
                    threshold = -bucket.lower
                    isComplete = false
                }
                return false
            }
            if isComplete { return (total, threshold) }
        }
    }

    /// Whether there are fewer observations than in `previous`: the counter was reset.
    public func isReset(after previous: FloatHistogram) -> Bool {
        switch resetHint {
        case .reset: return true
        case .notReset: return false
        case .unknown, .gauge: break
        }
        if count < previous.count { return true }
        if usesCustomBuckets {
            guard previous.usesCustomBuckets else { return true }
            if customBounds != previous.customBounds { return isResetBetweenBounds(previous) }
        }
        if schema > previous.schema || zeroThreshold < previous.zeroThreshold { return true }
        let zero = previous.zeroCount(threshold: zeroThreshold)
        if zero.threshold != zeroThreshold || zeroCount < zero.count { return true }
        let steps = usesCustomBuckets ? 0 : Int(previous.schema) - Int(schema)
        return hasShrunk(positiveList, previous.positiveList.reduced(by: steps))
            || hasShrunk(negativeList, previous.negativeList.reduced(by: steps))
    }

    /// Whether a bucket outside the zero bucket has a smaller count than before.
    private func hasShrunk(_ current: BucketList, _ previous: BucketList) -> Bool {
        var i = 0
        for position in previous.indices.indices {
            let index = previous.indices[position]
            if !usesCustomBuckets, zeroThreshold != 0, upperBound(index) <= zeroThreshold { continue }
            while i < current.indices.count, current.indices[i] < index { i += 1 }
            let now = i < current.indices.count && current.indices[i] == index ? current.counts[i] : 0
            if previous.counts[position] > now { return true }
        }
        return false
    }

    /// Whether there are fewer observations between any two consecutive common bounds.
    private func isResetBetweenBounds(_ previous: FloatHistogram) -> Bool {
        let shared = HistogramSum.intersection(customBounds, previous.customBounds)
        func sums(_ histogram: FloatHistogram) -> [Double] {
            var sums = [Double](repeating: 0, count: shared.count + 1)
            var target = 0
            histogram.forEachPositive { bucket in
                while target < shared.count, shared[target] < bucket.upper { target += 1 }
                sums[target] += bucket.count
                return true
            }
            return sums
        }
        return zip(sums(self), sums(previous)).contains { $0 < $1 }
    }
}
