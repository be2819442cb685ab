import Model
import Platform
import Testing

@testable import PromQL

@Suite("Several threads at one query")
struct WorkerTests {
    /// Many series of floats with gaps, resets and stale ends, and some of histograms among them.
    private static func source() -> ArraySource {
        var state: UInt64 = 7
        func random(_ below: UInt64) -> UInt64 {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return (state >> 33) % below
        }
        var series: [ArraySource.Series] = []
        for number in 0..<400 {
            var one = ArraySource.Series(
                labels: Labels([
                    ("__name__", "requests_total"), ("job", "\(number % 7)"), ("instance", "\(number)"),
                ]), samples: [])
            var value = Double(random(1000)) * 0.1
            for step in 0..<240 where random(20) > 0 {
                value = random(90) == 0 ? 0 : value + Double(random(1000)) * 0.37
                one.samples.append((Int64(step) * 15_000, random(150) == 0 ? Staleness.marker : value))
            }
            if number % 50 == 3 {
                one.samples = []
                for step in 0..<240 {
                    one.histograms.append((Int64(step) * 15_000, FloatHistogram(count: Double(step), sum: value)))
                }
            }
            series.append(one)
        }
        return ArraySource(series)
    }

    private static func answer(_ query: String, workers: Int, _ source: ArraySource) throws -> [String] {
        var options = EngineOptions()
        options.workers = workers
        let result = try QueryEngine(options: options).range(
            query, source: source, start: 600_000, end: 3_600_000, step: 10_000)
        guard case .matrix(let columns) = result.value else { return [] }
        return columns.map { column in
            "\(column.labels) \(column.values.map(\.bitPattern)) \(column.histograms.map { $0?.histogram.description })"
        } + result.warnings + result.infos + ["\(result.statistics.totalSamples)"]
    }

    @Test(
        "the answer does not depend on their number, bit for bit",
        arguments: [
            "sum by (job) (rate(requests_total[5m]))", "avg(avg_over_time(requests_total[7m]))", "requests_total",
            "sum(requests_total)", "stddev by (job) (increase(requests_total[2m]))",
            "quantile_over_time(0.3, requests_total[5m])", "topk(3, requests_total)",
            "rate(requests_total[1m] @ end())",
        ])
    func sameAnswer(_ query: String) throws {
        let source = Self.source()
        let alone = try Self.answer(query, workers: 1, source)
        #expect(alone.count > 1)
        for workers in [2, 3, 7] {
            for _ in 0..<3 { #expect(try Self.answer(query, workers: workers, source) == alone) }
        }
    }

    /// A set of which one series cannot be read.
    private final class Damaged: SeriesSet {
        struct Damage: Error, Equatable { var index: Int }
        let count = 5000

        func labels(_ index: Int) -> Labels { Labels([("__name__", "x"), ("n", "\(index)")]) }

        func read(_ index: Int, into columns: inout SampleColumns) throws {
            if index % 1000 == 700 { throw Damage(index: index) }
            columns.removeAll()
            columns.append(0, Double(index))
        }
    }

    private struct Echo: ColumnMaker {
        let set: Damaged

        func make(_ index: Int, _ scratch: ColumnScratch, _ out: UnsafeMutablePointer<Double>) throws -> MadeColumn {
            try set.read(index, into: &scratch.samples)
            for step in 0..<64 { out[step] = scratch.samples.values[0] + Double(step) }
            return .values(read: 1, counted: SampleCount(looked: 64, new: 64))
        }
    }

    @Test(
        "the first failure in order of the series ends the query, and all before it has been handed on",
        arguments: [0, 1, 6])
    func failure(_ helpers: Int) throws {
        let budget = QueryBudget(
            deadline: .max, maxSamples: .max, isCancelled: nil, memory: MemoryAccount(limit: .max, budget: nil))
        let production = try ColumnProduction(
            Echo(set: Damaged()), count: 5000, steps: 64, maxWorkers: helpers, pool: .queries(limit: helpers + 1),
            budget)
        var seen: [Int] = []
        #expect(throws: Damaged.Damage(index: 700)) {
            try production.run { index, _, values, _ in
                #expect(values.last == Double(index + 63))
                seen.append(index)
            }
        }
        #expect(seen == Array(0..<700))
    }

    @Test("no more threads work than the pool has")
    func poolLimit() {
        let workers = Workers.queries(limit: 3)
        workers.enter()
        #expect(workers.tryEnter())
        #expect(workers.tryEnter())
        #expect(!workers.tryEnter())
        workers.leave()
        #expect(workers.tryEnter())
    }
}
