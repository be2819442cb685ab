import Model
import Synchronization
import Testing

@testable import PromQL

@Suite("Memory of queries")
struct QueryMemoryTests {
    private static let series: [ArraySource.Series] = (0..<100).map { index in
        ArraySource.Series(
            labels: Labels([("__name__", "m"), ("i", "\(index)"), ("g", "\(index % 4)")]),
            samples: (0..<100).map { (Int64($0) * 15_000, Double($0 + index)) })
    }

    private static func range(
        _ query: String, limit: Int = .max, budget: MemoryBudget? = nil, isRule: Bool = false,
        source: ArraySource = ArraySource(series)
    ) throws -> QueryResult {
        var options = EngineOptions()
        options.maxMemoryPerQuery = limit
        options.memoryBudget = budget
        return try QueryEngine(options: options).range(
            query, source: source, start: 0, end: 1_485_000, step: 15_000, limits: QueryLimits(isRule: isRule))
    }

    private static func failure(_ body: () throws -> QueryResult) -> String? {
        do {
            _ = try body()
            return nil
        } catch {
            return "\(error)"
        }
    }

    /// Bytes of a column of the 100 steps.
    private static let column = 100 * 8 + QueryBudget.columnOverhead

    @Test("the end of queries that held much is reported once")
    func memoryIsFree() throws {
        let calls = Mutex(0)
        let budget = MemoryBudget(limit: 1 << 30) { calls.withLock { $0 += 1 } }
        for (bytes, expected) in [(MemoryBudget.much - 1, 0), (MemoryBudget.much, 1), (100, 1), (200 << 20, 2)] {
            let account = MemoryAccount(limit: .max, budget: budget)
            for _ in 0..<3 {
                try account.charge(bytes / 4)
                account.release(bytes / 8)
            }
            try account.charge(bytes - account.used)
            account.release(bytes / 2)
            let before = calls.withLock { $0 }
            account.settle(0)
            #expect(calls.withLock { $0 } == expected, "\(bytes)")
            #expect(before <= expected)
        }
        #expect(budget.used == 0)
    }

    @Test("A result stays charged until it goes, and nothing else does")
    func settled() throws {
        let budget = MemoryBudget(limit: 100 << 20)
        do {
            let result = try Self.range("m", budget: budget)
            #expect(budget.used >= 100 * Self.column)
            #expect(budget.used < 102 * Self.column)
            _ = result
        }
        #expect(budget.used == 0)
        for query in [
            "sum by (g) (rate(m[1m]))", "topk(3, m)", "quantile by (g) (0.5, m)", "m / on (i) m", "m and m",
            "label_replace(m, \"a\", \"b\", \"i\", \".*\")", "max_over_time(m[5m:15s])", "count_values(\"v\", m)",
            "absent(m)", "sort(m)", "m or m offset 1m", "-m", "stddev(m)", "avg_over_time(sum(m)[5m:15s])",
        ] {
            let result = try Self.range(query, budget: budget)
            guard case .matrix(let columns) = result.value else {
                Issue.record("no matrix: \(query)")
                continue
            }
            #expect(budget.used >= columns.count * Self.column, "\(query)")
            #expect(budget.used < (columns.count + 100) * (Self.column + 100), "\(query)")
        }
        #expect(budget.used == 0)
    }

    @Test(
        "A query over its budget says where, what and how to help",
        arguments: [
            ("m", "1:1 in \"m\""), ("sum(m) + topk(3, rate(m[1m]))", "1:18 in \"rate(m[1m])\""),
            ("sum by (i) (m)", "1:1 in \"sum by (i) (m)\""), ("max_over_time(m[5m:15s])", "1:15 in \"m\""),
        ])
    func refused(query: String, place: String) throws {
        let budget = MemoryBudget(limit: 100 << 20)
        let message = try #require(Self.failure { try Self.range(query, limit: 50_000, budget: budget) })
        #expect(message.hasPrefix("query uses too much memory at \(place): it needs at least "))
        #expect(message.contains("a query may hold 49KB (--query.max-memory-per-query)"))
        #expect(message.contains("narrow the selector"))
        #expect(budget.used == 0)
    }

