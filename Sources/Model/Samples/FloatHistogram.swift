/// A native histogram with float counts, for computations of PromQL.
///
/// Exponential schemas −4…8 have base 2^(2^−schema); schema −53 has custom bounds. See Prometheus's native-histogram
/// specification; `docs/architecture.md` describes where its arithmetic is.
public struct FloatHistogram: Sendable {
    /// The knowledge about counter resets between the previous sample and this one.
    public enum ResetHint: UInt8, Sendable {
        case unknown = 0
        case reset = 1
        case notReset = 2
        case gauge = 3
    }

    /// A range of consecutive buckets: `offset` is the distance from the end of the previous range (from zero for the
    /// first).
    public struct Span: Sendable, Hashable {
        public var offset: Int32
        public var length: UInt32

        public init(offset: Int32, length: UInt32) {
            self.offset = offset
            self.length = length
        }
    }

    public static let customSchema: Int32 = -53

    public var resetHint: ResetHint
    /// Whether its sender used floating-point counts, or it was computed; otherwise its sender used integers.
    public var hasFloatCounts: Bool
    public var schema: Int32
    public var zeroThreshold: Double
    public var zeroCount: Double
    public var count: Double
    public var sum: Double
    public var positiveSpans: [Span]
    public var negativeSpans: [Span]
    /// The absolute counts, one per bucket of the spans.
    public var positiveBuckets: [Double]
    /// The absolute counts, one per bucket of the spans.
    public var negativeBuckets: [Double]
    /// Upper bounds of schema −53, ascending, without +Inf; otherwise empty.
    public var customBounds: [Double]

    public init(
        resetHint: ResetHint = .unknown, schema: Int32 = 0, zeroThreshold: Double = 0, zeroCount: Double = 0,
        count: Double = 0, sum: Double = 0, positiveSpans: [Span] = [], negativeSpans: [Span] = [],
        positiveBuckets: [Double] = [], negativeBuckets: [Double] = [], customBounds: [Double] = [],
        hasFloatCounts: Bool = true
    ) {
        self.resetHint = resetHint
        self.hasFloatCounts = hasFloatCounts
        self.schema = schema
        self.zeroThreshold = zeroThreshold
        self.zeroCount = zeroCount
        self.count = count
        self.sum = sum
        self.positiveSpans = positiveSpans
        self.negativeSpans = negativeSpans
        self.positiveBuckets = positiveBuckets
        self.negativeBuckets = negativeBuckets
        self.customBounds = customBounds
    }
}
