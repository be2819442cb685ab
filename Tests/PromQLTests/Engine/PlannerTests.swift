import Model
import Testing

@testable import PromQL

@Suite("Plans of queries")
struct PlannerTests {
    private static func series(_ name: String, _ count: Int = 3) -> [ArraySource.Series] {
        (0..<count).map { index in
            ArraySource.Series(
                labels: Labels([("__name__", name), ("i", "\(index)")]),
                samples: (0..<20).map { (Int64($0) * 15_000, Double($0 * (index + 1))) })
        }
    }

    private static func plan(_ query: String) throws -> QueryPlan {
        let grid = StepGrid(start: 0, step: 15_000, count: 3)
        let prepared = try Preparation(grid: grid, end: 30_000, isInstant: false, text: Array(query.utf8)).prepare(
            try PromQLParser.parse(query))
        return QueryPlan(prepared)
    }

    @Test(
        "Constants are computed before the query runs, and what depends on data or time is not",
        arguments: [
            ("(1 + 2) * 3", "9"), ("m * (60 * 60 / 2)", "m * 1800"), ("-(2 ^ 3)", "-8"), ("pi() * 0", "0"),
            ("topk(1 + 1, m)", "topk(2, m)"), ("time() + (1 + 1)", "time() + 2"), ("m[1m:] + 0", nil),
            ("clamp(m, -(1), 5 % 3)", "clamp(m, -1, 2)"), ("1 > bool 2", "0"), ("scalar(m) + 1", "scalar(m) + 1"),
        ] as [(String, String?)])
    func folding(query: String, folded: String?) throws {
        guard let folded else {
            #expect(throws: (any Error).self) { try Self.plan(query) }
            return
        }
        let plan = try Self.plan(query)
        #expect(plan.expression.description == folded)
        // The whole keeps its place.
        #expect(plan.expression.range == TextRange(0, query.utf8.count))
    }

    @Test(
        "Selectors are marked whose histograms are looked at down to their empty buckets",
        arguments: [
            ("m * 2", 0), ("m * NaN", 1), ("m * -Inf", 1), ("m / 0", 0), ("m / n", 1), ("m * n", 2), ("1 / m", 0),
            ("m == n", 2), ("m == 1", 0), ("m + n", 0), ("rate(m[1m]) * NaN", 0), ("last_over_time(m[1m]) * NaN", 1),
            ("changes(m[1m])", 1), ("sum(m) * NaN", 0), ("label_replace(m, \"a\", \"\", \"\", \"\") * NaN", 1),
            ("(m * 2) * n", 1),
            ("-(m and n) * NaN", 2),
            // What asks for the same is marked along, so that it is read once.
            ("m / (m + n)", 2),
        ])
    func emptyBuckets(query: String, count: Int) throws {
        func marked(_ expression: Expression) -> Int {
            switch expression {
            case .selector(let e): e.showsEmptyBuckets ? 1 : 0
            case .matrix(let e): e.selector.showsEmptyBuckets ? 1 : 0
            default: expression.children.reduce(0) { $0 + marked($1) }
            }
        }
        #expect(marked(try Self.plan(query).expression) == count)
    }

