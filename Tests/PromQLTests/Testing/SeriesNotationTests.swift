import Model
import Testing

@testable import PromQL

@Suite("Series in test scripts")
struct SeriesNotationTests {
    static func show(_ text: String) throws -> String {
        try SeriesNotation.parseValues(text).map {
            switch $0 {
            case nil: "_"
            case .float(let value): Staleness.isMarker(value) ? "stale" : FloatText.general(value)
            case .histogram(let histogram): histogram.testNotation
            }
        }.joined(separator: " ")
    }

    @Test(
        "values and their repetitions",
        arguments: [
            ("1 2 3", "1 2 3"), ("1x2", "1 1 1"), ("0+10x2", "0 10 20"), ("5-1x2", "5 4 3"), ("_ _x2 1", "_ _ _ 1"),
            ("stale 1", "stale 1"), ("NaN -Inf +inf 1e3 .5", "NaN -Inf +Inf 1000 0.5"), ("-1-1x1", "-1 -2"),
            ("{{}}", "{{}}"), ("{{count:1 buckets:[1]}}x1", "{{count:1 buckets:[1]}} {{count:1 buckets:[1]}}"),
            (
                "{{count:1 buckets:[1]}}+{{count:2 offset:1 buckets:[2]}}x1",
                "{{count:1 buckets:[1]}} {{count:3 buckets:[1 2]}}"
            ), ("0x3", "0 0 0 0"), ("1 2 -3.5", "1 2 -3.5"), ("10-2x2", "10 8 6"), ("1e2+1e1x1", "100 110"),
            ("1e+2", "100"), ("1_0 1_5.5", "10 15.5"), ("010 08 -017x1 0", "8 8 -15 -15 0"),
            ("5x0", "5"), ("", ""), ("1\n 2", "1 2"),
            ("1 {{count:1 buckets:[1]}}x1 _", "1 {{count:1 buckets:[1]}} {{count:1 buckets:[1]}} _"),
            ("1 2 stale _ {{schema:-53 custom_values:[1 2]}}", "1 2 stale _ {{schema:-53 custom_values:[1 2]}}"),
        ])
    func values(text: String, expected: String) throws {
        #expect(try Self.show(text) == expected)
    }

    @Test(
        "what is no value is refused",
        arguments: [
            "a", "1y", "1+2", "{{", "{{sum:}}", "{{x:1}}", "{{sum:1 sum:1}}", "1x", "1x-1", "1+x2", "_y",
            "1x99999999999", "{{schema:a}}", "{{count:1}} a", "1 2 3 stalex2 7", "Infx2", "1+NaNx2", "-infx1", "1e400",
            "1+1e400x2",
            "nano", "1 {{count:1 sum:1}} 3 stalex2 7",
            "stale2", "1 1_", "1_ 2", "_1", "1__0", "1_.5", "1._5", "1_e2",
        ])
    func refused(text: String) {
        #expect(throws: (any Error).self) { try SeriesNotation.parseValues(text) }
    }

    @Test("metrics end where values begin")
    func metrics() throws {
        #expect(try SeriesNotation.parseSeries("a{b=\"} 1\"} 2").0 == Labels([("__name__", "a"), ("b", "} 1")]))
        #expect(try SeriesNotation.parseSeries("a 1 2").1.count == 2)
        #expect(try SeriesNotation.parseSeries("{} 1").0 == .empty)
        #expect(try SeriesNotation.parseSeries("a {b=\"c\"} 1").0 == Labels([("__name__", "a"), ("b", "c")]))
        #expect(try SeriesNotation.parseSeries("a {{}}").1.count == 1)
    }
}
