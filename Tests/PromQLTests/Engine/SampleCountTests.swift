import Model
import Testing

@testable import PromQL

@Suite("How many samples a query looks at and reads")
struct SampleCountTests {
    /// One series, a sample every 10 s from 0 to 600 s.
    private static let source = ArraySource([
        .init(
            labels: Labels([("__name__", "m")]), samples: (0...60).map { (time: Int64($0) * 10_000, value: Double($0)) }
        )
    ])

    private static func statistics(_ query: String, steps: Int64? = nil) throws -> QueryStatistics {
        var options = EngineOptions()
        options.parser = .all
        options.perStepStatistics = true
        let engine = QueryEngine(options: options)
        var limits = QueryLimits()
        limits.countsPerStep = true
        guard let steps else {
            return try engine.instant(query, source: source, at: 300_000, limits: limits).statistics
        }
        return try engine.range(
            query, source: source, start: 300_000, end: 300_000 + (steps - 1) * 20_000, step: 20_000, limits: limits
        ).statistics
    }

    @Test(
        "at one time all samples of the windows are read, those of a subquery inside and by the function",
        arguments: [
            ("m", 1, 1), ("m[60s]", 6, 6), ("max_over_time(m[60s])", 6, 6), ("m[60s:5s]", 12, 12),
            ("max_over_time(m[60s:5s])", 12, 24), ("absent_over_time(m[60s])", 6, 6),
            ("max_over_time(max_over_time(m[60s:5s])[120s:10s])", 12, 80), ("rate(m[10s])", 1, 1),
        ])
    func instants(query: String, looked: Int, read: Int) throws {
        let statistics = try Self.statistics(query)
        #expect(statistics.totalSamples == looked)
        #expect(statistics.samplesRead == read)
        #expect(statistics.samplesReadPerStep == [read])
    }

    @Test(
        "a selector holds the samples that it gives, a histogram counts as many as its size stands for",
        arguments: [
            ("f", 3, 93), ("f[60s]", 18, nil), ("h", 13, 403), ("h[60s]", 78, nil),
        ] as [(String, Int, Int?)])
    func peaks(query: String, instant: Int, range: Int?) throws {
        let script = """
            load 10s
              f{a="1"} 1+1x60
              f{a="2"} 1+1x60
              f{a="3"} 1+1x60
              h {{schema:1 count:5 sum:20 buckets:[1 2 1 1]}}x60
            """
        let store = ScriptStore()
        guard case .load(let load)? = try TestScript(script).commands.first?.command else { return }
        for (labels, values) in load.series { store.append(labels, values, gap: load.gap) }
        var options = EngineOptions()
        options.parser = .all
        let engine = QueryEngine(options: options)
        #expect(try engine.instant(query, source: store, at: 300_000).statistics.peakSamples == instant)
        options.maxSamples = instant - 1
        #expect(throws: QueryError.self) {
            try QueryEngine(options: options).instant(query, source: store, at: 300_000)
        }
        guard let range else { return }
        let result = try engine.range(query, source: store, start: 300_000, end: 600_000, step: 10_000)
        #expect(result.statistics.peakSamples == range)
    }

    @Test("a number counts as one sample at each step", arguments: ["1", "1 + 1", "time()", "-1"])
    func numbers(query: String) throws {
        let store = ScriptStore()
        var options = EngineOptions()
        options.maxSamples = 0
        let without = QueryEngine(options: options)
        #expect(throws: QueryError.self) { try without.instant(query, source: store, at: 0) }
        options.maxSamples = 2
        let engine = QueryEngine(options: options)
        #expect(try engine.instant(query, source: store, at: 0).statistics.peakSamples == 1)
        #expect(throws: QueryError.self) { try engine.range(query, source: store, start: 0, end: 2000, step: 1000) }
        #expect(try without.instant("\"a\"", source: store, at: 0).statistics.peakSamples == 0)
    }

    @Test(
        "over several steps a sample is read when it comes into the window, and what @ fixes once",
        arguments: [
            ("m", [1, 1, 1, 1], [1, 1, 1, 1]), ("sum_over_time(m[60s])", [6, 6, 6, 6], [6, 2, 2, 2]),
            ("sum_over_time(m[10s])", [1, 1, 1, 1], [1, 1, 1, 1]),
            ("sum_over_time(m[60s] @ 200)", [6, 6, 6, 6], [6, 0, 0, 0]), ("m @ 200", [1, 1, 1, 1], [1, 0, 0, 0]),
            ("sum_over_time(m[60s:10s])", [6, 6, 6, 6], [12, 4, 4, 4]),
            ("increase(m[60s] anchored)", [31, 33, 35, 36], [31, 2, 2, 2]),
        ])
    func ranges(query: String, looked: [Int], read: [Int]) throws {
        let statistics = try Self.statistics(query, steps: 4)
        #expect(statistics.samplesPerStep == looked)
        #expect(statistics.samplesReadPerStep == read)
        #expect(statistics.totalSamples == looked.reduce(0, +))
        #expect(statistics.samplesRead == read.reduce(0, +))
    }
}
