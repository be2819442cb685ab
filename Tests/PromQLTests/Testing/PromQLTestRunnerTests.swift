import Model
import TestSupport
import Testing

@testable import PromQL

@Suite("Scripts that test the engine")
struct PromQLTestRunnerTests {
    /// The scripts of Prometheus that lie beside the project.
    static let scripts = [
        "aggregators", "at_modifier", "functions", "histograms", "info", "literals", "name_label_dropping",
        "native_histograms", "operators", "range_queries", "selectors", "staleness", "subquery",
    ]

    static func read(_ name: String) -> String? {
        TextFile.read(SharedFolder.path("promqltest/\(name).test"))
    }

    @Test(
        "every script passes",
        .enabled(if: SharedFolder.has("promqltest"), "needs ../shared/promqltest"),
        arguments: PromQLTestRunnerTests.scripts)
    func passes(name: String) throws {
        let text = try #require(Self.read(name))
        let report = PromQLTestRunner.run(script: text, engine: QueryEngine(options: PromQLTestRunner.options))
        for failure in report.failures { Issue.record("\(name).test:\(failure.line): \(failure.message)") }
        #expect(report.passed > 0)
    }

    @Test("a wrong expectation is a failure with its line")
    func failures() {
        let script = """
            load 5m
              a 1 2

            eval instant at 5m a
              a 2

            eval instant at 5m a
              a 3

            eval instant at 5m a
              expect fail

            eval range from 0 to 10m step 5m a
              a 1 2 _
            """
        let report = PromQLTestRunner.run(script: script, engine: QueryEngine(options: PromQLTestRunner.options))
        #expect(report.passed == 2, "\(report.failures)")
        #expect(report.failures.map(\.line) == [7, 10])
    }

    private static let data = """
        load 5m
          a{x="1"} 1 2
          a{x="2"} 3 4
          c_total 1 2
          h {{schema:0 sum:3 count:2 buckets:[1 1] counter_reset_hint:gauge}}x1

        load_with_nhcb 5m
          n_bucket{le="1"} 1x1
          n_bucket{le="+Inf"} 3x1
          n_count 3x1
          n_sum 4x1

        """

