import Exposition
import Model
import Testing

@Suite("Metric lint")
struct MetricLintTests {
    static func lint(_ text: String) throws -> [String] {
        try MetricLint.check(Array(text.utf8)).problems.map { "\($0.metric) \($0.text)" }
    }

    @Test(
        "what promtool refuses and a scrape takes",
        arguments: [
            (#"a{b="c",b="d"} 1"#, #"duplicate label names for metric "a""#),
            (#"a{b="x\ty"} 1"#, #"invalid escape sequence '\t'"#),
            (#"# HELP a x\ty"#, #"invalid escape sequence '\t'"#),
            (#"# HELP a x\"y"#, #"invalid escape sequence '\"'"#), (#"# HELP a\x y"#, "invalid metric name in comment"),
            ("# HELP a.b y", "invalid metric name in comment"), ("# TYPE a{ counter", "invalid metric name in comment"),
        ])
    func refused(_ line: String, _ message: String) {
        let error = #expect(throws: ExpositionError.self) { try Self.lint("x 1\n\(line)\n") }
        #expect(error?.message == message)
        #expect(error?.line == 2)
    }

    @Test(
        "what promtool takes and a scrape refuses, and what both take",
        arguments: [
            "a 1 -5", "a 1 +5", #"a{b="} 1"} 1 -5"#, "a 1 5", #"a{b="c\\d\ne\"f"} 1"#, #"a{b="x - 1"} -1"#,
        ])
    func accepted(_ line: String) throws {
        #expect(try Self.lint("# HELP a \\\\x\\n\n# a \\y\n\(line)\n") == [])
    }

    @Test(
        "a sign that is no timestamp's is refused",
        arguments: ["a 1 -", "a 1 --5", "a 1 -5.0", "a -5 -5 -5", "a 1 -5 6"])
    func wrongSigns(_ line: String) {
        #expect(throws: ExpositionError.self) { try Self.lint(line + "\n") }
    }

    @Test(
        "each convention has its words",
        arguments: [
            ("# HELP a_total x\n# TYPE a_total counter\na_total 1\n", []),
            ("a 1\n", ["a no help text"]),
            ("# HELP a x\n# TYPE a COUNTER\na 1\n", ["a counter metrics should have \"_total\" suffix"]),
            (
                "# TYPE aMs_total gauge\naMs_total{le=\"1\"} 1\n",
                [
                    "aMs_total metric names should be written in 'snake_case' not 'camelCase'",
                    "aMs_total no help text", "aMs_total non-counter metrics should not have \"_total\" suffix",
                    "aMs_total non-histogram metrics should not have \"le\" label",
                ]
            ),
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
                    "aB label names should be written in 'snake_case' not 'camelCase'",
                    "aB metric names should be written in 'snake_case' not 'camelCase'",
                ]
            ),
            ("# HELP a_ms x\na_ms 1\n", ["a_ms metric names should not contain abbreviated units"]),
            (
                "# HELP a_h_b x\na_h_b 1\n",
                [String](repeating: "a_h_b metric names should not contain abbreviated units", count: 2)
            ),
            ("# HELP m_foo x\nm_foo 1\n# HELP s x\ns 1\n# HELP b_foo x\nb_foo 1\n", []),
            ("# HELP a \na 1\n", ["a no help text"]), ("# HELP a\na 1\n", ["a no help text"]),
            ("# HELP a x\na 1\na 2\n", ["a metric not unique"]),
            (
                "# HELP a_gauge x\n# TYPE a_gauge gauge\na_gauge{le=\"1\"} 1\n",
                [
                    "a_gauge metric name should not include type 'gauge'",
                    "a_gauge non-histogram metrics should not have \"le\" label",
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

    @Test(
        "lines about a metric come once, and before its samples",
        arguments: [
            ("# TYPE a gauge\n# TYPE a gauge\na 1\n", 2, "TYPE"), ("a 1\n# TYPE a gauge\n", 2, "TYPE"),
            ("# TYPE a untyped\na 1\n# TYPE a untyped\n", 3, "TYPE"), ("# HELP a x\n# HELP a y\na 1\n", 2, "HELP"),
            ("# HELP a\n# HELP a\n", 2, "HELP"),
        ])
    func repeated(_ text: String, _ line: Int, _ kind: String) {
        let error = #expect(throws: ExpositionError.self) { try MetricLint.check(Array(text.utf8)) }
        #expect(error?.line == line)
        #expect(error?.message.hasPrefix("second \(kind) line for metric name \"a\"") == true)
    }
}
