import Exposition
import Model
import Testing

@Suite("Metric lint")
struct MetricLintTests {
    static func lint(_ text: String) throws -> [String] {
        try MetricLint.check(Array(text.utf8)).problems.map { "\($0.metric) \($0.text)" }
    }

    @Test(
        "each convention has its words",
        arguments: [
            ("# HELP a_total x\n# TYPE a_total counter\na_total 1\n", []),
            ("a 1\n", ["a no help text"]),
            (
                "# HELP a x\n# TYPE a counter\na 1\n", ["a counter metrics should have \"_total\" suffix"]
            ),
            (
                "# HELP a_total x\n# TYPE a_total gauge\na_total 1\n",
                ["a_total non-counter metrics should not have \"_total\" suffix"]
            ),
            (
                "# HELP a_milliseconds x\na_milliseconds 1\n",
                ["a_milliseconds use base unit \"seconds\" instead of \"milliseconds\""]
            ),
            ("# HELP a_bits x\na_bits 1\n", ["a_bits use base unit \"bytes\" instead of \"bits\""]),
            (
                "# HELP a:b x\na:b 1\n# HELP aB x\naB{xY=\"1\"} 1\n",
                [
                    "a:b metric names should not contain ':'",
                    "aB metric names should be written in 'snake_case' not 'camelCase'",
                    "aB label names should be written in 'snake_case' not 'camelCase'",
                ]
            ),
            ("# HELP a_ms x\na_ms 1\n", ["a_ms metric names should not contain abbreviated units"]),
            ("# HELP a x\na 1\na 2\n", ["a metric not unique"]),
            (
                "# HELP a_gauge x\n# TYPE a_gauge gauge\na_gauge{le=\"1\"} 1\n",
                [
                    "a_gauge non-histogram metrics should not have \"le\" label",
                    "a_gauge metric name should not include type 'gauge'",
                ]
            ),
        ] as [(String, [String])])
    func problems(_ page: String, _ expected: [String]) throws { #expect(try Self.lint(page) == expected) }

    @Test("names that differ in their bytes are two families, even if Unicode takes them for the same")
    func bytes() throws {
        let page = "# HELP \"caf\u{E9}\" x\n{\"caf\u{E9}\"} 1\n# HELP \"cafe\u{301}\" x\n{\"cafe\u{301}\"} 1\n"
        let checked = try MetricLint.check(Array(page.utf8))
        #expect(checked.problems.isEmpty)
        #expect(checked.cardinality.map { ExactText($0.metric) } == ["cafe\u{301}", "caf\u{E9}"])
    }

    @Test("a histogram's lines count for its family")
    func cardinality() throws {
        let page =
            "# HELP hh x\n# TYPE hh histogram\nhh_bucket{le=\"1\"} 1\nhh_bucket{le=\"+Inf\"} 1\nhh_count 1\nhh_sum 1\n# HELP bb x\nbb 1\n"
        let checked = try MetricLint.check(Array(page.utf8))
        #expect(checked.problems.isEmpty)
        #expect(checked.cardinality.map(\.metric) == ["hh", "bb"])
        #expect(checked.cardinality.map(\.series) == [4, 1])
    }
}
