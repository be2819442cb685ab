import Glibc
import Model

/// A native histogram as a table of buckets, computed with plainly and slowly, as the specification says it.
package struct SlowHistogram: Sendable {
    package var schema: Int
    package var bounds: [Double]
    package var threshold: Double
    package var zero: Double
    package var count: Double
    package var sum: Double
    package var isGauge = false
    /// Buckets by index, with the empty ones that the histogram names.
    ///
    /// Those of the negative side have the index of their mirror image.
    package var up: [Int: Double] = [:]
    package var down: [Int: Double] = [:]

    package init(_ other: FloatHistogram) {
        schema = Int(other.schema)
        (bounds, threshold, zero) = (other.customBounds, other.zeroThreshold, other.zeroCount)
        (count, sum) = (other.count, other.sum)
        isGauge = other.resetHint == .gauge
        up = Self.table(other.positiveSpans, other.positiveBuckets)
        down = Self.table(other.negativeSpans, other.negativeBuckets)
    }

    /// An empty histogram of the same shape.
    package init(emptyLike other: SlowHistogram) {
        self = other
        (threshold, zero, count, sum, up, down) = (0, 0, 0, 0, [:], [:])
    }

    private static func table(_ spans: [FloatHistogram.Span], _ counts: [Double]) -> [Int: Double] {
        var result: [Int: Double] = [:]
        var (index, at) = (0, 0)
        for span in spans {
            index += Int(span.offset)
            for _ in 0..<span.length {
                if at < counts.count { result[index] = counts[at] }
                (index, at) = (index + 1, at + 1)
            }
        }
        return result
    }

    package var isCustom: Bool { schema == -53 }

    /// The upper bound of a positive bucket.
    private func bound(_ index: Int) -> Double {
        if isCustom { return index < 0 ? -.infinity : index < bounds.count ? bounds[index] : .infinity }
        let exponent = Double(index) * exp2(Double(-schema))
        return exponent == 1024 ? .greatestFiniteMagnitude : exp2(exponent)
    }

    // MARK: Buckets in order

    package struct Bucket {
        package var lower: Double
        package var upper: Double
        package var count: Double
        var isZero = false
    }

    /// All buckets that are not empty, ascending.
    package var buckets: [Bucket] { layout.filter { $0.count != 0 } }

    /// All buckets that the histogram names, ascending.
    private var layout: [Bucket] {
        var result: [Bucket] = []
        for index in down.keys.sorted(by: >) {
            result.append(
                Bucket(lower: -bound(index), upper: min(-bound(index - 1), -threshold), count: down[index] ?? 0))
        }
        if zero > 0 { result.append(Bucket(lower: -threshold, upper: threshold, count: zero, isZero: true)) }
        for index in up.keys.sorted() {
            let lower = bound(index - 1)
            result.append(
                Bucket(lower: isCustom ? lower : max(lower, threshold), upper: bound(index), count: up[index] ?? 0))
        }
        return result
    }

    /// The zero bucket reaches only to the side where there are others, the first of custom buckets from zero up.
    private func narrowed(_ bucket: Bucket) -> Bucket {
        var bucket = bucket
        guard bucket.lower < 0, bucket.upper > 0 else { return bucket }
        if isCustom {
            if bucket.lower == -.infinity { bucket.lower = 0 }
            return bucket
        }
        if down.isEmpty, !up.isEmpty { bucket.lower = 0 }
        if up.isEmpty, !down.isEmpty { bucket.upper = 0 }
        return bucket
    }

    // MARK: Numbers of one histogram

    package var average: Double { sum / count }

    package var variance: Double {
        let mean = sum / count
        var total = 0.0
        for bucket in buckets {
            let middle: Double
            if isCustom {
                middle = (bucket.lower + bucket.upper) / 2
            } else if bucket.lower <= 0, bucket.upper >= 0 {
                middle = 0
            } else {
                middle = (bucket.upper < 0 ? -1 : 1) * (bucket.lower * bucket.upper).squareRoot()
            }
            total += bucket.count * (middle - mean) * (middle - mean)
        }
        return total / count
    }

    package func quantile(_ phi: Double) -> Double {
        if phi < 0 { return -.infinity }
        if phi > 1 { return .infinity }
        if count == 0 || phi.isNaN { return .nan }
        let ascends = sum.isNaN || phi < 0.5
        let all = ascends ? layout : layout.reversed()
        // Without any buckets, Prometheus takes one from 0 to 0 for found.
        var bucket = Bucket(lower: 0, upper: 0, count: 0)
        var rank = (ascends ? phi : 1 - phi) * count
        var (seen, isLast) = (0.0, false)
        for (index, one) in all.enumerated() {
            (bucket, isLast) = (one, index == all.count - 1)
            seen += one.count
            if one.count != 0, seen >= rank { break }
        }
        if isCustom, bucket.lower > -.infinity, bucket.upper == .infinity { return bucket.lower }
        bucket = narrowed(bucket)
        if isCustom, bucket.lower == -.infinity { return bucket.upper }
        seen = min(seen, count)
        if seen < rank { return sum.isNaN ? .nan : bucket.upper }
        rank = ascends ? rank - (seen - bucket.count) : seen - rank
        // With NaNs observed, Prometheus looks at the buckets behind, too, and takes the last one for the one it found.
        if sum.isNaN, !isLast, let last = all.last { bucket = last }
        return Self.between(bucket, rank / bucket.count, isLinear: isCustom)
    }

    private static func between(_ bucket: Bucket, _ share: Double, isLinear: Bool) -> Double {
        let (lower, upper) = (bucket.lower, bucket.upper)
        if isLinear || lower <= 0 && upper >= 0 { return lower + (upper - lower) * share }
        // Absolute values, as a zero bucket of a negative threshold ends before it begins.
        let (low, high) = (log2(abs(lower)), log2(abs(upper)))
        return lower > 0 ? exp2(low + (high - low) * share) : -exp2(high + (low - high) * (1 - share))
    }

    package func fraction(_ lower: Double, _ upper: Double) -> Double {
        if count == 0 || lower.isNaN || upper.isNaN { return .nan }
        if lower >= upper { return 0 }
        // NaNs observed are in no bucket.
        let total = sum.isNaN ? layout.reduce(0) { $0 + $1.count } : count
        func rank(_ x: Double) -> Double {
            var rank = 0.0
            for bucket in layout.map(narrowed) {
                if bucket.lower >= x { return rank }
                if x < bucket.upper {
                    if bucket.lower == -.infinity { return rank + bucket.count }
                    let share: Double
                    if isCustom || bucket.lower <= 0 && bucket.upper >= 0 {
                        share = (x - bucket.lower) / (bucket.upper - bucket.lower)
                    } else if bucket.lower > 0 {
                        share = log2(abs(x / bucket.lower)) / log2(abs(bucket.upper / bucket.lower))
                    } else {
                        share = 1 - log2(abs(x / bucket.upper)) / log2(abs(bucket.lower / bucket.upper))
                    }
                    return rank + bucket.count * share
                }
                rank += bucket.count
            }
            return total
        }
        return (min(rank(upper), total) - min(rank(lower), total)) / count
    }

    // MARK: Two histograms

    /// The buckets at a coarser schema.
    private func coarser(_ target: Int) -> SlowHistogram {
        var result = self
        result.schema = target
        func reduced(_ table: [Int: Double]) -> [Int: Double] {
            var sums: [Int: Double] = [:]
            for (index, count) in table { sums[(index - 1) >> (schema - target) + 1, default: 0] += count }
            return sums
        }
        (result.up, result.down) = (reduced(up), reduced(down))
        return result
    }

    /// With a zero bucket of at least this width, which swallows the buckets that it reaches.
    private func widened(to wanted: Double) -> SlowHistogram {
        var result = self
        guard wanted > threshold else { return result }
        var reach = wanted
        while true {
            let before = reach
            for (index, count) in Array(up) + Array(down) where count != 0 && bound(index - 1) < reach {
                reach = max(reach, bound(index))
            }
            if reach == before { break }
        }
        result.threshold = reach
        for (index, count) in up where bound(index - 1) < reach {
            result.zero += count
            result.up[index] = nil
        }
        for (index, count) in down where bound(index - 1) < reach {
            result.zero += count
            result.down[index] = nil
        }
        return result
    }

    /// Without buckets that lie in the zero bucket as a whole.
    ///
    /// What is added is reduced first and looked at then, as by Prometheus: a coarse bucket that reaches out of the zero
    /// bucket counts with all that is in it, though the finer ones within were counted as zero.
    private var withoutBucketsInZero: SlowHistogram {
        var result = self
        if threshold == 0 { return result }
        result.up = up.filter { bound($0.key) > threshold }
        result.down = down.filter { bound($0.key) > threshold }
        return result
    }

    /// With the bounds that both have; each bucket goes to the first of them that covers it.
    private func rebound(_ common: [Double]) -> SlowHistogram {
        var result = self
        result.bounds = common
        result.up = [:]
        for (index, count) in up {
            let upper = bound(index)
            result.up[common.firstIndex { $0 >= upper } ?? common.count, default: 0] += count
        }
        return result
    }

    /// Both in one shape; nil if one is exponential and the other is not.
    private static func aligned(_ a: SlowHistogram, _ b: SlowHistogram) -> (SlowHistogram, SlowHistogram)? {
        guard a.isCustom == b.isCustom else { return nil }
        if a.isCustom {
            if a.bounds == b.bounds { return (a, b) }
            let common = a.bounds.filter(b.bounds.contains)
            return (a.rebound(common), b.rebound(common))
        }
        let other = b
        var (a, b) = (a, b)
        while a.threshold != b.threshold {
            let wanted = max(a.threshold, b.threshold)
            (a, b) = (a.widened(to: wanted), b.widened(to: wanted))
        }
        let schema = min(a.schema, b.schema)
        var added = other.coarser(schema)
        (added.threshold, added.zero) = (b.threshold, b.zero)
        return (a.coarser(schema), added.withoutBucketsInZero)
    }

    package func adding(_ other: SlowHistogram, times factor: Double = 1) -> SlowHistogram? {
        guard let (a, b) = Self.aligned(self, other) else { return nil }
        var result = a
        result.count += factor * b.count
        result.sum += factor * b.sum
        result.zero += factor * b.zero
        for (index, count) in b.up { result.up[index, default: 0] += factor * count }
        for (index, count) in b.down { result.down[index, default: 0] += factor * count }
        return result.compacted
    }

    package func scaled(_ factor: Double) -> SlowHistogram {
        var result = self
        result.count *= factor
        result.sum *= factor
        result.zero *= factor
        result.up = up.mapValues { $0 * factor }
        result.down = down.mapValues { $0 * factor }
        return result.compacted
    }

    /// Divided by a number; by zero the buckets vanish.
    package func divided(_ divisor: Double) -> SlowHistogram {
        var result = self
        result.count /= divisor
        result.sum /= divisor
        result.zero /= divisor
        result.up = divisor == 0 ? [:] : up.mapValues { $0 / divisor }
        result.down = divisor == 0 ? [:] : down.mapValues { $0 / divisor }
        return result.compacted
    }

    /// All added up; nil if there is none, or exponential and custom buckets meet.
    package static func sum(_ list: [SlowHistogram]) -> SlowHistogram? {
        guard var result = list.first else { return nil }
        for other in list.dropFirst() {
            guard let sum = result.adding(other) else { return nil }
            result = sum
        }
        return result
    }

    /// Whether every number is the same.
    ///
    /// Which empty buckets are named does not matter: all histograms of a chunk name the same.
    package func isEqual(_ other: SlowHistogram) -> Bool {
        func numbers(_ one: SlowHistogram) -> [UInt64] { [one.count, one.sum, one.zero].map(\.bitPattern) }
        return schema == other.schema && bounds == other.bounds && threshold == other.threshold
            && numbers(self) == numbers(other) && compacted.up == other.compacted.up
            && compacted.down == other.compacted.down
    }

    // MARK: Trimming

    /// What `</` (below) and `>/` leave, and where what is left is assumed to lie.
    ///
    /// Each side is gone through alone: where a bucket reaches into the zero bucket it keeps its bounds.
    package func trimmed(below: Bool, _ limit: Double) -> SlowHistogram {
        var (result, kept, estimate, isCut) = (self, 0.0, 0.0, false)
        func trim(_ bucket: Bucket) -> Double {
            let (part, middle) = share(bucket, below, limit)
            if part != bucket.count { isCut = true }
            kept += part
            if part != 0 { estimate += part * middle }
            return part
        }
        for (index, count) in up {
            result.up[index] = trim(Bucket(lower: bound(index - 1), upper: bound(index), count: count))
        }
        for (index, count) in down {
            result.down[index] = trim(Bucket(lower: -bound(index), upper: -bound(index - 1), count: count))
        }
        if zero != 0 {
            // Reaches only to the side where there are others.
            let (ups, downs) = (compacted.up.isEmpty, compacted.down.isEmpty)
            let (lower, upper) = (downs && !ups ? 0 : -threshold, ups && !downs ? 0 : threshold)
            result.zero = trim(Bucket(lower: lower, upper: upper, count: zero, isZero: true))
        }
        guard isCut else { return self }
        (result.count, result.sum) = (kept, estimate)
        return result.compacted
    }

    /// How much of a bucket is left, and in the middle of what.
    private func share(_ bucket: Bucket, _ below: Bool, _ x: Double) -> (Double, Double) {
        let (lower, upper, count) = (bucket.lower, bucket.upper, bucket.count)
        let isLinear = isCustom || bucket.isZero
        func middle(_ l: Double, _ u: Double) -> Double {
            if l == -.infinity { return u > 0 ? u / 2 : u }
            if u == .infinity { return l }
            return isLinear ? (l + u) / 2 : (l < 0 ? -1 : 1) * abs(l * u).squareRoot()
        }
        // Of the zero bucket an unknown share is on a side of NaN, of the others none.
        if x.isNaN { return bucket.isZero ? (.nan, .nan) : (0, 0) }
        if below ? x >= upper : x <= lower {
            return (count, lower == -.infinity && upper == .infinity ? 0 : middle(lower, upper))
        }
        if below ? x <= lower : x >= upper { return (0, 0) }
        if lower == -.infinity {
            if below {
                if x > 0, upper > 0, upper < .infinity { return (count * x / upper, x / 2) }
                return upper <= 0 ? (count, x) : (0, 0)
            }
            return upper < .infinity && x >= 0 ? (count * (1 - x / upper), (x + upper) / 2) : (0, 0)
        }
        if upper == .infinity { return below ? (0, 0) : (count, x) }
        var part: Double
        if isLinear {
            part = (x - lower) / (upper - lower)
        } else {
            part = (log2(abs(x)) - log2(abs(lower))) / (log2(abs(upper)) - log2(abs(lower)))
        }
        return below ? (count * part, middle(lower, x)) : (count * (1 - part), middle(x, upper))
    }

    /// Without empty buckets.
    private var compacted: SlowHistogram {
        var result = self
        result.up = up.filter { $0.value != 0 }
        result.down = down.filter { $0.value != 0 }
        return result
    }

    /// Without any buckets.
    package var withoutBuckets: SlowHistogram {
        var result = self
        (result.threshold, result.zero, result.up, result.down) = (0, 0, [:], [:])
        return result
    }

    /// Whether the counter that this is a later state of began again.
    package func isReset(after before: SlowHistogram) -> Bool {
        if count < before.count { return true }
        if isCustom != before.isCustom { return true }
        if isCustom {
            if bounds == before.bounds {
                return before.up.contains { $0.value > up[$0.key] ?? 0 }
            }
            let common = bounds.filter(before.bounds.contains)
            let (now, then) = (rebound(common), before.rebound(common))
            return then.up.contains { $0.value > now.up[$0.key] ?? 0 }
        }
        if schema > before.schema || threshold < before.threshold { return true }
        let then = before.widened(to: threshold)
        if then.threshold != threshold || then.zero > zero { return true }
        var coarse = before.coarser(schema)
        coarse.threshold = threshold
        coarse = coarse.withoutBucketsInZero
        return coarse.up.contains { $0.value > up[$0.key] ?? 0 }
            || coarse.down.contains { $0.value > down[$0.key] ?? 0 }
    }

    // MARK: Ranges

    package typealias Sample = (time: Int64, histogram: SlowHistogram)

    /// `rate`, `increase` and `delta` over the samples of a range of time, ms.
    package static func extrapolated(
        _ samples: [Sample], over range: ClosedRange<Int64>, isCounter: Bool, isRate: Bool
    ) -> SlowHistogram? {
        guard samples.count >= 2, let last = samples.last else { return nil }
        var first = samples[0].histogram
        // The first sample gives nothing but its place if the second begins again.
        if isCounter, samples[1].histogram.isReset(after: first) {
            first = SlowHistogram(emptyLike: samples[1].histogram)
        }
        let others = isCounter ? samples.dropFirst().map(\.histogram) : [last.histogram]
        guard others.allSatisfy({ $0.isCustom == first.isCustom }) else { return nil }
        let coarsest = others.reduce(first.schema) { min($0, $1.schema) }
        let end = last.histogram.isCustom ? last.histogram : last.histogram.coarser(coarsest)
        guard var result = end.adding(first, times: -1) else { return nil }
        for i in 1..<samples.count where isCounter {
            let before = i == 1 ? first : samples[i - 1].histogram
            guard samples[i].histogram.isReset(after: before) else { continue }
            guard let more = result.adding(before) else { return nil }
            result = more
        }
        let sampled = Double(last.time - samples[0].time) / 1000
        let average = sampled / Double(samples.count - 1)
        var before = Double(samples[0].time - range.lowerBound) / 1000
        var after = Double(range.upperBound - last.time) / 1000
        if before >= average * 1.1 { before = average / 2 }
        let counted = samples[0].histogram.count
        if isCounter, result.count > 0, counted >= 0 { before = min(before, sampled * counted / result.count) }
        if after >= average * 1.1 { after = average / 2 }
        var factor = (sampled + before + after) / sampled
        if isRate { factor /= Double(range.upperBound - range.lowerBound) / 1000 }
        return result.scaled(factor)
    }

    /// `irate` over the last two samples.
    package static func instantRate(_ samples: [Sample]) -> SlowHistogram? {
        guard samples.count >= 2 else { return nil }
        let (before, last) = (samples[samples.count - 2], samples[samples.count - 1])
        let result =
            last.histogram.isReset(after: before.histogram)
            ? last.histogram : last.histogram.adding(before.histogram, times: -1)
        return result?.scaled(1000 / Double(last.time - before.time))
    }

    // MARK: Comparing

    /// How the other differs beyond rounding; nil if it does not.
    package func difference(_ other: SlowHistogram) -> String? {
        if schema != other.schema { return "schema \(schema), \(other.schema)" }
        if bounds != other.bounds { return "bounds \(bounds), \(other.bounds)" }
        if !Self.isClose(threshold, other.threshold, 1) { return "threshold \(threshold), \(other.threshold)" }
        let scale = max(abs(count), abs(other.count), 1)
        for (what, a, b) in [("count", count, other.count), ("zero", zero, other.zero)]
        where !Self.isClose(a, b, scale) { return "\(what) \(a), \(b)" }
        if !Self.isClose(sum, other.sum, max(abs(sum), 1000)) { return "sum \(sum), \(other.sum)" }
        for (side, a, b) in [("up", up, other.up), ("down", down, other.down)] {
            for index in Set(a.keys).union(b.keys) where !Self.isClose(a[index] ?? 0, b[index] ?? 0, scale) {
                return "\(side) \(index): \(a[index] ?? 0), \(b[index] ?? 0)"
            }
        }
        return nil
    }

    package static func isClose(_ a: Double, _ b: Double, _ scale: Double = 0) -> Bool {
        if a.isNaN || b.isNaN { return a.isNaN && b.isNaN }
        return a == b || abs(a - b) <= 1e-9 * max(abs(a), abs(b), scale)
    }
}
