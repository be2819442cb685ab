import Model
import Testing

@testable import PromQL

/// Native histograms can have a million buckets: whatever goes through them must look at the query's limits by their size.
@Suite struct LargeHistogramTests {
    private static let buckets = 100_000

    /// One series with four samples of large histograms, a bucket of each two empty.
    private static let source = ArraySource([
        .init(
            labels: Labels([("__name__", "h")]), samples: [],
            histograms: (0..<6).map { (time: Int64($0) * 10_000, value: histogram(Double($0 + 1))) })
    ])

    private static func histogram(_ count: Double) -> FloatHistogram {
        FloatHistogram(
            schema: 8, count: count * Double(buckets), sum: count,
            positiveSpans: (0..<buckets).map { .init(offset: $0 == 0 ? -100_000 : 1, length: 1) },
            positiveBuckets: [Double](repeating: count, count: buckets))
    }

    /// Expressions that go through buckets: each function that takes histograms, operators and aggregations.
    private static var expressions: [String] {
        // They count samples, read sums that a selector gives without buckets, or hand samples on.
        let light: Set = [
            "absent_over_time", "histogram_avg", "histogram_count", "histogram_sum", "count_over_time",
            "present_over_time", "first_over_time", "last_over_time", "ts_of_first_over_time",
            "ts_of_last_over_time",
        ]
        var result = [
            "sum(h)", "avg(h)", #"count_values("v", h)"#, "h + h", "h - h", "h == h", "h * 2", "h / 2", "-h",
            "sum(rate(h[30s]))", "avg_over_time((h * 2)[30s:10s])", "h smoothed",
        ]
        for function in FunctionRegistry.all {
            let takesRange = function.arguments.contains(.matrix) && function.traits.contains(.histograms)
            guard takesRange || function.name.hasPrefix("histogram_"), !light.contains(function.name) else { continue }
            func call(_ modifier: String) -> String {
                let arguments = function.arguments.enumerated().map { place, type in
                    switch type {
                    case .matrix: "h[30s]\(modifier)"
                    case .vector: "h"
                    case .string: #""q""#
                    default: "0.\(place + 1)"
                    }
                }
                return "\(function.name)(\(arguments.joined(separator: ", ")))"
            }
            result.append(call(""))
            if function.traits.contains(.anchored) { result.append(call(" anchored")) }
            if function.traits.contains(.smoothed) { result.append(call(" smoothed")) }
        }
        return result
    }

    private static func run(
        _ expression: String, _ limits: QueryLimits = QueryLimits(), _ change: (inout EngineOptions) -> Void = { _ in }
    ) throws -> QueryResult {
        var options = EngineOptions()
        options.parser = .all
        change(&options)
        return try QueryEngine(options: options).range(
            expression, source: source, start: 25_000, end: 50_000, step: 500, limits: limits)
    }

    @Test(arguments: expressions) func `large histograms do not keep a query from ending`(_ expression: String) {
        let error = #expect(throws: QueryError.self) { try Self.run(expression, QueryLimits(timeout: 1)) }
        guard case .timeout = error else {
            Issue.record("\(String(describing: error))")
            return
        }
    }

    @Test(arguments: expressions) func `what is made of large histograms counts as memory`(_ expression: String) {
        // What numbers are made of passes by.
        let makesNumbers = ["histogram_", "resets(", "changes(", "h == h"].contains { expression.hasPrefix($0) }
        guard !makesNumbers else { return }
        let error = #expect(throws: QueryError.self) {
            try Self.run(expression) { $0.maxMemoryPerQuery = 12 * Self.buckets * 16 }
        }
        guard case .execution(let text) = error, text.contains("too much memory") else {
            Issue.record("\(String(describing: error))")
            return
        }
    }

    @Test(arguments: expressions) func `without address space a query fails, and the process goes on`(
        _ expression: String
    ) {
        let error = #expect(throws: QueryError.self) {
            try Self.run(expression) { $0.hasSpace = { $0 < 1 << 20 } }
        }
        guard case .execution(let text) = error, text.contains("address space") else {
            Issue.record("\(String(describing: error))")
            return
        }
    }
}
