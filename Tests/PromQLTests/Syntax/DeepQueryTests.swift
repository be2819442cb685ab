import Model
import Platform
import Testing

@testable import PromQL

@Suite("Long and deep queries")
struct DeepQueryTests {
    private static func value(_ query: String) throws -> QueryValue {
        let source = ArraySource([.init(labels: Labels([("__name__", "x")]), samples: [(time: 0, value: 1)])])
        return try QueryEngine(options: EngineOptions()).instant(query, source: source, at: 0).value
    }

    @Test("a chain of thousands of operands is evaluated", arguments: [501, 5000])
    func chains(count: Int) throws {
        for (operand, op) in [("1", "+"), ("x", "+"), ("x", " or "), ("x", " and ")] {
            let query = [String](repeating: operand, count: count).joined(separator: op)
            let expected = op == "+" ? Double(count) : 1
            switch try Self.value(query) {
            case .scalar(let value): #expect(value == expected)
            case .vector(let columns): #expect(columns.map { $0.values[0] } == [expected])
            default: Issue.record("\(operand)\(op) gives something else")
            }
        }
    }

    /// The result of a query over `count` series of different metrics, and how often a series was looked at.
    private static func evaluated(_ query: String, over count: Int) throws -> (columns: [Column], checks: Int) {
        var series: [ArraySource.Series] = []
        for i in 0..<count {
            // Some series have a sample at some steps only, and some match others.
            var samples: [(time: Int64, value: Double)] = []
            for step in 0..<4 where i % 5 == 0 || step % 3 == i % 3 { samples.append((Int64(step) * 1000, Double(i))) }
            let labels = Labels([("__name__", "m\(i)"), ("a", "\(i / 2)"), ("b", "\(i % 7)")])
            series.append(ArraySource.Series(labels: labels, samples: samples))
        }
        let source = ArraySource(series)
        let options = EngineOptions()
        let budget = QueryBudget(
            deadline: .max, maxSamples: .max, isCancelled: nil, memory: MemoryAccount(limit: 1 << 30, budget: nil),
            perStep: nil)
        let grid = StepGrid(start: 0, step: 1000, count: 4)
        var limited = options
        limited.lookbackDelta = 1
        let expression = try PromQLParser.parse(query)
        let request = QueryRequest(
            expression: expression, text: query, source: source,
            times: QueryTimes(grid: grid, end: grid.end, isInstant: false), limits: QueryLimits())
        let execution = QueryExecution(
            request, QueryPlan(expression), options: limited, budget: budget, workers: Workers.queries(limit: 1),
            trace: nil)
        let columns = try Evaluator.columns(execution.plan.expression, EvaluationContext(execution))
        return (columns, budget.checks)
    }

    @Test("a chain of `or` looks at each series a few times, however long it is", arguments: ["", "on(a) ", "on() "])
    func orChains(matching: String) throws {
        func chain(_ count: Int) -> String { (0..<count).map { "m\($0)" }.joined(separator: " or \(matching)") }
        let (short, long) = (try Self.evaluated(chain(100), over: 400), try Self.evaluated(chain(400), over: 400))
        #expect(long.checks < short.checks * 5, "\(short.checks) and \(long.checks)")
        #expect(!long.columns.isEmpty)
        // Parentheses keep the operators apart; what they give must be the same.
        for count in [2, 3, 20] {
            let apart = (1..<count).reduce("m0") { "(\($0)) or \(matching)m\($1)" }
            let (one, other) = (try Self.evaluated(chain(count), over: 20), try Self.evaluated(apart, over: 20))
            #expect(one.columns.map(\.labels) == other.columns.map(\.labels))
            #expect(
                one.columns.map { $0.values.map(\.bitPattern) } == other.columns.map { $0.values.map(\.bitPattern) })
        }
    }

    @Test("a thousand parentheses are no matter, a hundred thousand are refused")
    func parentheses() throws {
        func nested(_ count: Int, _ open: String = "(") -> String {
            String(repeating: open, count: count) + "x" + String(repeating: ")", count: count)
        }
        for open in ["(", "abs(", "sum("] {
            guard case .vector(let columns) = try Self.value(nested(1000, open)) else { continue }
            #expect(columns.count == 1)
            let error = #expect(throws: QueryError.self) { try Self.value(nested(100_000, open)) }
            #expect(error?.description.hasSuffix("expression is nested too deeply") == true)
        }
        #expect(throws: QueryError.self) {
            try Self.value([String](repeating: "x", count: 100_000).joined(separator: "+"))
        }
    }

    @Test("parts that a query of thousands of nodes repeats are evaluated once")
    func repeated() throws {
        let source = ArraySource([.init(labels: Labels([("__name__", "x")]), samples: [(time: 0, value: 1)])])
        let query = [String](repeating: "sum(x)", count: 1500).joined(separator: " + ")
        let result = try QueryEngine(options: EngineOptions()).instant(query, source: source, at: 0)
        guard case .vector(let columns) = result.value else { return }
        #expect(columns.map { $0.values[0] } == [1500])
        #expect(source.reads == 1)
    }
}
