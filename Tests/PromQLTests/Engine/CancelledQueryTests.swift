import Model
import Testing

@testable import PromQL

@Suite("Queries that nobody waits for any more")
struct CancelledQueryTests {
    /// A series of floats with start timestamps, a sample per second for a day, and one of histograms.
    private static let source = ArraySource([
        .init(
            labels: Labels([("__name__", "m")]),
            samples: (0..<86_400).map { (time: Int64($0) * 1000, value: Double($0 % 977)) },
            starts: {
                var starts = StartTimes()
                starts.append(1, from: 0)
                return starts
            }()),
        .init(
            labels: Labels([("__name__", "h")]), samples: [],
            histograms: (0..<20_000).map { (time: 70_000_000 + Int64($0) * 1000, value: histogram($0 % 977)) }),
    ])

    private static func histogram(_ count: Int, buckets: Int = 2) -> FloatHistogram {
        FloatHistogram(
            schema: 0, count: Double(count * buckets), sum: 1,
            positiveSpans: [.init(offset: 0, length: UInt32(buckets))],
            positiveBuckets: [Double](repeating: Double(count), count: buckets))
    }

    @Test(
        "one window of many histograms ends in its middle",
        arguments: [RangeFunction.sum, .avg, .rate, .resets, .changes])
    func oneWindow(_ function: RangeFunction) {
        let late = QueryBudget(
            deadline: 0, maxSamples: .max, isCancelled: nil, memory: MemoryAccount(limit: .max, budget: nil))
        var samples = SampleColumns()
        for index in 0..<600 { samples.append(Int64(index), Self.histogram(index % 7, buckets: 1000)) }
        let mixed = MixedRangeFunction(
            function: function, metric: "h", range: TextRange(0, 1), annotations: Annotations())
        let series = MixedSeries(samples)
        var (whole, part) = (MixedSeries.Cursor(), MixedSeries.Cursor())
        #expect(throws: QueryError.self) { try mixed.apply(series.window(-1, 600, &whole), HistogramWork(late)) }
        #expect(throws: Never.self) { try mixed.apply(series.window(-1, 10, &part), HistogramWork(late)) }
    }

    @Test(
        "long windows of one series end when they are cancelled, and when their time is over",
        arguments: [
            "quantile_over_time(0.5, m[1d])", "quantile_over_time(0.5, (m * 2)[1d:1s])", "rate(m[1d])",
            "rate(m[1d] smoothed)", "sum_over_time(h[1d])", "sum_over_time((h * 2)[1d:1s])", "resets(h[1d])",
            "irate(h[1d])", "increase(h[1d] anchored)", "changes(h[1d] anchored)", "increase(h[1d] smoothed)",
        ], [true, false])
    func oneSeries(_ query: String, isCancelled: Bool) {
        // Minutes of work: thousands of samples at each of 11,000 steps.
        let limits = QueryLimits(timeout: isCancelled ? nil : 500, isCancelled: { isCancelled })
        var options = EngineOptions()
        options.parser = .all
        options.usesStartTimes = true
        let error = #expect(throws: QueryError.self) {
            try QueryEngine(options: options).range(
                query, source: Self.source, start: 80_000_000, end: 91_000_000, step: 1000, limits: limits)
        }
        guard let error else { return }
        switch error {
        case .canceled: #expect(isCancelled)
        case .timeout: #expect(!isCancelled)
        default: Issue.record("\(error)")
        }
    }

    /// A few series whose labels can grow.
    private static let labels = ArraySource(
        (0..<40).map {
            .init(
                labels: Labels([("__name__", "m"), ("i", "0\($0)"), ("x", "abcd")]), samples: [(time: 1000, value: 1)])
        })

    /// Doubles the label `x` so many times.
    private static func growing(_ times: Int, from query: String = "m") -> String {
        String(repeating: "label_join(", count: times) + query
            + String(repeating: #", "x", "", "x", "x")"#, count: times)
    }

    @Test(
        "functions that make labels grow end in the middle of a few series",
        arguments: [growing(21), #"label_replace(\#(growing(18)), "x", "$1$1$1$1$1$1$1$1", "x", "(.*)")"#])
    func longLabels(_ query: String) {
        let error = #expect(throws: QueryError.self) {
            try QueryEngine(options: EngineOptions()).instant(
                query, source: Self.labels, at: 1000, limits: QueryLimits(isCancelled: { true }))
        }
        if case .canceled = error { return }
        Issue.record("\(String(describing: error))")
    }

    @Test("a long value is not matched with an expression that would take minutes for it")
    func costlyExpression() {
        let query = #"label_replace(\#(Self.growing(19)), "z", "$1", "x", ".*(a.{900}b).*y?")"#
        let error = #expect(throws: QueryError.self) {
            try QueryEngine(options: EngineOptions()).instant(query, source: Self.labels, at: 1000)
        }
        #expect("\(String(describing: error))".contains("too long for the regular expression"))
        let short = #"label_replace(\#(Self.growing(8)), "z", "$1", "x", ".*(a.{900}b).*y?")"#
        #expect(throws: Never.self) {
            try QueryEngine(options: EngineOptions()).instant(short, source: Self.labels, at: 1000)
        }
    }

    @Test("a value that functions make has a bound", arguments: ["label_join", "label_replace"])
    func longestValue(_ function: String) {
        let query =
            function == "label_join"
            ? Self.growing(25, from: #"m{i="01"}"#)
            : #"label_replace(\#(Self.growing(20, from: #"m{i="01"}"#)), "x", "$1$1$1$1$1$1$1$1", "x", "(.*)")"#
        let error = #expect(throws: QueryError.self) {
            try QueryEngine(options: EngineOptions()).instant(query, source: Self.labels, at: 1000)
        }
        #expect("\(String(describing: error))".contains("too long in \(function)()"))
    }

    @Test("work in proportion to bytes is looked at by bytes, and long labels stay charged with their columns")
    func bytes() throws {
        func budget(_ deadline: Int64) -> QueryBudget {
            QueryBudget(
                deadline: deadline, maxSamples: .max, isCancelled: nil, memory: MemoryAccount(limit: .max, budget: nil))
        }
        #expect(throws: QueryError.self) {
            let late = budget(0)
            for _ in 0..<2 { try late.check(bytes: 1 << 17) }
        }
        let late = budget(0)
        for _ in 0..<30 { try late.check(bytes: 100) }
        let open = budget(.max)
        let column = Column(labels: Labels([("x", String(repeating: "x", count: 1 << 20))]), values: [1])
        open.settle(open.mark(), result: [column], steps: 1)
        #expect(open.memory.used > 1_000_000)
        open.release([column], steps: 1)
        #expect(open.memory.used == 0)
    }

    @Test("absent() takes the labels of matchers that are alone with their name, however many there are")
    func absentLabels() throws {
        let many = (0..<50_000).map { "l\($0)=\"v\"" }.joined(separator: ",")
        let columns = try QueryEngine(options: EngineOptions()).instant(
            "absent(none{\(many),twice=\"a\",twice!=\"b\",empty=\"\"})", source: Self.labels, at: 1000)
        guard case .vector(let vector) = columns.value else {
            Issue.record("no vector")
            return
        }
        #expect(vector.count == 1 && vector.first?.labels.count == 50_000)
    }
}
