import Model
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
