import Model
import Testing

@Suite("Trimming native histograms")
struct HistogramTrimTests {
    @Test("what lies above is cut off")
    func below() {
        let kept = SampleHistograms.a.trimmed(.below, 1.2)
        #expect((kept.count - 12.630344058337938).magnitude < 1e-14)
        #expect((kept.sum - 0.502983319497305).magnitude < 1e-14)
        #expect(kept.zeroCount == 2)
        #expect(kept.positiveSpans == [.init(offset: 0, length: 2)])
        #expect(kept.negativeBuckets == [3, 2])
    }

    @Test("what lies below is cut off")
    func above() {
        let kept = SampleHistograms.a.trimmed(.above, 1.2)
        #expect((kept.count - 7.369655941662062).magnitude < 1e-14)
        #expect((kept.sum - 15.964219738342859).magnitude < 1e-14)
        #expect(kept.zeroCount == 0)
        #expect(kept.positiveSpans == [.init(offset: 1, length: 1), .init(offset: 1, length: 2)])
        #expect(kept.negativeBuckets.isEmpty)
    }

    @Test("a limit beyond everything changes nothing")
    func nothingCut() {
        #expect(SampleHistograms.a.trimmed(.below, 100) == SampleHistograms.a)
        #expect(SampleHistograms.a.trimmed(.above, -100) == SampleHistograms.a)
    }
}
