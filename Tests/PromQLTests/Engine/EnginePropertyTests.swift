import Foundation
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

    mutating func shift() -> String {
        pick([
            "", "", "", " offset 1m", " offset -30s", " offset 7m", " @ 900", " @ 700.5 offset 2m",
            " offset -1m @ 1200",
        ])
    }

    private mutating func range(_ depth: Int) -> String {
        if depth > 0, Int.random(in: 0..<4, using: &random) == 0 {
            return "(\(vector(depth - 1)))[\(pick(["3m", "5m", "100s"])):\(pick(["30s", "1m", "17s"]))]\(shift())"
        }
        return "\(selector())[\(pick(["1m", "90s", "5m", "17s"]))]\(shift())"
    }

    private mutating func scalar(_ depth: Int) -> String {
        pick(["3.5", "0", "-2", "time()", depth > 0 ? "scalar(\(vector(depth - 1)))" : "7"])
    }

    private let arithmetic = ["+", "-", "*", "/", "%", "atan2"]
    private let comparisons = ["==", "!=", "<", ">", "<=", ">=", "== bool", "!= bool", "< bool", ">= bool"]

    private mutating func call(_ depth: Int) -> String {
        let function = pick([
            "rate", "increase", "delta", "sum_over_time", "avg_over_time", "min_over_time", "max_over_time",
            "count_over_time", "last_over_time", "first_over_time", "present_over_time", "changes", "resets",
            "stdvar_over_time", "stddev_over_time", "idelta", "irate", "quantile_over_time",
        ])
        return "\(function)(\(function == "quantile_over_time" ? "0.4, " : "")\(range(depth)))"
    }

    private mutating func element(_ depth: Int) -> String {
        let inner = vector(depth - 1)
        return switch Int.random(in: 0..<5, using: &random) {
        case 0: pick(["-", "+", "abs", "ceil", "sgn"]) + "(\(inner))"
        case 1: "clamp_max(\(inner), \(scalar(depth - 1)))"
        case 2: "vector(\(scalar(depth - 1)))"
        case 3: "label_replace(\(inner), \"\(pick(["n", "job"]))\", \"$1-q\", \"instance\", \"\(pick(["(.*)", "1"]))\")"
        default: "label_join(\(inner), \"n\", \"/\", \"job\", \"instance\")"
        }
    }

    private mutating func aggregation(_ depth: Int) -> String {
        let grouping = pick(["", " by (job)", " by (instance)", " without (instance)", " without ()"])
        let op = pick([
            "sum", "avg", "count", "min", "max", "group", "stdvar", "stddev", "quantile", "topk", "bottomk",
        ])
        let parameter = op == "quantile" ? "0.3, " : op.hasSuffix("k") ? pick(["1, ", "2, ", "3, "]) : ""
        return "\(op)\(grouping) (\(parameter)\(vector(depth - 1)))"
    }

    private mutating func join(_ depth: Int) -> String {
        let (left, right) = ("(\(vector(depth - 1)))", "(\(vector(depth - 1)))")
        let matching = pick(["", "on (job)", "ignoring (instance)", "on (job, instance)", "on ()", "ignoring (n)"])
        if Int.random(in: 0..<2, using: &random) == 0 {
            return "\(left) \(pick(["and", "or", "unless"])) \(matching) \(right)"
        }
        let groups = ["", " group_left ()", " group_right ()", " group_left (n)", " group_right (job)"]
        let group = matching.isEmpty ? "" : pick(matching.contains("job") ? Array(groups.dropLast()) : groups)
        return "\(left) \(pick(arithmetic + comparisons)) \(matching)\(group) \(right)"
    }

    mutating func vector(_ depth: Int) -> String {
        guard depth > 0 else { return selector() + shift() }
        switch Int.random(in: 0..<9, using: &random) {
        case 0: return selector() + shift()
        case 1, 2: return call(depth)
        case 3, 4: return aggregation(depth)
        case 5:
            let (inner, number) = ("(\(vector(depth - 1)))", scalar(depth - 1))
            let op = pick(arithmetic + comparisons)
            return Int.random(in: 0..<2, using: &random) == 0 ? "\(inner) \(op) \(number)" : "\(number) \(op) \(inner)"
        case 6: return element(depth)
        default: return join(depth)
        }
    }
}

@Suite("The engine against an obvious evaluator")
struct EnginePropertyTests {
    private static let engine = QueryEngine(options: EngineOptions())
    private static let (start, step, steps): (Int64, Int64, Int) = (400_000, 37_000, 40)

    private static let seeds: ClosedRange<UInt64> = 1...10
    /// Per seed.
    private static let queries = Int(ProcessInfo.processInfo.environment["MARTLET_ENGINE_QUERIES"] ?? "") ?? 20

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
                column[i] = value.float
                result[labels] = column
            }
        }
        return result
    }

    private static func near(_ a: Double, _ b: Double) -> Bool {
        a == b || (a.isNaN && b.isNaN) || abs(a - b) <= 1e-9 * max(1, abs(a), abs(b))
    }

    @Test("random queries give what the obvious evaluator gives", arguments: seeds)
    func agrees(seed: UInt64) throws {
        var maker = QueryMaker(seed: seed)
        let source = maker.source()
        var compared = 0
        for _ in 0..<Self.queries {
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
        #expect(compared > Self.queries / 4, "seed \(seed)")
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
