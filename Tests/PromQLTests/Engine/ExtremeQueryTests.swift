import Foundation
import Model
import TestSupport
import Testing

@testable import PromQL

@Suite("Extreme numbers in queries")
struct ExtremeQueryTests {
    private static func engine() -> QueryEngine {
        var options = EngineOptions()
        options.parser = .all
        options.maxSamples = 2000
        options.maxMemoryPerQuery = 32 << 20
        options.timeout = 50
        options.perStepStatistics = true
        return QueryEngine(options: options)
    }

    @Test("ten thousand extreme queries are answered or refused")
    func anything() {
        let environment = ProcessInfo.processInfo.environment
        let seed = SeededRandom.runSeed
        let isVerbose = environment["MARTLET_TRACE"] != nil
        var queries = ExtremeQueries(seed: seed)
        let (engine, source) = (Self.engine(), ExtremeQueries.source)
        var limits = QueryLimits()
        limits.countsPerStep = true
        var answered = 0
        for round in 0..<10_000 {
            let (query, start, end, step) = (queries.next(), queries.time(), queries.time(), queries.step())
            if isVerbose { FileHandle.standardError.write(Data("\(query) | \(start) \(end) \(step)\n".utf8)) }
            do throws(QueryError) {
                _ = try engine.instant(query, source: source, at: start, limits: limits)
                answered += 1
            } catch {
                if error.description.isEmpty { Issue.record("seed \(seed): \(query) fails without a reason") }
            }
            guard round.isMultiple(of: 4) else { continue }
            // Millions of steps of histograms take minutes in a debug build: each step of every size, but not so many.
            let (width, overflow) = end.subtractingReportingOverflow(start)
            let wideStep = overflow ? step : max(step, width / 200_000)
            _ = try? engine.range(query, source: source, start: start, end: end, step: wideStep, limits: limits)
            if let tree = try? engine.parse(query) { _ = (tree.description, tree.prettyDescription) }
        }
        #expect(answered > 1000, "seed \(seed)")
    }

    @Test(
        "a parameter that is NaN at 300,000 steps is looked at once per step",
        arguments: [
            "quantile(NaN, vector(1))", "quantile(scalar(vector(NaN) + time()), vector(1))",
            "quantile(scalar(vector(time()) * NaN), vector(1))",
            "quantile_over_time(scalar(vector(time()) * NaN), vector(1)[2s:1s])",
            "histogram_quantile(scalar(vector(time()) * NaN), label_replace(vector(1), \"le\", \"+Inf\", \"\", \"\"))",
            "histogram_quantile(0.5, label_replace(vector(NaN), \"le\", \"+Inf\", \"\", \"\"))",
        ])
    func manyNaN(query: String) throws {
        // What compares each with all before it would compare 45 billion times.
        _ = try QueryEngine(options: EngineOptions()).range(
            query, source: ExtremeQueries.source, start: 0, end: 300_000_000, step: 1000, limits: QueryLimits())
    }

    @Test("the windows of functions that look at times do not overflow where samples and evaluation lie far apart")
    func farApart() throws {
        let (engine, source) = (Self.engine(), ExtremeQueries.source)
        for time in [QueryEngine.times.lowerBound, QueryEngine.times.upperBound] {
            for query in [
                "predict_linear(vector(time())[5m:1m] @ 9.2e15, 1)", "deriv(vector(time())[5m:1m] @ -9.2e15)",
                "rate(vector(1)[292y:100y] @ 9.2e15 offset 292y)", "timestamp(f @ 9223372036000000)",
                "irate(vector(1)[292y:146y] offset -292y)", "topk(1e18, f @ 0)", "limitk(9e18, f @ 0)",
            ] { _ = try engine.instant(query, source: source, at: time) }
        }
        for time in [Int64.min, .max] {
            #expect(throws: QueryError.self) { try engine.instant("1", source: source, at: time) }
            #expect(throws: QueryError.self) {
                try engine.range("1", source: source, start: time, end: time, step: 1)
            }
        }
        #expect(throws: QueryError.self) { try engine.instant("topk(1e19, f)", source: source, at: 0) }
        var limits = QueryLimits(lookbackDelta: .max, timeout: .max)
        limits.countsPerStep = true
        #expect(
            try engine.instant("f{i=\"1\"}", source: source, at: 60_000, limits: limits).statistics.samplesRead == 1)
    }
}
