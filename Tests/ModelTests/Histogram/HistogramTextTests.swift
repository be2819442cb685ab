import Model
import Testing

@Suite("Native histograms as text")
struct HistogramTextTests {
    @Test("buckets are listed in order with their brackets")
    func description() {
        #expect(
            SampleHistograms.a.description
                == "{count:20, sum:35, [-1.414213562373095,-1):2, [-1,-0.7071067811865475):3, [-0.001,0.001]:2, "
                + "(0.7071067811865475,1]:3, (1,1.414213562373095]:5, (2,2.82842712474619]:4, (2.82842712474619,4]:1}")
        #expect(
            SampleHistograms.c.description
                == "{count:12, sum:20, [-Inf,0.5]:2, (0.5,1]:4, (1,2.5]:5, (2.5,+Inf]:1}")
    }

    @Test("the notation of test scripts")
    func testNotation() {
        #expect(
            SampleHistograms.a.testNotation
                == "{{schema:1 count:20 sum:35 z_bucket:2 z_bucket_w:0.001 buckets:[3 5 0 4 1] n_buckets:[3 2]}}")
        #expect(
            SampleHistograms.c.testNotation
                == "{{schema:-53 count:12 sum:20 custom_values:[0.5 1 2.5] buckets:[2 4 5 1]}}")
        #expect(FloatHistogram().testNotation == "{{}}")
    }
}
