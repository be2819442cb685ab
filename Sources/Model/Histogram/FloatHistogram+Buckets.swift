extension FloatHistogram {
    /// One bucket with its bounds, for readers of a histogram.
    public struct Bucket: Sendable, Hashable {
        public var lower: Double
        public var upper: Double
        public var lowerInclusive: Bool
        public var upperInclusive: Bool
        public var count: Double
        /// Its index on its side; 0 for the zero bucket.
        public var index: Int

        public init(
            lower: Double, upper: Double, lowerInclusive: Bool = false, upperInclusive: Bool = true, count: Double,
            index: Int = 0
        ) {
            self.lower = lower
            self.upper = upper
            self.lowerInclusive = lowerInclusive
            self.upperInclusive = upperInclusive
            self.count = count
            self.index = index
        }
    }

    /// Whether the bounds are custom ones and not powers.
    public var usesCustomBuckets: Bool { schema == FloatHistogram.customSchema }

    /// Calls `body` with each index in `spans` and its position, until `body` returns false or after `count` calls.
    package static func forEachIndex(of spans: [Span], count: Int, _ body: (Int, Int) -> Bool) {
        var index = 0
        var position = 0
        for span in spans {
            index &+= Int(span.offset)
            var left = span.length
            while left > 0 {
                guard position < count, body(index, position) else { return }
                position += 1
                index &+= 1
                left -= 1
            }
        }
    }

    /// The spans of ascending indices.
    package static func spans(of indices: [Int]) -> [Span] {
        var spans: [Span] = []
        var next = 0
        for index in indices {
            if index == next, let last = spans.indices.last, spans[last].length < .max {
                spans[last].length &+= 1
            } else {
                spans.append(.init(offset: Int32(clamping: index &- next), length: 1))
            }
            next = index &+ 1
        }
        return spans
    }

    /// The upper bound of bucket `index` of the positive side.
    public func upperBound(_ index: Int) -> Double {
        guard usesCustomBuckets else { return ExponentialBounds.upper(index, schema: schema) }
        if index < 0 { return -.infinity }
        return index < customBounds.count ? customBounds[index] : .infinity
    }

    private func positiveBucket(_ index: Int, _ count: Double) -> Bucket {
        let lower = upperBound(index &- 1)
        return Bucket(
            lower: lower, upper: upperBound(index), lowerInclusive: usesCustomBuckets && lower == -.infinity,
            upperInclusive: true, count: count, index: index)
    }

    private func negativeBucket(_ index: Int, _ count: Double) -> Bucket {
        Bucket(
            lower: -upperBound(index), upper: -upperBound(index &- 1), lowerInclusive: true, upperInclusive: false,
            count: count, index: index)
    }

    /// The zero bucket, empty or not.
    public var zeroBucket: Bucket {
        Bucket(
            lower: -zeroThreshold, upper: zeroThreshold, lowerInclusive: true, upperInclusive: true, count: zeroCount)
    }

    /// Calls `body` with the buckets of the positive side from zero outwards, until it returns false.
    public func forEachPositive(_ body: (Bucket) -> Bool) {
        Self.forEachIndex(of: positiveSpans, count: positiveBuckets.count) { index, position in
            body(positiveBucket(index, positiveBuckets[position]))
        }
    }

    /// Calls `body` with the buckets of the negative side from zero outwards, until it returns false.
    public func forEachNegative(_ body: (Bucket) -> Bool) {
        Self.forEachIndex(of: negativeSpans, count: negativeBuckets.count) { index, position in
            body(negativeBucket(index, negativeBuckets[position]))
        }
    }

    /// All buckets in order of their bounds, the zero bucket only if it is not empty; overlaps with it are removed from
    /// the others.
    ///
    /// Empty buckets within the spans are included.
    public func ascendingBuckets() -> [Bucket] {
        var result: [Bucket] = []
        result.reserveCapacity(positiveBuckets.count + negativeBuckets.count + 1)
        forEachNegative { bucket in
            var bucket = bucket
            if bucket.upper < 0, bucket.upper > -zeroThreshold { bucket.upper = -zeroThreshold }
            result.append(bucket)
            return true
        }
        result.reverse()
        if zeroCount > 0 { result.append(zeroBucket) }
        forEachPositive { bucket in
            var bucket = bucket
            if bucket.lower > 0, bucket.lower < zeroThreshold { bucket.lower = zeroThreshold }
            result.append(bucket)
            return true
        }
        return result
    }

    var positiveList: BucketList { BucketList(positiveSpans, positiveBuckets) }
    var negativeList: BucketList { BucketList(negativeSpans, negativeBuckets) }

    mutating func setPositive(_ list: BucketList) {
        positiveSpans = list.spans
        positiveBuckets = list.counts
    }

    mutating func setNegative(_ list: BucketList) {
        negativeSpans = list.spans
        negativeBuckets = list.counts
    }
}
