import Model

/// The buckets of one side of a native histogram, by index.
struct NativeHistogramBuckets {
    /// Ascending by index; counts are not zero.
    private(set) var buckets: [(index: Int, count: Double)] = []

    /// Reads spans with deltas of integer counts, or with absolute counts if there are any.
    ///
    /// - Returns: nil if the spans do not fit the number of buckets.
    init?(spans: [FloatHistogram.Span], deltas: [Int64], counts: [Double]) {
        let needed = spans.reduce(0) { $0 &+ Int($1.length) }
        let isFloat = !counts.isEmpty
        guard needed == (isFloat ? counts.count : deltas.count) else { return nil }
        var index = 0
        var position = 0
        var count: Int64 = 0
        for span in spans {
            index &+= Int(span.offset)
            for _ in 0..<span.length {
                var value: Double
                if isFloat {
                    value = counts[position]
                } else {
                    count &+= deltas[position]
                    value = Double(count)
                }
                if value != 0 { buckets.append((index, value)) }
                index &+= 1
                position &+= 1
            }
        }
    }

    /// Merges buckets so that the resolution falls by `steps` schemas.
    mutating func reduce(_ steps: Int) {
        guard steps > 0, steps < 62 else { return }
        var merged: [(index: Int, count: Double)] = []
        for (index, count) in buckets {
            // A bucket of the lower resolution ends where a bucket of the higher one ends.
            let target = ((index &- 1) >> steps) &+ 1
            if merged.last?.index == target {
                merged[merged.count - 1].count += count
            } else {
                merged.append((target, count))
            }
        }
        buckets = merged
    }

    /// Spans without empty buckets, and the counts.
    var spansAndCounts: (spans: [FloatHistogram.Span], counts: [Double]) {
        (FloatHistogram.spans(of: buckets.map(\.index)), buckets.map(\.count))
    }
}
