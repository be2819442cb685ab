import Model
import Testing

@Suite("Estimates from native histograms")
struct HistogramStatisticsTests {
    @Test(
        "quantiles of an exponential histogram",
        arguments: [
            (0, -1.414213562373095), (0.05, -1.189207115002721), (0.1, -1), (0.25, -0.7071067811865475), (0.3, 0),
            (0.5, 1), (0.75, 2), (0.9, 2.5936791093020193), (0.99, 3.7321319661472296), (1, 4),
        ])
    func exponentialQuantiles(phi: Double, expected: Double) {
        let value = SampleHistograms.a.quantile(phi).value
        #expect((value - expected).magnitude <= expected.ulp.magnitude * 2)
    }

    @Test(
        "quantiles of custom buckets",
        arguments: [
            (0, 0), (0.1, 0.30000000000000004), (0.25, 0.625), (0.5, 1), (0.9, 2.4400000000000004), (0.95, 2.5),
            (1, 2.5),
        ])
    func customQuantiles(phi: Double, expected: Double) {
        #expect(SampleHistograms.c.quantile(phi).value == expected)
    }

    @Test("quantiles out of range are infinite, of nothing NaN")
    func edges() {
        #expect(SampleHistograms.a.quantile(-0.1).value == -.infinity)
        #expect(SampleHistograms.a.quantile(1.1).value == .infinity)
        #expect(FloatHistogram().quantile(0.5).value.isNaN)
        #expect(FloatHistogram().fraction(0, 1).value.isNaN)
    }

    @Test("observations that are NaN are told of")
    func nanObservations() {
        var histogram = SampleHistograms.a
        histogram.count += 10
        histogram.sum = .nan
        #expect(histogram.quantile(0.9).note == .isNaN)
        #expect(histogram.quantile(0.2).note == .isSkewed)
        #expect(histogram.fraction(0, 1).note == .excludesNaN)
    }

    @Test("fractions of neighbouring intervals add up")
    func fractions() {
        let a = SampleHistograms.a
        let whole = a.fraction(-.infinity, .infinity).value
        let parts = a.fraction(-.infinity, 1.2).value + a.fraction(1.2, .infinity).value
        #expect(whole == 1)
        #expect((parts - 1).magnitude < 1e-15)
        #expect(a.fraction(1, 1.414213562373095).value == 0.25)
        #expect(a.fraction(2, 1).value == 0)
    }

    @Test("the variance takes the geometric middle of each bucket")
    func variance() {
        let histogram = FloatHistogram(
            schema: 2, count: 4, sum: 10, positiveSpans: [.init(offset: 0, length: 9)],
            positiveBuckets: [1, 0, 0, 0, 1, 0, 0, 1, 1])
        #expect((histogram.variance - 1.163807968526718).magnitude < 1e-14)
        #expect((histogram.standardDeviation - 1.0787993180043811).magnitude < 1e-14)
    }
}