    /// What holds, each with something that does not.
    private static let expectations: [(query: String, right: [String], wrong: [String])] = [
        ("instant at 5m a", ["a{x=\"1\"} 2", "a{x=\"2\"} 4"], ["a{x=\"1\"} 2", "a{x=\"2\"} 5"]),
        ("instant at 5m a", ["a{x=\"1\"} 2", "a{x=\"2\"} 4"], ["a{x=\"1\"} 2"]),
        ("instant at 5m a{x=\"1\"}", ["a{x=\"1\"} 2"], ["a{x=\"1\"} 2", "a{x=\"2\"} 4"]),
        ("instant at 5m a{x=\"1\"}", ["a{x=\"1\"} 2"], ["a{x=\"1\"} 2 3"]),
        ("instant at 5m a{x=\"1\"}", ["a{x=\"1\"} 2"], ["a{x=\"1\"} {{count:2}}"]),
        ("instant at 5m a{x=\"1\"}", ["a{x=\"1\"} 2"], ["2"]),
        ("instant at 5m b", [], ["b 1"]),
        (
            "instant at 5m sort_desc(a)", ["expect ordered", "a{x=\"2\"} 4", "a{x=\"1\"} 2"],
            ["expect ordered", "a{x=\"1\"} 2", "a{x=\"2\"} 4"]
        ),
        ("instant at 5m 1 + 1", ["2"], ["3"]),
        ("instant at 5m 1 + 1", ["2"], ["{} 2"]),
        ("instant at 5m \"s\"", ["expect string \"s\""], ["expect string \"t\""]),
        ("instant at 5m \"s\"", ["expect string \"s\""], ["1"]),
        (
            "instant at 5m a{x=\"1\"}[10m]", ["expect range vector from 0 to 5m step 5m", "a{x=\"1\"} 1 2"],
            ["expect range vector from 0 to 5m step 5m", "a{x=\"1\"} 1 3"]
        ),
        (
            "instant at 5m a{x=\"1\"}[10m]", ["expect range vector from 0 to 5m step 5m", "a{x=\"1\"} 1 2"],
            ["expect range vector from 1m to 5m step 4m", "a{x=\"1\"} 1 2"]
        ),
        ("range from 0 to 5m step 5m a{x=\"1\"}", ["a{x=\"1\"} 1 2"], ["a{x=\"1\"} 1 _"]),
        ("range from 0 to 5m step 5m a{x=\"1\"}", ["a{x=\"1\"} 1 2"], ["a{x=\"1\"} 1 2 3"]),
        ("range from 0 to 5m step 5m a{x=\"1\"}", ["a{x=\"1\"} 1 2"], ["a{x=\"1\"} 1 2", "b _ _"]),
        ("range from 0 to 5m step 5m a{x=\"1\"}", ["a{x=\"1\"} 1 2"], ["expect ordered", "a{x=\"1\"} 1 2"]),
        ("range from 0 to 5m step 5m vector(1)", ["{} 1 1"], ["1"]),
        ("instant at 5m a + on () a", ["expect fail"], ["{} 1"]),
        ("instant at 5m a", ["a{x=\"1\"} 2", "a{x=\"2\"} 4"], ["expect fail"]),
        ("instant at 5m a + on () a", ["expect fail regex: found duplicate .*"], ["expect fail regex: nothing .*"]),
        (
            "instant at 5m c_total + on () a", ["expect fail regex: found duplicate series.*"],
            ["expect fail msg: nothing"]
        ),
        (
            "instant at 5m rate(a[10m])", ["expect info", "{x=\"1\"} 0.003333333333", "{x=\"2\"} 0.003333333333"],
            ["expect no_info"]
        ),
        (
            "instant at 5m rate(a{x=\"1\"}[10m])",
            ["expect info regex: .*might not be a counter.*", "{x=\"1\"} 0.003333333333"],
            ["expect info regex: .*other.*", "{x=\"1\"} 0.003333333333"]
        ),
        (
            "instant at 5m rate(c_total[10m])", ["expect no_info", "expect no_warn", "{} 0.003333333333"],
            ["expect info", "{} 0.003333333333"]
        ),
        ("instant at 5m quantile(2, a)", ["expect warn", "{} +Inf"], ["expect no_warn", "{} +Inf"]),
        (
            "instant at 5m quantile(2, a)", ["expect warn regex: .*got 2.*", "{} +Inf"],
            ["expect warn msg: nothing", "{} +Inf"]
        ),
        ("instant at 5m quantile(2, a)", ["expect warn", "{} +Inf"], ["expect warn", "expect no_warn", "{} +Inf"]),
        ("instant at 5m h", ["h {{sum:3 count:2 buckets:[1 1]}}"], ["h {{sum:3 count:2 buckets:[1 2]}}"]),
        ("instant at 5m h", ["h {{sum:3 count:2 buckets:[1 1]}}"], ["h {{sum:3 count:2 offset:1 buckets:[1 1]}}"]),
        ("instant at 5m h", ["h {{sum:3 count:2 buckets:[1 1]}}"], ["h 2"]),
        (
            "instant at 5m h", ["h {{sum:3 count:2 buckets:[1 1] counter_reset_hint:gauge}}"],
            ["h {{sum:3 count:2 buckets:[1 1] counter_reset_hint:unknown}}"]
        ),
        (
            "instant at 5m n", ["n {{schema:-53 count:3 sum:4 custom_values:[1] buckets:[1 2]}}"],
            ["n {{schema:-53 count:3 sum:4 custom_values:[2] buckets:[1 2]}}"]
        ),
    ]

    @Test("each kind of expectation holds where it should, and fails where it should not")
    func kinds() {
        func failures(_ query: String, _ lines: [String]) -> [String] {
            let script = Self.data + "\n" + (["eval " + query] + lines.map { "  " + $0 }).joined(separator: "\n")
            let engine = QueryEngine(options: PromQLTestRunner.options)
            return PromQLTestRunner.run(script: script, engine: engine).failures.map(\.message)
        }
        for (query, right, wrong) in Self.expectations {
            #expect(failures(query, right).isEmpty, "\(query): \(right)")
            #expect(!failures(query, wrong).isEmpty, "\(query): \(wrong)")
        }
    }

    @Test(
        "what is no command or expectation is refused",
        arguments: [
            "unknown 1", "load", "load 5x\n  a 1", "load 5m\n  a{ 1", "load 5m\n  a 1+", "eval at 5m a",
            "eval instant 5m a", "eval range from 0 to 5m a", "eval range from 0 to 5m step 0 a",
            "eval instant at 5m a\n  expect", "eval instant at 5m a\n  expect nothing",
            "eval instant at 5m a\n  expect warn other: x", "eval instant at 5m a\n  expect warn regex: (",
            "eval instant at 5m a\n  expect fail\n  expect fail", "eval instant at 5m a\n  expect range from 0 to 1",
            "eval instant at 5m a\n  expect string x", "eval instant at 5m a\n  {} {{buckets:1}}",
        ])
    func refused(script: String) {
        let report = PromQLTestRunner.run(script: script, engine: QueryEngine(options: PromQLTestRunner.options))
        #expect(report.failures.count == 1 && report.passed == 0, "\(report)")
    }
}
