import Glibc

extension FloatHistogram {
    /// The side of a value that a trim keeps.
    public enum TrimSide: Sendable {
        /// `</`: observations at or below the value stay.
        case below
        /// `>/`: observations at or above the value stay.
        case above
    }

    /// The part of one bucket that a trim keeps.
    private struct Kept {
        var count: Double
        /// The assumed value of the kept observations.
        var midpoint: Double
    }

    /// The histogram without the estimated observations beyond `limit`.
    ///
    /// Count and sum are estimated again, and empty buckets removed, only if something was trimmed.
    public func trimmed(_ side: TrimSide, _ limit: Double) -> FloatHistogram {
        var result = self
        var total = 0.0
        var sum = 0.0
        var isCut = false

        func keep(_ bucket: Bucket, isLinear: Bool) -> Double {
            guard bucket.count != 0 else { return 0 }
            let isKept = side == .below ? bucket.upper <= limit : bucket.lower >= limit
            let isDropped = side == .below ? bucket.lower >= limit : bucket.upper <= limit
            let kept: Kept
            if isKept {
                kept = Kept(
                    count: bucket.count, midpoint: midpoint(bucket.lower, bucket.upper, isLinear: isLinear))
            } else if isDropped {
                kept = Kept(count: 0, midpoint: 0)
            } else {
                kept = split(bucket, side, limit, isLinear: isLinear)
            }
            if kept.count != bucket.count { isCut = true }
            total += kept.count
            if kept.count != 0 { sum += kept.midpoint * kept.count }
            return kept.count
        }

        var position = 0
        forEachPositive { bucket in
            result.positiveBuckets[position] = keep(bucket, isLinear: usesCustomBuckets)
            position += 1
            return true
        }
        position = 0
        forEachNegative { bucket in
            result.negativeBuckets[position] = keep(bucket, isLinear: usesCustomBuckets)
            position += 1
            return true
        }
        if zeroCount != 0, !usesCustomBuckets {
            var zero = zeroBucket
            narrow(&zero)
            result.zeroCount = keep(zero, isLinear: true)
        }
        guard isCut else { return self }
        result.count = total
        result.sum = sum
        result.compact()
        return result
    }

    /// Limits the zero bucket to the side on which the histogram has observations.
    func narrow(_ zero: inout Bucket) {
        let hasPositive = positiveBuckets.contains { $0 != 0 }
        let hasNegative = negativeBuckets.contains { $0 != 0 }
        if hasPositive, !hasNegative { zero.lower = 0 }
        if hasNegative, !hasPositive { zero.upper = 0 }
    }

    private func midpoint(_ lower: Double, _ upper: Double, isLinear: Bool) -> Double {
        if lower.isInfinite {
            if upper.isInfinite { return 0 }
            return upper > 0 ? upper / 2 : upper
        }
        if upper.isInfinite { return lower }
        if isLinear { return (lower + upper) / 2 }
        let middle = (lower * upper).magnitude.squareRoot()
        return lower < 0 ? -middle : middle
    }

    /// The part of a bucket around `limit` that is kept.
    private func split(_ bucket: Bucket, _ side: TrimSide, _ limit: Double, isLinear: Bool) -> Kept {
        let nothing = Kept(count: 0, midpoint: 0)
        let (lower, upper) = (bucket.lower, bucket.upper)
        if lower == -.infinity {
            switch side {
            case .below:
                if limit >= upper { return Kept(count: bucket.count, midpoint: 0) }
                if limit > 0, upper > 0, upper.isFinite {
                    return Kept(count: bucket.count * limit / upper, midpoint: limit / 2)
                }
                return upper <= 0 ? Kept(count: bucket.count, midpoint: limit) : nothing
            case .above:
                guard upper.isFinite, upper > limit, limit >= 0 else { return nothing }
                return Kept(count: bucket.count * (1 - limit / upper), midpoint: (limit + upper) / 2)
            }
        }
        if upper == .infinity {
            return side == .above && limit >= lower ? Kept(count: bucket.count, midpoint: limit) : nothing
        }
        let share: Double
        if isLinear {
            share = (limit - lower) / (upper - lower)
        } else {
            share = Self.logarithmicShare(limit, lower, upper)
        }
        switch side {
        case .below:
            return Kept(count: bucket.count * share, midpoint: midpoint(lower, limit, isLinear: isLinear))
        case .above:
            return Kept(count: bucket.count * (1 - share), midpoint: midpoint(limit, upper, isLinear: isLinear))
        }
    }

    /// The fraction of a bucket below `value` if observations are uniformly distributed over the logarithm.
    static func logarithmicShare(_ value: Double, _ lower: Double, _ upper: Double) -> Double {
        let logLower = log2(lower.magnitude)
        let logUpper = log2(upper.magnitude)
        let logValue = log2(value.magnitude)
        if value > 0 { return (logValue - logLower) / (logUpper - logLower) }
        return 1 - ((logValue - logUpper) / (logLower - logUpper))
    }
}
