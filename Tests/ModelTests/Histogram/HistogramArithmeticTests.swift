import Model
import Testing

@Suite("Arithmetic of native histograms")
struct HistogramArithmeticTests {
    @Test("adding reduces to the coarser schema and the wider zero bucket")
    func addition() throws {
        var b = SampleHistograms.a
        b.schema = 0
        b.zeroThreshold = 0.01
        let (sum, notes) = try SampleHistograms.a.adding(b)
        #expect(notes == [])
        let expected = FloatHistogram(
            schema: 0, zeroThreshold: 0.01, zeroCount: 4, count: 40, sum: 70,
            positiveSpans: [.init(offset: 0, length: 5)], negativeSpans: [.init(offset: 0, length: 2)],
            positiveBuckets: [6, 10, 5, 4, 1], negativeBuckets: [6, 4])
        #expect(sum.compacted() == expected, "\(sum)")
    }

    @Test("custom buckets with different bounds meet at the bounds in common")
    func customAddition() throws {
        let (sum, notes) = try SampleHistograms.c.adding(SampleHistograms.d)
        #expect(notes == .boundsReconciled)
        #expect(sum == SampleHistograms.custom([0.5, 2.5], [3, 11, 8], count: 22, sum: 29), "\(sum)")
    }

    @Test("custom and exponential buckets do not add")
    func incompatible() {
        #expect(throws: HistogramSum.IncompatibleLayouts.self) {
            try SampleHistograms.a.adding(SampleHistograms.c)
        }
    }

    @Test("what is added and subtracted again is gone")
    func subtraction() throws {
        let (sum, _) = try SampleHistograms.a.adding(SampleHistograms.a)
        let (difference, _) = try sum.subtracting(SampleHistograms.a)
        #expect(difference.compacted() == SampleHistograms.a)
        let (nothing, _) = try SampleHistograms.a.subtracting(SampleHistograms.a)
        #expect(nothing.compacted().positiveSpans.isEmpty)
    }

    @Test(
        "hints meet",
        arguments: [
            (FloatHistogram.ResetHint.reset, FloatHistogram.ResetHint.reset, FloatHistogram.ResetHint.reset, false),
            (.reset, .notReset, .unknown, true), (.notReset, .gauge, .gauge, false),
            (.unknown, .reset, .unknown, false),
        ])
    func hints(
        a: FloatHistogram.ResetHint, b: FloatHistogram.ResetHint, expected: FloatHistogram.ResetHint, collides: Bool
    ) throws {
        let (sum, notes) = try FloatHistogram(resetHint: a).adding(FloatHistogram(resetHint: b))
        #expect(sum.resetHint == expected)
        #expect(notes.contains(.counterResetCollision) == collides)
    }

    @Test("a compensated sum keeps what plain addition loses")
    func compensation() throws {
        func histogram(_ value: Double) -> FloatHistogram {
            FloatHistogram(
                count: value, sum: value, positiveSpans: [.init(offset: 0, length: 1)], positiveBuckets: [value])
        }
        var sum = HistogramSum(histogram(1e100), isCompensated: true)
        for value in [1.0, -1e100] { _ = try sum.add(histogram(value)) }
        #expect(sum.total.count == 1)
        #expect(sum.total.sum == 1)
        #expect(sum.total.positiveBuckets == [1])
    }

    @Test("scaling touches all counts, dividing by zero takes the buckets away")
    func scaling() {
        var doubled = SampleHistograms.a
        doubled.multiply(by: 2)
        #expect(doubled.count == 40 && doubled.sum == 70 && doubled.zeroCount == 4)
        #expect(doubled.positiveBuckets == [6, 10, 8, 2])
        doubled.divide(by: 2)
        #expect(doubled == SampleHistograms.a)
        doubled.multiply(by: -1)
        #expect(doubled.resetHint == .gauge)
        var nothing = SampleHistograms.a
        nothing.divide(by: 0)
        #expect(nothing.count == .infinity && nothing.positiveBuckets.isEmpty && nothing.positiveSpans.isEmpty)
    }

    @Test("resets are seen in counts, schema, zero bucket and buckets")
    func resets() {
        let a = SampleHistograms.a
        #expect(!a.isReset(after: a))
        var fewer = a
        fewer.count -= 1
        #expect(fewer.isReset(after: a))
        var finer = a
        finer.schema = 2
        #expect(finer.isReset(after: a))
        #expect(!a.reduced(to: 0).isReset(after: a))
        var moved = a
        moved.positiveBuckets = [4, 4, 4, 1]
        #expect(moved.isReset(after: a))
        moved.resetHint = .notReset
        #expect(!moved.isReset(after: a))
        #expect(SampleHistograms.c.isReset(after: a))
        #expect(a.isReset(after: SampleHistograms.c))
        var wider = a
        wider.zeroThreshold = 0.8
        // 0.8 lies within the bucket up to 1: the zero bucket would have to end elsewhere.
        #expect(wider.isReset(after: a))
    }
}
