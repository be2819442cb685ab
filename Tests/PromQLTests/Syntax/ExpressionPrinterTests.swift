import Testing

@testable import PromQL

@Suite("Printing expressions")
struct ExpressionPrinterTests {
    @Test(
        "canonical form",
        arguments: [
            ("foo/bar", "foo / bar"), ("1+2*3", "1 + 2 * 3"), ("-1^2", "-1 ^ 2"), ("-(up)", "-(up)"),
            ("up offset 5m", "up offset 5m"), ("up offset -90s", "up offset -1m30s"),
            ("up[5m] offset 1h", "up[5m] offset 1h"), ("up @ 1609746000.5", "up @ 1609746000.500"),
            ("up offset 1m @ start()", "up @ start() offset 1m"), ("up[90m:]", "up[1h30m:]"),
            ("(up)[1h:1m] @ end()", "(up)[1h:1m] @ end()"), ("topk by(job)(5,up)", "topk by (job) (5, up)"),
            ("count_values without(a)(\"x\",up)", "count_values without (a) (\"x\", up)"),
            ("a*on(x)group_left(y)b", "a * on (x) group_left (y) b"),
            ("a*ignoring(x,z)group_right b", "a * ignoring (x, z) group_right () b"), ("a>bool b", "a > bool b"),
            ("a and on() b or c unless d", "a and on () b or c unless d"),
            ("0x1F+1e3+Inf+NaN", "31 + 1000 + +Inf + NaN"),
            ("{__name__=\"up\",job=\"x\"}", "{__name__=\"up\",job=\"x\"}"),
            ("up{job=\"x\",a=~\"b\"}", "up{a=~\"b\",job=\"x\"}"), ("{\"utf8.name\"}", "{__name__=\"utf8.name\"}"),
            ("{\"utf8.name\",\"a.b\"=\"c\",d=\"e\"}", "{\"a.b\"=\"c\",__name__=\"utf8.name\",d=\"e\"}"),
            ("sum by(\"a.b\",c)(up)", "sum by (\"a.b\", c) (up)"), ("up offset 60", "up offset 1m"),
            ("up[300]", "up[5m]"), ("up[5m:60]", "up[5m:1m]"), ("5m", "5m"), ("1h30m+1", "1h30m + 1"),
            ("rate(up[5m] anchored)", "rate(up[5m] anchored)"), ("up smoothed offset 1m", "up smoothed offset 1m"),
            ("a+on(x)fill(0)b", "a + on (x) fill (0) b"),
            ("a+fill_left(1)fill_right(2)b", "a + fill_left (1) fill_right (2) b"), ("up[5m+1m]", "up[5m + 1m]"),
            ("up offset (1m+1m)", "up offset (1m + 1m)"), ("up[step()+1m]", "up[step() + 1m]"),
            ("'single \"quoted\"'", "\"single \\\"quoted\\\"\""), ("a</b", "a </ b"), ("((((up))))", "((((up))))"),
        ])
    func canonical(query: String, expected: String) throws {
        #expect(try PromQLParser.parse(query, options: .all).description == expected)
    }

    @Test("long expressions are broken into lines")
    func pretty() throws {
        func pretty(_ query: String) throws -> String { try PromQLParser.parse(query, options: .all).prettyDescription }
        #expect(
            try pretty(
                "histogram_quantile(0.9,sum by(le,job,instance,something_else)(rate("
                    + "http_request_duration_seconds_bucket{job=\"demo\",code=~\"5..\"}[5m])))")
                    == """
                    histogram_quantile(
                      0.9,
                      sum by (le, job, instance, something_else) (
                        rate(http_request_duration_seconds_bucket{code=~"5..",job="demo"}[5m])
                      )
                    )
                    """)
        #expect(
            try pretty(
                "sum by(instance)(rate(a_long_metric_name_total{job=\"demo\"}[5m]))/on(instance)group_left(version)"
                    + "sum by(instance)(rate(another_long_metric_name_total[5m]))")
                    == """
                      sum by (instance) (rate(a_long_metric_name_total{job="demo"}[5m]))
                    / on (instance) group_left (version)
                      sum by (instance) (rate(another_long_metric_name_total[5m]))
                    """)
        #expect(try pretty("up") == "up")
    }

    /// Queries of `count` operands or levels, in all the ways in which an expression may be long.
    private static let long: [(name: String, query: @Sendable (Int) -> String)] = [
        ("chain", { [String](repeating: "x", count: $0).joined(separator: " + ") }),
        ("chain of and", { [String](repeating: "x", count: $0).joined(separator: " and on (a) ") }),
        ("powers", { [String](repeating: "x", count: $0 / 3).joined(separator: " ^ ") }),
        ("signs", { "-" + [String](repeating: "x", count: $0 / 6).joined(separator: " ^ -") }),
        ("parentheses", { String(repeating: "(", count: $0 / 4) + "x" + String(repeating: ")", count: $0 / 4) }),
        ("calls", { String(repeating: "abs(", count: $0 / 4) + "x" + String(repeating: ")", count: $0 / 4) }),
        (
            "alternating",
            { count in
                (0..<count / 6).reduce("x") { text, _ in "(\(text) + y)" }
            }
        ),
        (
            "arguments",
            { "label_join(x, \"a\", " + [String](repeating: "\"b\"", count: $0).joined(separator: ",") + ")" }
        ),
        ("matchers", { count in "x{" + (0..<count).map { "a\($0)=\"\($0)\"" }.joined(separator: ",") + "}" }),
        ("labels", { count in "sum by (" + (0..<count).map { "a\($0)" }.joined(separator: ",") + ") (x)" }),
    ]

    @Test("the work and the text of long expressions grow with their length", arguments: long.indices)
    func longExpressions(index: Int) throws {
        let (name, query) = Self.long[index]
        func pretty(_ count: Int) throws -> (text: String, visits: Int) {
            try PromQLParser.parse(query(count), options: .all) { tree in
                var printer = PrettyPrinter()
                printer.expression(tree, level: 0)
                return (printer.text, printer.visits)
            }
        }
        let (short, long) = (try pretty(2800), try pretty(5600))
        #expect(long.text.utf8.count < 3 * short.text.utf8.count, "\(name)")
        #expect(long.visits < 5 * short.visits / 2 + 100, "\(name): \(short.visits), \(long.visits)")
        #expect(long.visits < 60 * 5600, "\(name)")
        let lines = long.text.split(separator: "\n")
        #expect(lines.allSatisfy { $0.prefix { $0 == " " }.count <= 2 * PrettyPrinter.deepestIndentation })
        let again = try PromQLParser.parse(long.text, options: .all) { $0.description }
        #expect(try again == PromQLParser.parse(query(5600), options: .all) { $0.description }, "\(name)")
    }

    @Test("broken lines parse to the same tree")
    func prettyParses() throws {
        let name = "a_metric_name_that_is_long_enough_to_make_lines_break_wherever_it_stands_twice"
        for query in [
            "-\(name) + \(name)", "-(\(name) + \(name))", "(\(name) + \(name))[5m:1m] offset 1m",
            "sum(\(name) * on(a) \(name))", "round(\(name) + \(name), 5)", "-\(name) ^ \(name)",
            "topk(5, \(name) or \(name))",
        ] {
            let tree = try PromQLParser.parse(query, options: .all)
            let again = try PromQLParser.parse(tree.prettyDescription, options: .all)
            #expect(ExpressionJSON.encode(tree) == ExpressionJSON.encode(again), "\(tree.prettyDescription)")
        }
    }
}
