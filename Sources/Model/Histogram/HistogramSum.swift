/// A sum of native histograms: each count with Kahan–Neumaier compensation if requested, and plain otherwise.
public struct HistogramSum: Sendable {
    /// One histogram has exponential buckets, the other custom ones.
    public struct IncompatibleLayouts: Error, Sendable {
        public init() {}
    }

    /// Conditions of a sum that are reported to the user.
    public struct Notes: OptionSet, Sendable {
        public let rawValue: UInt8
        public init(rawValue: UInt8) { self.rawValue = rawValue }

        /// A histogram with a counter reset and one without were added.
        public static let counterResetCollision = Notes(rawValue: 1)
        /// Different custom bounds were reduced to the common ones.
        public static let boundsReconciled = Notes(rawValue: 2)
    }

    /// The scalars of the sum; its buckets are in the lists.
    private var head: FloatHistogram
    private var positive: [ListPart]
    private var negative: [ListPart]
    private let isCompensated: Bool
    private var countRest = 0.0
    private var sumRest = 0.0
    private var zeroRest = 0.0

    /// One bucket of the running sum.
    private struct ListPart: Sendable {
        var index: Int
        var count: Double
        var rest: Double

        mutating func add(_ value: Double, isCompensated: Bool) {
            if isCompensated { KahanSum.add(value, to: &count, &rest) } else { count += value }
        }
    }

    /// Begins with a first histogram.
    public init(_ first: FloatHistogram, isCompensated: Bool) {
        head = first
        self.isCompensated = isCompensated
        positive = Self.parts(first.positiveSpans, first.positiveBuckets)
        negative = Self.parts(first.negativeSpans, first.negativeBuckets)
        head.positiveBuckets = []
        head.negativeBuckets = []
        head.positiveSpans = []
        head.negativeSpans = []
    }

    /// The bytes of the buckets of the running sum.
    public var heldBytes: Int { (positive.count &+ negative.count &+ 1) &* MemoryLayout<ListPart>.stride }

    /// The bytes of the buckets of a sum that begins with a histogram.
    public static func bytes(of first: FloatHistogram) -> Int {
        (first.positiveBuckets.count &+ first.negativeBuckets.count &+ 1) &* MemoryLayout<ListPart>.stride
    }

    /// Adds a histogram.
    public mutating func add(_ other: FloatHistogram) throws(IncompatibleLayouts) -> Notes {
        try merge(other, sign: 1)
    }

    /// Subtracts a histogram.
    public mutating func subtract(_ other: FloatHistogram) throws(IncompatibleLayouts) -> Notes {
        try merge(other, sign: -1)
    }

    /// Multiplies the sum so far, with its compensations.
    public mutating func scale(by factor: Double) {
        transform { $0 * factor }
    }

    /// Divides the sum so far, with its compensations.
    public mutating func divide(by divisor: Double) {
        transform { $0 / divisor }
    }

    private mutating func transform(_ change: (Double) -> Double) {
        for value in [\HistogramSum.head.count, \.head.sum, \.head.zeroCount, \.countRest, \.sumRest, \.zeroRest] {
            self[keyPath: value] = change(self[keyPath: value])
        }
        for i in positive.indices {
            positive[i].count = change(positive[i].count)
            positive[i].rest = change(positive[i].rest)
        }
        for i in negative.indices {
            negative[i].count = change(negative[i].count)
            negative[i].rest = change(negative[i].rest)
        }
    }

    /// Whether any count or the sum has overflowed.
    public var hasOverflowed: Bool {
        head.count.isInfinite || head.sum.isInfinite || head.zeroCount.isInfinite
            || positive.contains { $0.count.isInfinite } || negative.contains { $0.count.isInfinite }
    }

    /// The sum; not compacted.
    public var total: FloatHistogram {
        var result = head
        result.count += countRest
        result.sum += sumRest
        result.zeroCount += zeroRest
        (result.positiveSpans, result.positiveBuckets) = Self.spans(positive)
        (result.negativeSpans, result.negativeBuckets) = Self.spans(negative)
        return result
    }