    @Test(
        "Equal parts are found where they are made as a whole",
        arguments: [
            ("m / m", ["m"]), ("rate(m[1m]) / rate(m[1m])", ["rate(m[1m])"]), ("(m) / (m)", ["m"]),
            ("sum(m) / (sum(m) + sum(n))", ["sum(m)"]), ("(m + n) / (m + n)", ["m + n"]),
            // Aggregations take series as they come: nothing to share but what the source selects.
            ("sum(rate(m[1m])) / count(rate(m[1m]))", []), ("m / n", []), ("m / (m offset 1m)", []),
            // Two orders of the same marks, which Unicode takes for the same.
            ("sum(m{i=\"a\u{301}\u{327}\"}) / sum(m{i=\"a\u{327}\u{301}\"}) + n - n", ["n"]),
            // Another grid, another value.
            ("sum(m) + max_over_time(sum(m)[1m:15s])", []),
            // Written otherwise: annotations about it stand elsewhere.
            ("sum(m) / sum( m )", []),
            // Buckets are read otherwise below histogram_count.
            ("histogram_count(m unless histogram_quantile(0.5, m) < 3)", []),
            ("histogram_count(m) / histogram_count(m)", ["histogram_count(m)"]),
        ])
    func sharing(query: String, parts: [String]) throws {
        let plan = try Self.plan(query)
        let bytes = Array(query.utf8)
        let found = plan.shared.map { String(decoding: bytes[$0[0].start..<$0[0].end], as: UTF8.self) }
        #expect(found == parts)
        for places in plan.shared { #expect(places.count == 2) }
    }

    @Test("What stands in several places is read once and answers as if it were read each time")
    func once() throws {
        let m = "{__name__=\"m\"}"
        for (query, apart, reads) in [
            ("m / m", "m / \(m)", 3), ("rate(m[1m]) / rate(m[1m])", "rate(\(m)[1m]) / rate(m[1m])", 3),
            ("sum(m) / (sum(m) + sum(n))", "sum(\(m)) / (sum(m) + sum(n))", 6),
            ("(m + n) / (m + n) - (m + n)", "(m + n) / (\(m) + n) - (n + m)", 6),
            ("topk(2, m) + m + m", "topk(2, m) + \(m) + (m + 0)", 3),
        ] {
            let source = ArraySource(Self.series("m") + Self.series("n"))
            let engine = QueryEngine(options: EngineOptions())
            let result = try engine.range(query, source: source, start: 0, end: 285_000, step: 15_000)
            #expect(source.reads == reads, "\(query)")
            #expect((result.memory?.used ?? 0) < 20_000, "\(query)")
            guard case .matrix(let columns) = result.value else { continue }
            #expect(!columns.isEmpty)
            // The same with parts that are written differently, so that nothing is shared.
            guard
                case .matrix(let others) = try engine.range(apart, source: source, start: 0, end: 285_000, step: 15_000)
                    .value
            else { continue }
            #expect(columns.map(\.labels) == others.map(\.labels))
            for (column, other) in zip(columns, others) {
                #expect(column.values.map(\.bitPattern) == other.values.map(\.bitPattern), "\(query)")
            }
        }
    }

    @Test("An annotation about a part is about the last of its places")
    func remarks() throws {
        let source = ArraySource(Self.series("m"))
        let result = try QueryEngine(options: EngineOptions()).range(
            "rate(m[1m]) / rate(m[1m])", source: source, start: 60_000, end: 285_000, step: 15_000)
        let text = "PromQL info: metric might not be a counter, name does not end in _total/_sum/_count/_bucket: \"m\""
        #expect(result.infos == ["\(text) (1:20)"])
    }

    @Test("An analysis counts what each node did, and costs the answer nothing")
    func analysis() throws {
        let query = "sum by (i) (rate(m[1m])) / (1 + 1)"
        let source = ArraySource(Self.series("m"))
        let engine = QueryEngine(options: EngineOptions())
        let limits = QueryLimits(explain: .analyze)
        let result = try engine.range(query, source: source, start: 60_000, end: 285_000, step: 15_000, limits: limits)
        let root = try #require(result.explanation?.root)
        #expect(result.explanation?.resultType == "matrix")
        #expect(root.kind == "arithmetic")
        #expect(root.children.map(\.kind) == ["aggregation"])
        let rate = try #require(root.children.first?.children.first)
        #expect(rate.kind == "range function")
        #expect(rate.figures?.series == 3)
        #expect(rate.figures?.points == 48)
        let selector = try #require(rate.children.first)
        #expect(selector.kind == "range selector")
        #expect(selector.text == "m[1m]")
        #expect(selector.column == 18)
        #expect(selector.figures?.samples == 57)
        func own(_ node: QueryExplanation.Node) -> Double {
            node.children.reduce(node.figures?.ownTime ?? 0) { $0 + own($1) }
        }
        #expect(abs(own(root) - (root.figures?.totalTime ?? 0)) < 1e-9)
        #expect(root.figures?.totalTime ?? 0 <= result.statistics.preparationTime + result.statistics.evaluationTime)
        let plain = try engine.range(query, source: source, start: 60_000, end: 285_000, step: 15_000)
        #expect(plain.explanation == nil)
        guard case .matrix(let a) = result.value, case .matrix(let b) = plain.value else {
            Issue.record("no matrix")
            return
        }
        #expect(a.map(\.values) == b.map(\.values))
    }

    @Test("A plan reads nothing")
    func planOnly() throws {
        let source = ArraySource(Self.series("m"))
        let result = try QueryEngine(options: EngineOptions()).instant(
            "m{i=~\"1|2\",j!~\"x.*\",\"k.l\"!~\"x.*\"} / m", source: source, at: 60_000,
            limits: QueryLimits(explain: .plan))
        #expect(source.reads == 0)
        let root = try #require(result.explanation?.root)
        #expect(root.kind == "join")
        #expect(root.figures == nil)
        #expect(root.children[0].notes.contains("i=~\"1|2\": 2 values, each looked up"))
        #expect(root.children[0].notes.contains("j!~\"x.*\": values with this beginning"))
        #expect(root.children[0].notes.contains("\"k.l\"!~\"x.*\": values with this beginning"))
        #expect(root.children[0].notes.contains("newest sample of each series only"))
    }

    @Test("Samples are counted by step if the engine may and the query asks")
    func perStep() throws {
        var options = EngineOptions()
        options.perStepStatistics = true
        let engine = QueryEngine(options: options)
        let source = ArraySource(Self.series("m", 2))
        func counts(_ query: String, asks: Bool = true) throws -> (Int, [Int]?) {
            var limits = QueryLimits()
            limits.countsPerStep = asks
            let result = try engine.range(
                query, source: source, start: 0, end: 45_000, step: 15_000, limits: limits)
            return (result.statistics.totalSamples, result.statistics.samplesPerStep)
        }
        #expect(try counts("m") == (8, [2, 2, 2, 2]))
        #expect(try counts("sum(rate(m[31s]))") == (18, [2, 4, 6, 6]))
        #expect(try counts("max_over_time(m[31s:15s])") == (18, [2, 4, 6, 6]))
        #expect(try counts("m", asks: false) == (8, nil))
    }
}

private func == (a: (Int, [Int]?), b: (Int, [Int]?)) -> Bool { a.0 == b.0 && a.1 == b.1 }
