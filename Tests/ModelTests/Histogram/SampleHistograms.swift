import Model

/// The histograms whose golden values were computed with Prometheus's own algorithms.
enum SampleHistograms {
    static let a = FloatHistogram(
        schema: 1, zeroThreshold: 0.001, zeroCount: 2, count: 20, sum: 35,
        positiveSpans: [.init(offset: 0, length: 2), .init(offset: 1, length: 2)],
        negativeSpans: [.init(offset: 0, length: 2)], positiveBuckets: [3, 5, 4, 1], negativeBuckets: [3, 2])

    static let c = custom([0.5, 1, 2.5], [2, 4, 5, 1], count: 12, sum: 20)
    static let d = custom([0.5, 2.5, 10], [1, 2, 3, 4], count: 10, sum: 9)

    static func custom(_ bounds: [Double], _ counts: [Double], count: Double, sum: Double) -> FloatHistogram {
        FloatHistogram(
            schema: FloatHistogram.customSchema, count: count, sum: sum,
            positiveSpans: [.init(offset: 0, length: UInt32(counts.count))], positiveBuckets: counts,
            customBounds: bounds)
    }
}
