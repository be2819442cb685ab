import Model
import Testing

@Suite("Layout of native histograms")
struct HistogramLayoutTests {
    @Test("compacting drops empty buckets wherever they are")
    func compact() {
        let loose = FloatHistogram(
            count: 3,
            positiveSpans: [.init(offset: -1, length: 3), .init(offset: 0, length: 0), .init(offset: 1, length: 2)],
            positiveBuckets: [0, 1, 0, 2, 0])
        let tight = loose.compacted()
        #expect(tight.positiveSpans == [.init(offset: 0, length: 1), .init(offset: 2, length: 1)])
        #expect(tight.positiveBuckets == [1, 2])
    }

    @Test("spans that say the same are equal, hints do not matter")
    func equality() {
        let one = FloatHistogram(count: 1, positiveSpans: [.init(offset: 3, length: 1)], positiveBuckets: [1])
        var two = one
        two.positiveSpans = [.init(offset: 1, length: 0), .init(offset: 2, length: 1)]
        two.resetHint = .gauge
        #expect(one == two)
        two.positiveSpans = [.init(offset: 4, length: 1)]
        #expect(one != two)
    }

    @Test("spans and buckets that disagree harm nobody")
    func damaged() {
        let damaged = FloatHistogram(
            count: 1, positiveSpans: [.init(offset: .max, length: .max), .init(offset: .max, length: .max)],
            negativeSpans: [.init(offset: .min, length: 1)], positiveBuckets: [1, 2], negativeBuckets: [1, 2, 3])
        #expect(!damaged.ascendingBuckets().isEmpty)
        #expect(damaged.compacted().positiveBuckets == [1, 2])
        #expect(throws: FloatHistogram.ValidationError.self) { try damaged.validate() }
    }

    @Test("a valid histogram passes, broken ones are refused by name")
    func validation() throws {
        try SampleHistograms.a.validate()
        try SampleHistograms.c.validate()
        func message(_ change: (inout FloatHistogram) -> Void, of histogram: FloatHistogram) -> String {
            var histogram = histogram
            change(&histogram)
            do {
                try histogram.validate()
                return ""
            } catch { return error.description }
        }
        #expect(message({ $0.count = -1 }, of: SampleHistograms.a).contains("observation count is negative"))
        #expect(message({ $0.customBounds = [1] }, of: SampleHistograms.a).contains("must not have custom bounds"))
        #expect(message({ $0.customBounds = [2, 1, 3] }, of: SampleHistograms.c).contains("strictly increasing order"))
        #expect(message({ $0.customBounds = [1] }, of: SampleHistograms.c).contains("too few"))
        #expect(message({ $0.schema = 60 }, of: SampleHistograms.a).contains("invalid schema"))
        #expect(message({ $0.negativeBuckets = [3] }, of: SampleHistograms.a).hasPrefix("negative side: "))
    }

    @Test("classic buckets become custom ones")
    func classic() throws {
        var classic = ClassicHistogram()
        classic.add(bound: .infinity, count: 12)
        classic.add(bound: 1, count: 6)
        classic.add(bound: 0.5, count: 2)
        classic.add(bound: 2.5, count: 11)
        classic.sum = 20
        #expect(classic.converted() == SampleHistograms.c)
        classic.count = 13
        #expect(classic.converted() == nil)
    }
}
