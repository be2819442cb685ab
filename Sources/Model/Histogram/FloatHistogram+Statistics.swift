import Glibc

extension FloatHistogram {
    /// A note about an estimate, which becomes an annotation.
    public enum EstimateNote: Sendable, Hashable {
        /// The sought observation is one of the NaNs.
        case isNaN
        /// NaNs count as the largest observations.
        case isSkewed
        /// NaNs are in no bucket and not included in the fraction.
        case excludesNaN
    }

    /// The estimated φ-quantile.
    ///
    /// - Parameter phi: Below 0 gives −∞, above 1 +∞.
    public func quantile(_ phi: Double) -> (value: Double, note: EstimateNote?) {
        if phi < 0 { return (-.infinity, nil) }
        if phi > 1 { return (.infinity, nil) }
        if count == 0 || phi.isNaN { return (.nan, nil) }

        let isAscending = sum.isNaN || phi < 0.5
        var buckets = ascendingBuckets()
        if !isAscending { buckets.reverse() }
        var rank = (isAscending ? phi : 1 - phi) * count
        var bucket = Bucket(lower: 0, upper: 0, count: 0)
        var seen = 0.0
        var next = 0
        while next < buckets.count {
            bucket = buckets[next]
            next += 1
            if bucket.count == 0 { continue }
            seen += bucket.count
            if seen >= rank { break }
        }
        if !usesCustomBuckets, bucket.lower < 0, bucket.upper > 0 {
            let negatives = negativeBuckets.isEmpty
            let positives = positiveBuckets.isEmpty
            if negatives, !positives { bucket.lower = 0 }
            if positives, !negatives { bucket.upper = 0 }
        } else if usesCustomBuckets {
            if bucket.lower == -.infinity {
                if bucket.upper <= 0 { return (bucket.upper, nil) }
                bucket.lower = 0
            } else if bucket.upper == .infinity {
                return (bucket.lower, nil)
            }
        }
        if seen > count { seen = count }
        if seen < rank { return sum.isNaN ? (.nan, .isNaN) : (bucket.upper, nil) }

        rank = isAscending ? rank - (seen - bucket.count) : seen - rank
        var note: EstimateNote?
        if sum.isNaN {
            var inBuckets = seen
            while next < buckets.count {
                inBuckets += buckets[next].count
                // To check for NaN observations, Prometheus 3.12 continues to the last bucket and stays there.
                bucket = buckets[next]
                next += 1
            }
            if inBuckets < count { note = .isSkewed }
        }
        let fraction = rank / bucket.count
        if usesCustomBuckets || (bucket.lower <= 0 && bucket.upper >= 0) {
            return (bucket.lower + (bucket.upper - bucket.lower) * fraction, note)
        }
        let logLower = log2(bucket.lower.magnitude)
        let logUpper = log2(bucket.upper.magnitude)
        if bucket.lower > 0 { return (exp2(logLower + (logUpper - logLower) * fraction), note) }
        return (-exp2(logUpper + (logLower - logUpper) * (1 - fraction)), note)
    }

    /// The estimated fraction of observations between two limits.
    public func fraction(_ lower: Double, _ upper: Double) -> (value: Double, note: EstimateNote?) {
        if count == 0 || lower.isNaN || upper.isNaN { return (.nan, nil) }
        if lower >= upper { return (0, nil) }

        var rank = 0.0
        var lowerRank: Double?
        var upperRank: Double?
        let buckets = ascendingBuckets()
        for bucket in buckets {
            var bucket = bucket
            let isZero = !usesCustomBuckets && bucket.lower <= 0 && bucket.upper >= 0
            if isZero {
                if negativeBuckets.isEmpty, !positiveBuckets.isEmpty { bucket.lower = 0 }
                if positiveBuckets.isEmpty, !negativeBuckets.isEmpty { bucket.upper = 0 }
            } else if usesCustomBuckets, bucket.lower == -.infinity, bucket.upper > 0 {
                // As in classic histograms, the lowest bucket with a positive bound is assumed to begin at zero.
                bucket.lower = 0
            }
            func rankOf(_ limit: Double) -> Double {
                if usesCustomBuckets, bucket.lower == -.infinity { return rank + bucket.count }
                let share =
                    isZero || usesCustomBuckets
                    ? (limit - bucket.lower) / (bucket.upper - bucket.lower)
                    : Self.logarithmicShare(limit, bucket.lower, bucket.upper)
                return rank + bucket.count * share
            }
            if lowerRank == nil {
                if bucket.lower >= lower {
                    lowerRank = rank
                } else if bucket.lower < lower, bucket.upper > lower {
                    lowerRank = rankOf(lower)
                }
            }
            if upperRank == nil {
                if bucket.lower >= upper {
                    upperRank = rank
                } else if bucket.lower < upper, bucket.upper > upper {
                    upperRank = rankOf(upper)
                }
            }
            if lowerRank != nil, upperRank != nil { break }
            rank += bucket.count
        }
        var total = count
        var note: EstimateNote?
        if sum.isNaN {
            let inBuckets = buckets.reduce(0) { $0 + $1.count }
            if inBuckets < count { note = .excludesNaN }
            total = inBuckets
        }
        let from = min(lowerRank ?? total, total)
        let to = min(upperRank ?? total, total)
        return ((to - from) / count, note)
    }

    /// The estimated variance of the observations.
    public var variance: Double {
        let mean = sum / count
        var total = 0.0
        var rest = 0.0
        for bucket in ascendingBuckets() where bucket.count != 0 {
            let middle: Double
            if usesCustomBuckets {
                middle = (bucket.upper + bucket.lower) / 2
            } else if bucket.lower <= 0, bucket.upper >= 0 {
                middle = 0
            } else {
                let root = (bucket.upper * bucket.lower).squareRoot()
                middle = bucket.upper < 0 ? -root : root
            }
            let delta = middle - mean
            KahanSum.add(bucket.count * delta * delta, to: &total, &rest)
        }
        total += rest
        return total / count
    }

    /// The estimated standard deviation of the observations.
    public var standardDeviation: Double { variance.squareRoot() }
}
