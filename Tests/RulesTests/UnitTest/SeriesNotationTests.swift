import Model
import Rules
import Testing

@Suite("Series notation")
struct SeriesNotationTests {
    static func show(_ text: String) throws -> String {
        try SeriesNotation.parse(text).map { value in
            guard case .float(let value) = value else { return "_" }
            return Staleness.isMarker(value) ? "stale" : FloatText.api(value)
        }.joined(separator: " ")
    }

    static let cases: [(String, String)] = [
        ("1 2 -3.5", "1 2 -3.5"), ("1x2", "1 1 1"), ("0+10x3", "0 10 20 30"), ("10-2x2", "10 8 6"),
        ("-1-1x1", "-1 -2"), ("_ 1 _x2 2", "_ 1 _ _ 2"), ("stale 1", "stale 1"), ("1e2+1e1x1", "100 110"),
        ("1e+2", "100"), ("NaN Inf -Inf +Inf", "NaN +Inf -Inf +Inf"), ("5x0", "5"), ("", ""), ("1\n 2", "1 2"),
    ]

    @Test("expands items", arguments: cases)
    func expands(_ text: String, _ expected: String) throws {
        #expect(try Self.show(text) == expected)
    }

    @Test("reads native histograms among the values")
    func histograms() throws {
        let values = try Rules.SeriesNotation.parse("1 {{count:1 buckets:[1]}}x1 _")
        #expect(values.count == 4)
        guard case .histogram(let histogram)? = values[2] else {
            Issue.record("no histogram")
            return
        }
        #expect(histogram.testNotation == "{{count:1 buckets:[1]}}")
    }

    @Test(
        "refuses what is no item",
        arguments: ["a", "1x", "1x-1", "1+x2", "1+2", "_y", "1x99999999999", "{{schema:a}}", "{{count:1}} a"])
    func refuses(_ text: String) {
        #expect(throws: RuleError.self) { try SeriesNotation.parse(text) }
    }
}