    @Test("An aggregation needs memory for its groups only")
    func streamed() throws {
        let result = try Self.range("sum by (g) (rate(m[1m]))", limit: 20 * Self.column)
        let memory = try #require(result.memory)
        #expect(memory.peak < 20 * Self.column)
        #expect(memory.used >= 4 * Self.column)
    }

    @Test("What far exceeds the budget is refused before a sample is read")
    func early() throws {
        let source = ArraySource(Self.series)
        _ = Self.failure { try Self.range("rate(m[1m])", limit: 10 * Self.column, source: source) }
        #expect(source.reads == 0)
        // A filter may leave less than is selected.
        _ = try Self.range("m < 0", limit: 10 * Self.column, source: source)
        #expect(source.reads == 100)
    }

    @Test("Rules have memory that no other query can take")
    func rules() throws {
        let budget = MemoryBudget(limit: 160 * Self.column)
        let others = MemoryAccount(limit: .max, budget: budget)
        try others.charge(135 * Self.column)
        let message = try #require(Self.failure { try Self.range("sum by (g) (m)", budget: budget) })
        #expect(message.contains("no memory left for it: all queries together may hold"))
        #expect(message.contains("--query.max-memory)"))
        _ = try Self.range("sum by (g) (m)", budget: budget, isRule: true)
    }

    /// Two series of histograms with 50,000 buckets each, which the source holds once.
    private static let wide: ArraySource = {
        let histogram = FloatHistogram(
            schema: 0, count: 50_000, sum: 1, positiveSpans: [.init(offset: 0, length: 50_000)],
            positiveBuckets: [Double](repeating: 1, count: 50_000))
        return ArraySource(
            (0..<2).map {
                .init(
                    labels: Labels([("__name__", "w"), ("i", "\($0)")]), samples: [],
                    histograms: [(time: Int64(0), value: histogram)])
            })
    }()

    @Test(
        "What nodes make of wide histograms is charged while it is made",
        arguments: ["sum(w)", "avg(w)", "sum by (i) (w)", "w * 2", "2 * w", "-w"])
    func wideHistograms(_ query: String) throws {
        // 20 steps hold a histogram: each has 400 kB of buckets, and a sum of it 1.2 MB.
        func run(_ limit: Int) throws -> QueryResult {
            var options = EngineOptions()
            options.maxMemoryPerQuery = limit
            return try QueryEngine(options: options).range(
                query, source: Self.wide, start: 0, end: 285_000, step: 15_000)
        }
        let message = try #require(Self.failure { try run(6 << 20) })
        #expect(message.contains("memory"), "\(message)")
        _ = try run(200 << 20)
    }

    @Test(
        "Work on wide histograms looks at the query's limits",
        arguments: ["sum(w)", "avg(w)", "w * 2", "-w", "histogram_stddev(w)"])
    func lateHistograms(_ query: String) {
        // The limits are looked at when the first series begins; what comes then takes longer than a millisecond.
        let error = #expect(throws: QueryError.self) {
            try QueryEngine(options: EngineOptions()).range(
                query, source: Self.wide, start: 0, end: 285_000, step: 250, limits: QueryLimits(timeout: 1))
        }
        if case .timeout = error { return }
        Issue.record("\(String(describing: error))")
    }

    @Test("A refusal because of what others hold makes the budget short, one of what never fits does not")
    func shortage() throws {
        let budget = MemoryBudget(limit: 160 * Self.column)
        let (small, large) = (MemoryAccount(limit: .max, budget: budget), MemoryAccount(limit: .max, budget: budget))
        #expect(throws: MemoryLimitExceeded.self) { try large.charge(200 * Self.column) }
        #expect(!budget.isShort)
        try small.charge(60 * Self.column)
        #expect(!budget.isShort)
        #expect(throws: MemoryLimitExceeded.self) { try large.charge(120 * Self.column) }
        #expect(budget.isShort)
    }
}
