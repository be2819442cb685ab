import Foundation
import Model
import Testing

@testable import PromQL

@Suite("Extreme numbers in queries")
struct ExtremeQueryTests {
    private static func engine() -> QueryEngine {
        var options = EngineOptions()
        options.parser = .all
        options.maxSamples = 20_000
        options.maxMemoryPerQuery = 32 << 20
        options.timeout = 2000
        options.perStepStatistics = true
        return QueryEngine(options: options)
    }

    @Test("ten thousand extreme queries are answered or refused")
    func anything() {
        let environment = ProcessInfo.processInfo.environment
        let seed = environment["MARTLET_SEED"].flatMap { UInt64($0) } ?? .random(in: 0...UInt64.max)
        let isVerbose = environment["MARTLET_TRACE"] != nil
        print("extreme queries, seed \(seed)")
        var queries = ExtremeQueries(seed: seed)
        let (engine, source) = (Self.engine(), ExtremeQueries.source)
        var limits = QueryLimits()
        limits.countsPerStep = true
        var answered = 0
        for _ in 0..<10_000 {
            let (query, start, end, step) = (queries.next(), queries.time(), queries.time(), queries.step())
            if isVerbose { FileHandle.standardError.write(Data("\(query) | \(start) \(end) \(step)\n".utf8)) }
            do throws(QueryError) {
                _ = try engine.instant(query, source: source, at: start, limits: limits)
                answered += 1
            } catch {
                if error.description.isEmpty { Issue.record("seed \(seed): \(query) fails without a reason") }
            }
            _ = try? engine.range(query, source: source, start: start, end: end, step: step, limits: limits)
            if let tree = try? engine.parse(query) { _ = (tree.description, tree.prettyDescription) }
        }
        #expect(answered > 1000, "seed \(seed)")
    }
}