    private static func parts(_ spans: [FloatHistogram.Span], _ buckets: [Double]) -> [ListPart] {
        var result: [ListPart] = []
        result.reserveCapacity(buckets.count)
        FloatHistogram.forEachIndex(of: spans, count: buckets.count) { index, position in
            result.append(ListPart(index: index, count: buckets[position], rest: 0))
            return true
        }
        return result
    }

    private static func spans(_ parts: [ListPart]) -> ([FloatHistogram.Span], [Double]) {
        var list = BucketList()
        for part in parts { list.append(part.index, part.count + part.rest) }
        return (list.spans, list.counts)
    }

    private static func add(_ value: Double, to sum: inout Double, _ rest: inout Double, _ isCompensated: Bool) {
        if isCompensated { KahanSum.add(value, to: &sum, &rest) } else { sum += value }
    }

    private mutating func merge(_ other: FloatHistogram, sign: Double) throws(IncompatibleLayouts) -> Notes {
        guard head.usesCustomBuckets == other.usesCustomBuckets else { throw IncompatibleLayouts() }
        var notes: Notes = []
        if mergeHint(other.resetHint) { notes.insert(.counterResetCollision) }
        let otherZeroCount = head.usesCustomBuckets ? 0 : raiseZeroThresholds(other)
        if !head.usesCustomBuckets { Self.add(sign * otherZeroCount, to: &head.zeroCount, &zeroRest, isCompensated) }
        Self.add(sign * other.count, to: &head.count, &countRest, isCompensated)
        Self.add(sign * other.sum, to: &head.sum, &sumRest, isCompensated)

        var otherPositive = Self.parts(other.positiveSpans, other.positiveBuckets)
        var otherNegative = Self.parts(other.negativeSpans, other.negativeBuckets)
        if head.usesCustomBuckets {
            if head.customBounds != other.customBounds {
                notes.insert(.boundsReconciled)
                let shared = Self.intersection(head.customBounds, other.customBounds)
                positive = rebucketed(positive, from: head.customBounds, to: shared)
                otherPositive = rebucketed(otherPositive, from: other.customBounds, to: shared)
                head.customBounds = shared
            }
        } else if other.schema < head.schema {
            let steps = Int(head.schema) - Int(other.schema)
            positive = reduced(positive, by: steps)
            negative = reduced(negative, by: steps)
            head.schema = other.schema
        } else if other.schema > head.schema {
            let steps = Int(other.schema) - Int(head.schema)
            otherPositive = reduced(otherPositive, by: steps)
            otherNegative = reduced(otherNegative, by: steps)
        }
        positive = merged(positive, otherPositive, sign: sign)
        negative = merged(negative, otherNegative, sign: sign)
        return notes
    }

    /// Merges the other's hint; returns true if the two are contradictory.
    private mutating func mergeHint(_ other: FloatHistogram.ResetHint) -> Bool {
        let mine = head.resetHint
        if mine == other { return false }
        if mine == .gauge || other == .gauge {
            head.resetHint = .gauge
            return false
        }
        head.resetHint = .unknown
        return mine != .unknown && other != .unknown
    }

    /// Widens the narrower zero bucket until both have the same threshold; returns the resulting zero count of `other`.
    private mutating func raiseZeroThresholds(_ other: FloatHistogram) -> Double {
        var (otherCount, otherThreshold) = (other.zeroCount, other.zeroThreshold)
        while otherThreshold != head.zeroThreshold {
            if head.zeroThreshold > otherThreshold {
                (otherCount, otherThreshold) = other.zeroCount(threshold: head.zeroThreshold)
            }
            if otherThreshold > head.zeroThreshold {
                let threshold = widen(to: otherThreshold)
                guard threshold > head.zeroThreshold else { break }
                head.zeroThreshold = threshold
                foldIntoZeroBucket()
            } else if otherThreshold.isNaN || head.zeroThreshold.isNaN {
                break
            }
        }
        return otherCount
    }

