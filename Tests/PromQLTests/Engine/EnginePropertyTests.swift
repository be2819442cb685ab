import Glibc
import Model
import Testing

@testable import PromQL

/// Marsaglia's xorshift: the same numbers on every machine.
private struct XorShift: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state ^= state << 13
        state ^= state >> 7
        state ^= state << 17
        return state
    }
}

/// Random queries over random series.
private struct QueryMaker {
    var random: XorShift

    init(seed: UInt64) { random = XorShift(state: seed &* 0x9E37_79B9_7F4A_7C15 | 1) }

    mutating func pick(_ choices: [String]) -> String { choices[Int.random(in: 0..<choices.count, using: &random)] }

    mutating func source() -> ArraySource {
        var series: [ArraySource.Series] = []
        for name in ["a", "b_total"] {
            for job in ["x", "y"] {
                for instance in ["1", "2", "3"] where Int.random(in: 0..<10, using: &random) > 0 {
                    let labels = Labels([("__name__", name), ("job", job), ("instance", instance)])
                    series.append(.init(labels: labels, samples: samples(isCounter: name == "b_total")))
                }
            }
        }
        return ArraySource(series)
    }

    private mutating func samples(isCounter: Bool) -> [(time: Int64, value: Double)] {
        var result: [(time: Int64, value: Double)] = []
        var value = Double(Int.random(in: 0..<100, using: &random))
        let phase = Int64.random(in: 0..<15_000, using: &random)
        for i in 0..<160 {
            switch Int.random(in: 0..<40, using: &random) {
            case 0: continue
            case 1: result.append((Int64(i) * 15_000 + phase, Staleness.marker))
            default:
                value = isCounter ? value + Double(Int.random(in: 0..<9, using: &random)) : value
                if isCounter, Int.random(in: 0..<50, using: &random) == 0 { value = 1 }
                if !isCounter { value = Double(Int.random(in: -500..<500, using: &random)) / 8 }
                result.append((Int64(i) * 15_000 + phase, value))
            }
        }
        return result
    }

    mutating func selector() -> String {
        pick(["a", "b_total", "a{job=\"x\"}", "b_total{instance!=\"2\"}", "{job=\"y\",__name__=~\"a\"}"])
    }

    mutating func offset() -> String { pick(["", "", "", " offset 1m", " offset -30s", " offset 7m"]) }

    mutating func vector(_ depth: Int) -> String {
        switch Int.random(in: 0..<(depth > 0 ? 7 : 2), using: &random) {
        case 0: return selector() + offset()
        case 1:
            let function = pick([
                "rate", "increase", "delta", "sum_over_time", "avg_over_time", "min_over_time", "max_over_time",
                "count_over_time", "last_over_time", "changes", "resets", "stdvar_over_time",
            ])
            return "\(function)(\(selector())[\(pick(["1m", "90s", "5m", "17s"]))]\(offset()))"
        case 2, 3:
            let grouping = pick(["", " by (job)", " by (instance)", " without (instance)", " without ()"])
            let op = pick(["sum", "avg", "count", "min", "max", "group", "stdvar", "quantile"])
            return "\(op)\(grouping) (\(op == "quantile" ? "0.3, " : "")\(vector(depth - 1)))"
        case 4: return "(\(vector(depth - 1))) \(pick(["+", "-", "*", "/", ">", "<= bool", "!="])) 3.5"
        case 5: return pick(["-", "abs"]) + "(\(vector(depth - 1)))"
        default:
            let matching = pick(["", "on (job)", "ignoring (instance)", "on (job, instance)"])
            if Int.random(in: 0..<2, using: &random) == 0 {
                return "(\(vector(depth - 1))) \(pick(["and", "or", "unless"])) \(matching) (\(vector(depth - 1)))"
            }
            let group = matching.isEmpty ? "" : pick(["", " group_left ()"])
            let op = pick(["+", "-", "*", ">", "<= bool"])
            return "(\(vector(depth - 1))) \(op) \(matching)\(group) (\(vector(depth - 1)))"
        }
    }
}

@Suite("The engine against an obvious evaluator")
struct EnginePropertyTests {
    private static let engine = QueryEngine(options: EngineOptions())
    private static let (start, step, steps): (Int64, Int64, Int) = (400_000, 37_000, 40)

    /// Values by label set, a value per step; nil if the query fails.
    private static func expected(_ query: String, _ source: ArraySource) throws -> [Labels: [Double?]]? {
        let slow = SlowEvaluator(source: source, lookback: engine.options.lookbackDelta)
        let expression = try engine.parse(query)
        var result: [Labels: [Double?]] = [:]
        for i in 0..<steps {
            guard let vector = try? slow.vector(expression, start + Int64(i) * step) else { return nil }
            for (labels, value) in vector {
                var column = result[labels] ?? [Double?](repeating: nil, count: steps)
                if column[i] != nil { return nil }
                column[i] = value
                result[labels] = column
            }
        }
        return result
    }

    private static func near(_ a: Double, _ b: Double) -> Bool {
        a == b || (a.isNaN && b.isNaN) || abs(a - b) <= 1e-9 * max(1, abs(a), abs(b))
    }

    @Test("random queries give what the obvious evaluator gives", arguments: 1...20)
    func agrees(seed: UInt64) throws {
        var maker = QueryMaker(seed: seed)
        let source = maker.source()
        var compared = 0
        for _ in 0..<15 {
            let query = maker.vector(3)
            guard let expected = try Self.expected(query, source) else { continue }
            let result = try Self.engine.range(
                query, source: source, start: Self.start, end: Self.start + Int64(Self.steps - 1) * Self.step,
                step: Self.step)
            compared += 1
            guard case .matrix(let columns) = result.value else {
                Issue.record("seed \(seed): \(query): no matrix")
                continue
            }
            #expect(Set(columns.map(\.labels)) == Set(expected.keys), "seed \(seed): \(query)")
            for column in columns {
                guard let wanted = expected[column.labels] else { continue }
                for i in 0..<Self.steps {
                    let got = Column.isPresent(column.values[i]) ? column.values[i] : nil
                    let isSame = got == nil || wanted[i] == nil ? got == wanted[i] : Self.near(got ?? 0, wanted[i] ?? 0)
                    #expect(
                        isSame,
                        "seed \(seed): \(query) \(column.labels) step \(i): \(String(describing: got)), not \(String(describing: wanted[i]))"
                    )
                }
            }
        }
        #expect(compared > 4, "seed \(seed)")
    }

    @Test("a query that fails at some step fails")
    func fails() throws {
        var maker = QueryMaker(seed: 7)
        let source = maker.source()
        #expect(throws: QueryError.self) {
            try Self.engine.range("a + on (job) b_total", source: source, start: 400_000, end: 800_000, step: 60_000)
        }
    }
}
