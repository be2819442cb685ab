import Model
import TestSupport
import Testing

@testable import PromQL

@Suite("Windows")
struct WindowTests {
    /// `rate` and `increase` as their definition says, without any short cut.
    private func extrapolated(_ times: [Int64], _ values: [Double], _ start: Int64, _ end: Int64, isRate: Bool)
        -> Double
    {
        let (first, count) = (values[0], values.count)
        var increase = values[count - 1] - first
        for i in 1..<count where values[i] < values[i - 1] { increase += values[i - 1] }
        var toStart = Double(times[0] - start) / 1000
        var toEnd = Double(end - times[count - 1]) / 1000
        let sampled = Double(times[count - 1] - times[0]) / 1000
        let average = sampled / Double(count - 1)
        if toStart >= average * 1.1 { toStart = average / 2 }
        if increase > 0, first >= 0 { toStart = min(toStart, sampled * (first / increase)) }
        if toEnd >= average * 1.1 { toEnd = average / 2 }
        var factor = (sampled + toStart + toEnd) / sampled
        if isRate { factor /= Double(end - start) / 1000 }
        return increase * factor
    }

    @Test("rates of shared windows are those of the definition, bit for bit")
    func rates() throws {
        var random = SeededRandom(seed: SeededRandom.runSeed)
        for round in 0..<3000 {
            let isRate = round % 2 == 0
            let count = Int.random(in: 2...9, using: &random)
            var time: Int64 = 0
            var value = [0, 1e-300, 0.5, 40, 1e9][round % 5]
            var (times, values): ([Int64], [Double]) = ([], [])
            for _ in 0..<count {
                time += Int64.random(in: 1...30_000, using: &random)
                value =
                    Int.random(in: 0..<8, using: &random) == 0 ? 0 : value + Double.random(in: 0...40, using: &random)
                if round % 7 == 0 { value *= 1e-305 }
                times.append(time)
                values.append(value)
            }
            let (start, end) = (Int64(-1), time + Int64.random(in: 0...40_000, using: &random))
            var samples = SampleColumns()
            for (time, value) in zip(times, values) { samples.append(time, value) }
            let plan = WindowPlan(
                function: isRate ? .rate : .increase, grid: StepGrid(start: end, step: 1000, count: 1),
                length: end - start)
            var out = [0.0]
            var resets: [Int32] = []
            let table = WindowTable(samples, plan)
            try out.withUnsafeMutableBufferPointer {
                try FloatWindows.evaluate(samples, plan, table, [], &resets, $0)
            }
            let expected = extrapolated(times, values, start, end, isRate: isRate)
            #expect(out[0].bitPattern == expected.bitPattern, "\(times) \(values) \(end)")
        }
    }

    @Test("a series is given the windows of its own times, also when many streams take turns")
    func tables() {
        let plan = WindowPlan(
            function: .count, grid: StepGrid(start: 0, step: 10, count: 30_000), length: 100)
        let tables = WindowTables(plan)
        for round in 0..<3 {
            for key: UInt64 in 1...5 {
                var samples = SampleColumns()
                for i in 0..<20 { samples.append(Int64(i) * 10 * Int64(key), 1) }
                samples.timestampKey = round == 2 ? 0 : key
                let expected = WindowTable(samples, plan)
                let table = tables.table(samples)
                #expect(table.counted.looked == expected.counted.looked)
                #expect(table.bounds.elementsEqual(expected.bounds) { $0 == $1 })
            }
        }
    }

    @Test("a quantile is that of the sorted values")
    func quantiles() {
        var random = SeededRandom(seed: SeededRandom.runSeed)
        for round in 0..<3000 {
            let count = Int.random(in: 1...40, using: &random)
            let values = (0..<count).map { _ -> Double in
                switch Int.random(in: 0..<12, using: &random) {
                case 0: round % 3 == 0 ? .nan : 1
                case 1: .infinity
                case 2: -.infinity
                default: Double(Int.random(in: -5...5, using: &random))
                }
            }
            let q = Double.random(in: 0...1, using: &random)
            let sorted = values.sorted { $0 < $1 || ($0.isNaN && !$1.isNaN) }
            let rank = q * Double(count - 1)
            let low = Int(rank)
            let weight = rank - Double(low)
            let expected = sorted[low] * (1 - weight) + sorted[min(count - 1, low + 1)] * weight
            var scratch = values
            let found = LinearQuantile.of(q, &scratch)
            #expect(found == expected || found.isNaN && expected.isNaN, "\(q) of \(values)")
        }
    }

    @Test("groups are found again, however many there are")
    func grouping() {
        var grouping = Grouping(["pod", "absent"], isWithout: false)
        for round in 0..<2 {
            for pod in 0..<500 {
                let labels = Labels([("__name__", "m\(round)"), ("pod", "p\(pod)"), ("zone", "\(pod % 3)")])
                #expect(grouping.index(of: Metric(labels)) == pod)
            }
        }
        #expect(grouping.groups.count == 500)
        #expect(grouping.groups[7] == Labels([("pod", "p7")]))
        var without = Grouping(["pod"], isWithout: true)
        #expect(without.index(of: Labels([("__name__", "a"), ("pod", "1"), ("zone", "x")])) == 0)
        #expect(without.index(of: Labels([("__name__", "b"), ("pod", "2"), ("zone", "x")])) == 0)
        #expect(without.groups == [Labels([("zone", "x")])])
    }
}
