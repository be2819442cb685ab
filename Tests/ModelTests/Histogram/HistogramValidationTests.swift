import Model
import Testing

@Suite("Validation of native histograms")
struct HistogramValidationTests {
    private typealias Span = FloatHistogram.Span

    /// A valid histogram of integers with both sides.
    private static let exponential = FloatHistogram(
        schema: 1, zeroThreshold: 0.001, zeroCount: 1, count: 7, sum: 3,
        positiveSpans: [Span(offset: -2, length: 1), Span(offset: 3, length: 1)],
        negativeSpans: [Span(offset: 0, length: 1)], positiveBuckets: [2, 1], negativeBuckets: [3],
        hasFloatCounts: false)
    private static let custom = FloatHistogram(
        schema: -53, count: 3, sum: 3, positiveSpans: [Span(offset: 1, length: 2)], positiveBuckets: [1, 2],
        customBounds: [1, 2], hasFloatCounts: false)

    struct Case: Sendable {
        var text: String
        var change: @Sendable (inout FloatHistogram) -> Void
        var isCustom = false
    }

    private static let schemaText =
        "histogram has an invalid schema, which must be between -4 and 8 for exponential buckets, or -53 for custom "
        + "buckets, got schema "
    private static let mismatch = ": histogram spans specify different number of buckets than provided"
    private static let negative = ": histogram has a bucket whose observation count is negative"
    private static let offset = ": histogram has a span whose offset is negative"
    private static let total =
        "histogram's observation count should equal the number of observations found in the buckets (in absence of NaN)"

    static let cases: [Case] = [
        Case(text: schemaText + "-5") { $0.schema = -5 }, Case(text: schemaText + "53") { $0.schema = 53 },
        Case(text: schemaText + "-54") { $0.schema = -54 },
        Case(text: schemaText + "-2147483648") { $0.schema = .min },
        Case(text: schemaText + "2147483647") { $0.schema = .max },
        Case(text: "positive side: spans need 4294967296 buckets, have 2 buckets" + mismatch) {
            $0.positiveSpans[1].length = .max
        },
        Case(text: "positive side: spans need 0 buckets, have 2 buckets" + mismatch) { $0.positiveSpans = [] },
        Case(text: "negative side: spans need 1 buckets, have 0 buckets" + mismatch) { $0.negativeBuckets = [] },
        Case(text: "positive side: span number 2 with offset -1" + offset) { $0.positiveSpans[1].offset = -1 },
        Case(text: "negative side: span number 2 with offset -2147483648" + offset) {
            $0.negativeSpans.append(Span(offset: .min, length: 0))
        },
        Case(text: "negative side: bucket number 1 has observation count of -3" + negative) {
            $0.negativeBuckets = [-3]
        },
        Case(text: "positive side: bucket number 2 has observation count of -1" + negative) {
            $0.positiveBuckets = [9, -1]
        },
        Case(text: "histogram with exponential schema must not have custom bounds") { $0.customBounds = [1] },
        Case(text: "7 observations found in buckets, but the Count field is 30: " + total) { $0.count = 30 },
        Case(
            text: "7 observations found in buckets, but the Count field is 6: histogram's observation count should be "
                + "at least the number of observations found in the buckets"
        ) {
            $0.sum = .nan
            $0.count = 6
        },
        Case(text: "zero bucket has observation count of -1" + negative) {
            $0.hasFloatCounts = true
            $0.zeroCount = -1
        },
        Case(text: "observation count is -1: histogram's observation count is negative") {
            $0.hasFloatCounts = true
            $0.count = -1
        },
        Case(
            text: "custom buckets: only 0 custom bounds defined which is insufficient to cover total span length of 3: "
                + "histogram custom bounds are too few", change: { $0.customBounds = [] }, isCustom: true),
        Case(
            text: "custom buckets: previous bound is 2 and current is 1: "
                + "histogram custom bounds must be in strictly increasing order", change: { $0.customBounds = [2, 1] },
            isCustom: true),
        Case(
            text: "custom buckets: previous bound is -Inf and current is -Inf: "
                + "histogram custom bounds must be in strictly increasing order",
            change: { $0.customBounds = [-.infinity, 1] }, isCustom: true),
        Case(
            text: "custom buckets: last +Inf bound must not be explicitly defined: "
                + "histogram custom bounds must be finite", change: { $0.customBounds = [1, .infinity] },
            isCustom: true),
        Case(
            text: "custom buckets: histogram custom bounds must not be NaN", change: { $0.customBounds = [1, .nan] },
            isCustom: true),
        Case(
            text: "custom buckets: span number 1 with offset -1" + offset, change: { $0.positiveSpans[0].offset = -1 },
            isCustom: true),
        Case(
            text: "custom buckets: spans need 1 buckets, have 2 buckets" + mismatch,
            change: { $0.positiveSpans[0].length = 1 }, isCustom: true),
        Case(
            text: "custom buckets: must have zero count of 0", change: { $0.zeroCount = 1 }, isCustom: true),
        Case(
            text: "custom buckets: must have zero threshold of 0", change: { $0.zeroThreshold = 0.1 }, isCustom: true),
        Case(
            text: "custom buckets: must not have negative spans",
            change: { $0.negativeSpans = [Span(offset: 0, length: 0)] }, isCustom: true),
        Case(
            text: "custom buckets: must not have negative buckets", change: { $0.negativeBuckets = [1] },
            isCustom: true),
    ]

