import Model
import Testing

@testable import PromQL

@Suite("Traces of queries")
struct TraceTests {
    private static let series: [ArraySource.Series] =
        (0..<6).map { index in
            ArraySource.Series(
                labels: Labels([("__name__", "m_total"), ("i", "\(index)"), ("g", "\(index % 2)")]),
                samples: (0..<40).map { (Int64($0) * 15_000, Double($0 * (index + 1))) })
        }
        + ["0.5", "1", "+Inf"].enumerated().map { index, bound in
            ArraySource.Series(
                labels: Labels([("__name__", "b_bucket"), ("le", bound)]),
                samples: (0..<40).map { (Int64($0) * 15_000, Double($0 * (index + 1))) })
        }

    private static func run(_ query: String, _ explain: ExplainMode) throws -> (
        answer: [String], root: QueryExplanation.Node?
    ) {
        var options = EngineOptions()
        options.parser = .all
        let result = try QueryEngine(options: options).range(
            query, source: ArraySource(series), start: 60_000, end: 285_000, step: 15_000,
            limits: QueryLimits(explain: explain))
        guard case .matrix(let columns) = result.value else { return ([], nil) }
        let answer = columns.map { "\($0.labels) \($0.values.map(\.bitPattern))" }
        return (
            answer + result.warnings + result.infos + ["\(result.statistics.totalSamples)"], result.explanation?.root
        )
    }

    /// Each kind of node, streamed and whole.
    private static let queries = [
        "m_total", "(m_total)", "-m_total", "m_total * 2", "m_total > 20", "2 ^ m_total", "sum by (g) (m_total)",
        "avg(rate(m_total[1m]))", "count_values(\"v\", m_total)", "quantile(0.5, m_total)", "topk(2, m_total)",
        "limit_ratio(0.5, m_total)", "m_total / on (i) (m_total offset 30s)", "m_total and m_total{i=\"1\"}",
        "m_total{i=\"1\"} or m_total{i=\"2\"} or m_total{i=\"3\"}", "m_total unless m_total{g=\"1\"}",
        "rate(m_total[1m])", "quantile_over_time(scalar(m_total{i=\"0\"}) / 100, m_total[1m])",
        "max_over_time(m_total[2m:30s])", "sum_over_time(sum(m_total)[2m:30s])", "absent(x)", "absent_over_time(x[1m])",
        "sort(m_total)", "abs(m_total)", "round(m_total, 7)", "clamp(m_total, 3, time())", "hour()", "hour(m_total)",
        "vector(time())", "scalar(sum(m_total)) + time()", "label_replace(m_total, \"a\", \"$1\", \"i\", \"(.*)\")",
        "histogram_quantile(0.5, b_bucket)", "timestamp(-m_total)", "-sum(m_total)",
    ]

    @Test("a trace changes no answer, and each part of a query that is evaluated is in it", arguments: queries)
    func sameAnswer(_ query: String) throws {
        let plain = try Self.run(query, .none)
        let traced = try Self.run(query, .analyze)
        #expect(plain.answer == traced.answer)
        let root = try #require(traced.root)
        func check(_ node: QueryExplanation.Node) {
            // The points of a subquery count for the part around it.
            let evaluations = node.figures?.evaluations ?? 0
            #expect(evaluations == (node.kind == "subquery" ? 0 : 1), "\(node.kind) \(node.text)")
            if node.kind.hasSuffix("selector"), node.text.hasPrefix("m_total") {
                #expect(node.figures?.samples ?? 0 > 0, "\(node.text)")
            }
            node.children.forEach(check)
        }
        check(root)
        #expect(root.figures?.points ?? 0 > 0)
    }
}
