import Testing

@testable import PromQL

@Suite("Native histograms in anchored and smoothed windows")
struct ExtendedHistogramTests {
    private static func failures(_ script: String) -> [String] {
        let report = PromQLTestRunner.run(script: script, engine: QueryEngine(options: PromQLTestRunner.options))
        #expect(report.passed + report.failed > 0)
        return report.failures.map { "\($0.line): \($0.message)" }
    }

    @Test("An anchored window counts from the sample at or before its edge, a smoothed one from its edges")
    func edges() {
        #expect(
            Self.failures(
                """
                load 1m
                  h {{schema:0 count:4 sum:8 buckets:[1 3]}}+{{schema:0 count:4 sum:8 buckets:[1 3]}}x10

                eval instant at 5m30s increase(h[2m] anchored)
                  expect no_warn
                  {} {{schema:0 count:8 sum:16 buckets:[2 6] counter_reset_hint:gauge}}

                eval instant at 5m30s increase(h[2m] smoothed)
                  expect no_warn
                  {} {{schema:0 count:8 sum:16 buckets:[2 6] counter_reset_hint:gauge}}

                eval instant at 5m rate(h[2m] smoothed)
                  expect no_warn
                  {} {{schema:0 count:0.06666666666666667 sum:0.13333333333333333 buckets:[0.016666666666666666 0.05] counter_reset_hint:gauge}}

                eval instant at 5m delta(h[2m] anchored)
                  expect warn msg:PromQL warning: this native histogram metric is not a gauge: "h" (1:7)
                  {} {{schema:0 count:8 sum:16 buckets:[2 6] counter_reset_hint:gauge}}

                eval instant at 30m increase(h[2m] smoothed)
                """
            ) == [])
    }

    @Test("What was counted before a reset is added, also where an edge lies across it")
    func resets() {
        #expect(
            Self.failures(
                """
                load 1m
                  h {{count:10 sum:10 buckets:[10]}} {{count:20 sum:20 buckets:[20]}} {{count:4 sum:4 buckets:[4]}} {{count:8 sum:8 buckets:[8]}}

                eval instant at 3m increase(h[2m] anchored)
                  expect no_warn
                  {} {{count:8 sum:8 buckets:[8] counter_reset_hint:gauge}}

                eval instant at 3m increase(h[90s] smoothed)
                  expect no_warn
                  {} {{count:6 sum:6 buckets:[6] counter_reset_hint:gauge}}

                eval instant at 2m30s increase(h[2m] smoothed)
                  expect no_warn
                  {} {{count:11 sum:11 buckets:[11] counter_reset_hint:gauge}}
                """
            ) == [])
    }

    @Test("Floats beside histograms, and buckets that do not fit, give nothing but a warning")
    func misfits() {
        #expect(
            Self.failures(
                """
                load 1m
                  m 1 2 {{count:1 sum:1 buckets:[1]}} {{count:2 sum:2 buckets:[2]}}
                  c {{count:1 sum:1 buckets:[1]}} {{schema:-53 count:2 sum:2 custom_values:[1] buckets:[2]}}

                eval instant at 3m increase(m[2m] anchored)
                  expect warn msg:PromQL warning: encountered a mix of histograms and floats for metric name "m" (1:10)

                eval instant at 1m increase(c[1m] anchored)
                  expect warn msg:PromQL warning: vector contains a mix of histograms with exponential and custom buckets schemas for metric name "c" (1:10)
                """
            ) == [])
    }
}