    @Test("each broken rule has Prometheus's text", arguments: cases)
    func broken(_ one: Case) {
        var histogram = one.isCustom ? Self.custom : Self.exponential
        one.change(&histogram)
        var found = ""
        do { try histogram.validate() } catch { found = "\(error)" }
        #expect(found == one.text)
        Self.useAll(histogram)
    }

    @Test("what Prometheus takes is taken, and finer schemas are reduced to 8")
    func accepted() throws {
        try Self.exponential.validate()
        try Self.custom.validate()
        var skewed = Self.exponential
        (skewed.sum, skewed.count) = (.nan, 9)
        try skewed.validate()
        var float = Self.exponential
        (float.hasFloatCounts, float.count) = (true, 30)
        try float.validate()
        for schema: Int32 in [9, 20, 52] {
            var fine = Self.exponential
            fine.schema = schema
            let stored = try fine.accepted()
            #expect(stored.schema == 8)
            #expect(stored.positiveBuckets.reduce(0, +) == 3 && stored.count == 7)
            try stored.validate()
        }
        try FloatHistogram(sum: Staleness.marker, hasFloatCounts: false).validate()
    }

    @Test("broken histograms can be computed with: no index and no schema traps")
    func total() {
        let extremes: [Int32] = [.min, .min + 1, -54, -53, -52, -17, -9, -5, 9, 31, 52, 64, .max]
        for schema in extremes {
            for index in [Int.min, .min + 1, -1 << 40, -1, 0, 1, 1 << 40, .max - 1, .max] {
                _ = ExponentialBounds.upper(index, schema: schema)
            }
            for offset in [Int32.min, -1, 0, .max] {
                for length in [UInt32(0), 1, .max] {
                    var histogram = Self.exponential
                    histogram.schema = schema
                    histogram.positiveSpans = [Span(offset: offset, length: length), Span(offset: offset, length: 1)]
                    histogram.negativeSpans = histogram.positiveSpans
                    Self.useAll(histogram)
                }
            }
        }
    }

    /// Computes everything that there is of a histogram.
    private static func useAll(_ histogram: FloatHistogram) {
        _ = histogram.description
        _ = histogram.testNotation
        _ = histogram.quantile(0.9)
        _ = histogram.quantile(0.1)
        _ = histogram.fraction(-1, 2)
        _ = histogram.standardDeviation
        _ = histogram.compacted()
        _ = histogram.fitted()
        _ = histogram.trimmed(.below, 1)
        _ = histogram.trimmed(.above, 1)
        for other in [exponential, custom, histogram] {
            _ = try? histogram.adding(other)
            _ = try? other.subtracting(histogram)
            _ = histogram.isReset(after: other)
            _ = other.isReset(after: histogram)
            _ = histogram == other
        }
        for schema: Int32 in [.min, -4, 0, 8] { _ = histogram.reduced(to: schema) }
    }
}
