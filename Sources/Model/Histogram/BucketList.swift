/// The buckets of one side of a histogram by ascending index, for arithmetic, in place of spans.
///
/// Empty buckets within the spans are included.
struct BucketList {
    var indices: [Int] = []
    var counts: [Double] = []

    init() {}

    /// Reads spans and counts; stops at the end of the shorter list.
    init(_ spans: [FloatHistogram.Span], _ buckets: [Double]) {
        indices.reserveCapacity(buckets.count)
        FloatHistogram.forEachIndex(of: spans, count: buckets.count) { index, _ in
            indices.append(index)
            return true
        }
        counts = indices.count == buckets.count ? buckets : Array(buckets.prefix(indices.count))
    }

    var spans: [FloatHistogram.Span] { FloatHistogram.spans(of: indices) }

    mutating func append(_ index: Int, _ count: Double) {
        indices.append(index)
        counts.append(count)
    }

    /// The index of `index` at a resolution that is `steps` powers of two coarser.
    static func reducedIndex(_ index: Int, by steps: Int) -> Int { ((index &- 1) >> min(steps, 62)) &+ 1 }

    /// The list at a resolution that is `steps` powers of two coarser.
    func reduced(by steps: Int) -> BucketList {
        guard steps > 0 else { return self }
        var result = BucketList()
        for position in indices.indices {
            let index = Self.reducedIndex(indices[position], by: steps)
            if let last = result.indices.last, last == index {
                result.counts[result.counts.count - 1] += counts[position]
            } else {
                result.append(index, counts[position])
            }
        }
        return result
    }

    /// The buckets whose positions `isIncluded` accepts.
    func filter(_ isIncluded: (Int) -> Bool) -> BucketList {
        var result = BucketList()
        for position in indices.indices where isIncluded(position) {
            result.append(indices[position], counts[position])
        }
        return result
    }
}
