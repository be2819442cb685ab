import Model
import Testing

@testable import PromQL

@Suite("Queries that nobody waits for any more")
struct CancelledQueryTests {
    /// One series, a sample per second for a day.
    private static let source = ArraySource([
        .init(
            labels: Labels([("__name__", "m")]),
            samples: (0..<86_400).map { (time: Int64($0) * 1000, value: Double($0 % 977)) })
    ])

    @Test(
        "long windows of one series end when they are cancelled, and when their time is over",
        arguments: ["quantile_over_time(0.5, m[1d])", "quantile_over_time(0.5, (m * 2)[1d:1s])"], [true, false])
    func oneSeries(_ query: String, isCancelled: Bool) {
        // Minutes of work: a median of a day of seconds at each of 11,000 steps.
        let limits = QueryLimits(timeout: isCancelled ? nil : 500, isCancelled: { isCancelled })
        let error = #expect(throws: QueryError.self) {
            try QueryEngine(options: EngineOptions()).range(
                query, source: Self.source, start: 80_000_000, end: 91_000_000, step: 1000, limits: limits)
        }
        guard let error else { return }
        switch error {
        case .canceled: #expect(isCancelled)
        case .timeout: #expect(!isCancelled)
        default: Issue.record("\(error)")
        }
    }

    @Test("the labels of absent() are made in one pass over fifty thousand matchers")
    func manyMatchers() throws {
        let matchers = (0..<50_000).map { "l\($0)=\"x\"" }.joined(separator: ",")
        let result = try QueryEngine(options: EngineOptions()).instant(
            "absent({\(matchers)})", source: ArraySource([]), at: 0, limits: QueryLimits())
        guard case .vector(let columns) = result.value else {
            Issue.record("no vector")
            return
        }
        #expect(columns.first?.labels.pairs.count == 50_000)
    }
}