    /// The smallest threshold from `threshold` on that does not split a non-empty bucket of the running sum.
    private func widen(to threshold: Double) -> Double {
        var threshold = threshold
        while true {
            let before = threshold
            for part in positive + negative where part.count != 0 {
                let lower = ExponentialBounds.upper(part.index &- 1, schema: head.schema)
                if lower < threshold {
                    threshold = max(threshold, ExponentialBounds.upper(part.index, schema: head.schema))
                }
            }
            if threshold == before { return threshold }
        }
    }

    /// Moves the buckets below the threshold into the zero bucket.
    private mutating func foldIntoZeroBucket() {
        func isInside(_ part: ListPart) -> Bool {
            ExponentialBounds.upper(part.index &- 1, schema: head.schema) < head.zeroThreshold
        }
        for part in positive where isInside(part) {
            Self.add(part.count, to: &head.zeroCount, &zeroRest, isCompensated)
            zeroRest += part.rest
        }
        for part in negative where isInside(part) {
            Self.add(part.count, to: &head.zeroCount, &zeroRest, isCompensated)
            zeroRest += part.rest
        }
        positive.removeAll(where: isInside)
        negative.removeAll(where: isInside)
    }

    /// The parts at a resolution that is `steps` powers of two coarser.
    private func reduced(_ parts: [ListPart], by steps: Int) -> [ListPart] {
        var result: [ListPart] = []
        for part in parts {
            let index = BucketList.reducedIndex(part.index, by: steps)
            if let last = result.indices.last, result[last].index == index {
                result[last].rest += part.rest
                result[last].add(part.count, isCompensated: isCompensated)
            } else {
                result.append(ListPart(index: index, count: part.count, rest: part.rest))
            }
        }
        return result
    }

    /// The sums by index; parts of `other` inside the zero bucket are left out.
    private func merged(_ parts: [ListPart], _ other: [ListPart], sign: Double) -> [ListPart] {
        guard !other.isEmpty else { return parts }
        var result: [ListPart] = []
        result.reserveCapacity(max(parts.count, other.count))
        var (i, j) = (0, 0)
        while i < parts.count || j < other.count {
            if j == other.count || (i < parts.count && parts[i].index < other[j].index) {
                result.append(parts[i])
                i += 1
                continue
            }
            let part = other[j]
            let isNew = i == parts.count || part.index < parts[i].index
            j += 1
            if !head.usesCustomBuckets,
                ExponentialBounds.upper(part.index, schema: head.schema) <= head.zeroThreshold
            {
                continue
            }
            if isNew {
                result.append(ListPart(index: part.index, count: sign * part.count, rest: sign * part.rest))
            } else {
                var mine = parts[i]
                mine.rest += sign * part.rest
                mine.add(sign * part.count, isCompensated: isCompensated)
                result.append(mine)
                i += 1
            }
        }
        return result
    }

    /// The common bounds of both ascending lists.
    static func intersection(_ a: [Double], _ b: [Double]) -> [Double] {
        var result: [Double] = []
        var (i, j) = (0, 0)
        while i < a.count, j < b.count {
            if a[i] == b[j] {
                result.append(a[i])
                i += 1
                j += 1
            } else if a[i] < b[j] {
                i += 1
            } else {
                j += 1
            }
        }
        return result
    }

    /// Moves each part to the first of the `shared` bounds that is not below its own; empty parts are removed.
    private func rebucketed(_ parts: [ListPart], from bounds: [Double], to shared: [Double]) -> [ListPart] {
        var result: [ListPart] = []
        var target = 0
        for part in parts where part.count != 0 || part.rest != 0 {
            let upper =
                part.index >= 0 && part.index < bounds.count ? bounds[part.index] : Double.infinity
            while target < shared.count, shared[target] < upper { target += 1 }
            if let last = result.indices.last, result[last].index == target {
                result[last].rest += part.rest
                result[last].add(part.count, isCompensated: true)
            } else {
                result.append(ListPart(index: target, count: part.count, rest: part.rest))
            }
        }
        guard !isCompensated else { return result }
        return result.map { ListPart(index: $0.index, count: $0.count + $0.rest, rest: 0) }
    }
}
