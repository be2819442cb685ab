extension FloatHistogram {
    /// The histogram at a coarser exponential schema; unchanged if `target` is not coarser.
    public func reduced(to target: Int32) -> FloatHistogram {
        guard !usesCustomBuckets, target < schema else { return self }
        var result = self
        let steps = Int(schema) - Int(target)
        result.schema = target
        result.setPositive(positiveList.reduced(by: steps))
        result.setNegative(negativeList.reduced(by: steps))
        return result
    }

    /// The histogram with the number of buckets that both its spans and its counts have.
    public func fitted() -> FloatHistogram {
        var result = self
        result.setPositive(positiveList)
        result.setNegative(negativeList)
        return result
    }

    /// Removes every empty bucket, and writes consecutive buckets as one span.
    public mutating func compact() {
        if needsCompaction(positiveSpans, positiveBuckets) {
            let list = positiveList
            setPositive(list.filter { list.counts[$0] != 0 })
        }
        if needsCompaction(negativeSpans, negativeBuckets) {
            let list = negativeList
            setNegative(list.filter { list.counts[$0] != 0 })
        }
    }

    /// The compacted histogram.
    public func compacted() -> FloatHistogram {
        var result = self
        result.compact()
        return result
    }

    private func needsCompaction(_ spans: [Span], _ buckets: [Double]) -> Bool {
        if buckets.contains(0) { return true }
        for (position, span) in spans.enumerated() {
            if span.length == 0 || (position > 0 && span.offset <= 0) { return true }
        }
        return false
    }

    /// Whether two histograms are equal: counts bit by bit, layouts except for empty spans; hints are ignored.
    public static func == (a: FloatHistogram, b: FloatHistogram) -> Bool {
        guard a.schema == b.schema, sameBits(a.count, b.count), sameBits(a.sum, b.sum) else { return false }
        if a.usesCustomBuckets {
            guard a.customBounds == b.customBounds else { return false }
        }
        guard a.zeroThreshold == b.zeroThreshold, sameBits(a.zeroCount, b.zeroCount),
            sameSpans(a.positiveSpans, b.positiveSpans), sameSpans(a.negativeSpans, b.negativeSpans),
            a.positiveBuckets.elementsEqual(b.positiveBuckets, by: sameBits),
            a.negativeBuckets.elementsEqual(b.negativeBuckets, by: sameBits)
        else { return false }
        return true
    }

    private static func sameBits(_ a: Double, _ b: Double) -> Bool { a.bitPattern == b.bitPattern }

    private static func sameSpans(_ a: [Span], _ b: [Span]) -> Bool {
        if a == b { return true }
        return withoutEmpty(a) == withoutEmpty(b)
    }

    /// The spans without those of length 0, whose offsets are added to the next.
    private static func withoutEmpty(_ spans: [Span]) -> [Span] {
        var result: [Span] = []
        var offset = 0
        for span in spans {
            offset &+= Int(span.offset)
            guard span.length > 0 else { continue }
            result.append(Span(offset: Int32(clamping: offset), length: span.length))
            offset = 0
        }
        return result
    }

    /// The number of 16-byte samples for which the histogram counts in a query's statistics.
    public var sampleCost: Int {
        let parts =
            positiveSpans.count + negativeSpans.count + positiveBuckets.count + negativeBuckets.count
            + customBounds.count
        return (168 + 8 * parts + 8) / 16
    }
}

extension FloatHistogram: Equatable {}
