import Glibc
import GoCompatibility
import Model

/// Quantiles of classic histograms: cumulative counts by upper bound.
struct ClassicBuckets {
    struct Bucket {
        var bound: Double
        var count: Double
    }

    /// The repairs that were necessary so that counts ascend.
    struct Fix: Hashable {
        var lowest = Double.infinity
        var highest = -Double.infinity
        var difference = 0.0
        var isSet: Bool { highest > -.infinity }

        mutating func widen(by other: Fix) {
            lowest = min(lowest, other.lowest)
            highest = max(highest, other.highest)
            difference = max(difference, other.difference)
        }

        // The values are compared by bits: NaN does not equal NaN, so a set would keep each of them, and compare all of
        // them to add one more.
        private var bits: [UInt64] { [lowest.bitPattern, highest.bitPattern, difference.bitPattern] }
        static func == (a: Fix, b: Fix) -> Bool { a.bits == b.bits }
        func hash(into hasher: inout Hasher) { hasher.combine(bits) }
    }

    var buckets: [Bucket] = []

    /// The quantile, and the repairs for it (`histogram_quantile` of classic series).
    mutating func quantile(_ q: Double) -> (Double, Fix) {
        var fix = Fix()
        if q.isNaN { return (.nan, fix) }
        if q < 0 { return (-.infinity, fix) }
        if q > 1 { return (.infinity, fix) }
        buckets.sort { $0.bound < $1.bound }
        guard buckets.last?.bound == .infinity else { return (.nan, fix) }
        mergeEqual()
        fix = ascend()
        guard buckets.count >= 2, let total = buckets.last?.count, total != 0, !total.isNaN else { return (.nan, fix) }
        let rank = q * total
        let last = buckets.count - 1
        let b = (0..<last).first { buckets[$0].count >= rank } ?? last
        if b == last { return (buckets[last - 1].bound, fix) }
        if b == 0, buckets[0].bound <= 0 { return (buckets[0].bound, fix) }
        let start = b == 0 ? 0 : buckets[b - 1].bound
        let before = b == 0 ? 0 : buckets[b - 1].count
        return (start + (buckets[b].bound - start) * ((rank - before) / (buckets[b].count - before)), fix)
    }

    /// The fraction of observations between two limits (`histogram_fraction` of classic series).
    mutating func fraction(_ lower: Double, _ upper: Double) -> Double {
        buckets.sort { $0.bound < $1.bound }
        guard buckets.last?.bound == .infinity else { return .nan }
        mergeEqual()
        guard let total = buckets.last?.count, total != 0, !lower.isNaN, !upper.isNaN else { return .nan }
        if lower >= upper { return 0 }
        func rank(of limit: Double) -> Double {
            var rank = 0.0
            for (i, bucket) in buckets.enumerated() {
                let start = i > 0 ? buckets[i - 1].bound : bucket.bound > 0 ? 0 : -.infinity
                if start >= limit { return rank }
                if bucket.bound > limit {
                    if start == -.infinity { return bucket.count }
                    return rank + (bucket.count - rank) * (limit - start) / (bucket.bound - start)
                }
                rank = bucket.count
            }
            return total
        }
        return (min(rank(of: upper), total) - min(rank(of: lower), total)) / total
    }

    private mutating func mergeEqual() {
        var merged: [Bucket] = []
        for bucket in buckets {
            if let previous = merged.last, previous.bound == bucket.bound {
                merged[merged.count - 1].count += bucket.count
            } else {
                merged.append(bucket)
            }
        }
        buckets = merged
    }

    private mutating func ascend() -> Fix {
        var fix = Fix()
        var previous = buckets.first?.count ?? 0
        for i in buckets.indices.dropFirst() {
            let count = buckets[i].count
            if count == previous { continue }
            if Self.almostEqual(previous, count) {
                buckets[i].count = previous
            } else if count < previous {
                fix.lowest = min(fix.lowest, buckets[i].bound)
                fix.highest = max(fix.highest, buckets[i].bound)
                fix.difference = max(fix.difference, previous - count)
                buckets[i].count = previous
            } else {
                previous = count
            }
        }
        return fix
    }

    /// Whether two numbers are equal within a relative 1e-12.
    static func almostEqual(_ a: Double, _ b: Double) -> Bool {
        let (difference, sum) = (abs(a - b), abs(a) + abs(b))
        let smallest = 0x1p-1022
        if a == 0 || b == 0 || sum < smallest { return difference < 1e-12 * smallest }
        return difference / min(sum, .greatestFiniteMagnitude) < 1e-12
    }

    /// The number in an `le` label; nil if it is not a number.
    static func bound(_ text: String) -> Double? { GoFloat.parse(text) }
}
