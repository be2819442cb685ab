import Glibc
import Model
import TestSupport
import Testing

@testable import PromQL

/// A native histogram as a table: bucket k > 0 holds (2^((k−1)/2^schema), 2^(k/2^schema)], bucket −k its mirror image.
private struct PlainHistogram {
    static let zeroThreshold = 0x1p-20

    var schema: Int
    var zero = 0.0
    var count = 0.0
    var sum = 0.0
    var buckets: [Int: Double] = [:]

    /// With wider buckets, if its own are narrower than those of `schema`.
    func reduced(to schema: Int) -> PlainHistogram {
        guard schema < self.schema else { return self }
        var result = PlainHistogram(schema: schema, zero: zero, count: count, sum: sum)
        for (k, value) in buckets {
            let merged = (abs(k) + (1 << (self.schema - schema)) - 1) >> (self.schema - schema)
            result.buckets[k < 0 ? -merged : merged, default: 0] += value
        }
        return result
    }

    func combined(_ other: PlainHistogram, _ sign: Double) -> PlainHistogram {
        var result = reduced(to: other.schema)
        let other = other.reduced(to: schema)
        result.zero += sign * other.zero
        result.count += sign * other.count
        result.sum += sign * other.sum
        for (k, value) in other.buckets { result.buckets[k, default: 0] += sign * value }
        return result
    }

    func scaled(_ factor: Double) -> PlainHistogram {
        PlainHistogram(
            schema: schema, zero: zero * factor, count: count * factor, sum: sum * factor,
            buckets: buckets.mapValues { $0 * factor })
    }

    func isReset(after previous: PlainHistogram) -> Bool {
        count < previous.count || zero < previous.zero
            || previous.buckets.contains { (buckets[$0.key] ?? 0) < $0.value }
    }

    var histogram: FloatHistogram {
        var result = FloatHistogram(
            schema: Int32(schema), zeroThreshold: Self.zeroThreshold, zeroCount: zero, count: count, sum: sum)
        var (positiveEnd, negativeEnd) = (0, 0)
        for (k, value) in buckets.sorted(by: { abs($0.key) < abs($1.key) }) where value != 0 {
            if k > 0 {
                result.positiveSpans.append(.init(offset: Int32(k - positiveEnd), length: 1))
                result.positiveBuckets.append(value)
                positiveEnd = k + 1
            } else {
                result.negativeSpans.append(.init(offset: Int32(-k - negativeEnd), length: 1))
                result.negativeBuckets.append(value)
                negativeEnd = -k + 1
            }
        }
        return result
    }

    /// Counts by the bound that is farther from zero; the zero bucket's is 0.
    var table: [Double: Double] {
        var result: [Double: Double] = [0: zero]
        for (k, value) in buckets { result[bound(k)] = value }
        return result
    }

    private func bound(_ k: Int) -> Double {
        let size = exp2(Double(abs(k)) / Double(1 << schema))
        return k < 0 ? -size : size
    }

    func quantile(_ phi: Double) -> Double {
        guard count != 0 else { return .nan }
        var rank = phi * count
        let filled = buckets.filter { $0.value != 0 }
        for k in filled.keys.sorted() where k < 0 {
            if rank <= filled[k] ?? 0 { return -exp2((Double(-k) - rank / (filled[k] ?? 0)) / Double(1 << schema)) }
            rank -= filled[k] ?? 0
        }
        if rank <= zero {
            let hasNegative = filled.keys.contains { $0 < 0 }
            let hasPositive = filled.keys.contains { $0 > 0 }
            let lower = hasPositive && !hasNegative ? 0 : -Self.zeroThreshold
            let upper = hasNegative && !hasPositive ? 0 : Self.zeroThreshold
            return lower + (upper - lower) * rank / zero
        }
        rank -= zero
        for k in filled.keys.sorted() where k > 0 {
            if rank <= filled[k] ?? 0 { return exp2((Double(k - 1) + rank / (filled[k] ?? 0)) / Double(1 << schema)) }
            rank -= filled[k] ?? 0
        }
        return .nan
    }
}

/// Random series of native histograms, and what queries over them give in the most obvious way.
private struct PlainSeries {
    var job: String
    var instance: String
    var samples: [(time: Int64, value: PlainHistogram?)] = []

    /// Counters with resets, gaps and, as nil, staleness markers.
    init(_ job: String, _ instance: String, _ random: inout SeededRandom) {
        (self.job, self.instance) = (job, instance)
        let schema = Int.random(in: 0...2, using: &random)
        let lowest = Bool.random(using: &random) ? -5 : 1
        let phase = Int64.random(in: 0..<15_000, using: &random)
        var current = PlainHistogram(schema: schema)
        for i in 0..<100 {
            if Int.random(in: 0..<30, using: &random) == 0 { current = PlainHistogram(schema: schema) }
            for _ in 0..<Int.random(in: 1...4, using: &random) {
                let k = Int.random(in: lowest...7, using: &random)
                let number = Double(Int.random(in: 1...5, using: &random))
                if k == 0 { current.zero += number } else { current.buckets[k, default: 0] += number }
                current.count += number
                current.sum += number * Double(k)
            }
            switch Int.random(in: 0..<30, using: &random) {
            case 0: continue
            case 1: samples.append((Int64(i) * 15_000 + phase, nil))
            default: samples.append((Int64(i) * 15_000 + phase, current))
            }
        }
    }

    var series: ArraySource.Series {
        var stale = FloatHistogram()
        stale.sum = Staleness.marker
        return ArraySource.Series(
            labels: Labels([("__name__", "h"), ("job", job), ("instance", instance)]), samples: [],
            histograms: samples.map { ($0.time, $0.value?.histogram ?? stale) })
    }

    /// The newest sample of the last five minutes.
    func newest(_ time: Int64) -> PlainHistogram? {
        guard let last = samples.last(where: { $0.time <= time }), last.time > time - 300_000 else { return nil }
        return last.value
    }

    /// `increase` over the window that ends at `time`.
    func increase(_ window: Int64, _ time: Int64) -> PlainHistogram? {
        let inside = samples.compactMap { sample in
            sample.time > time - window && sample.time <= time
                ? sample.value.map { (time: sample.time, value: $0) } : nil
        }
        guard let first = inside.first, let last = inside.last, inside.count >= 2 else { return nil }
        var change = last.value.combined(first.value, -1)
        for (a, b) in zip(inside, inside.dropFirst()) where b.value.isReset(after: a.value) {
            change = change.combined(a.value, 1)
        }
        let sampled = Double(last.time - first.time)
        let gap = sampled / Double(inside.count - 1)
        var before = Double(first.time - (time - window))
        var after = Double(time - last.time)
        if before >= gap * 1.1 { before = gap / 2 }
        if change.count > 0 { before = min(before, sampled * first.value.count / change.count) }
        if after >= gap * 1.1 { after = gap / 2 }
        return change.scaled((sampled + before + after) / sampled)
    }
}

@Suite("Native histograms against an obvious evaluator")
struct HistogramPropertyTests {
    private static let (start, step, steps): (Int64, Int64, Int) = (200_000, 37_000, 40)

    private static func near(_ a: Double, _ b: Double) -> Bool {
        a == b || (a.isNaN && b.isNaN) || abs(a - b) <= 1e-9 * max(1, abs(a), abs(b))
    }

    private static func isSame(_ found: FloatHistogram, _ wanted: PlainHistogram) -> Bool {
        var table = wanted.table
        for bucket in found.ascendingBuckets() {
            let bound = bucket.upper <= 0 ? bucket.lower : bucket.lower < 0 ? 0 : bucket.upper
            let key = table.keys.first { near($0, bound) } ?? bound
            guard near(bucket.count, table.removeValue(forKey: key) ?? 0) else { return false }
        }
        return near(found.count, wanted.count) && near(found.sum, wanted.sum) && table.values.allSatisfy { near($0, 0) }
    }

    /// A vector per series, its text and how it is computed.
    private static func vectors() -> [(text: String, value: (PlainSeries, Int64) -> PlainHistogram?)] {
        var result: [(text: String, value: (PlainSeries, Int64) -> PlainHistogram?)] = [
            ("h", { $0.newest($1) }), ("h * 2", { $0.newest($1)?.scaled(2) }),
        ]
        for (text, window) in [("1m", 60_000), ("100s", 100_000), ("5m", 300_000)] as [(String, Int64)] {
            result.append(("increase(h[\(text)])", { $0.increase(window, $1) }))
            result.append(
                ("rate(h[\(text)])", { $0.increase(window, $1)?.scaled(1000 / Double(window)) }))
        }
        return result
    }

    @Test(
        "sums, averages, rates, quantiles, counts and sums over random histograms",
        arguments: 1...3 as ClosedRange<UInt64>)
    func agrees(seed: UInt64) throws {
        var random = SeededRandom(seed: seed)
        let series = [("x", "1"), ("x", "2"), ("y", "1"), ("y", "2"), ("y", "3")].map {
            PlainSeries($0.0, $0.1, &random)
        }
        let source = ArraySource(series.map(\.series))
        for (text, value) in Self.vectors() {
            for (operation, grouping) in [("sum", ""), ("sum", " by (job)"), ("avg", " by (job)")] {
                func wanted(_ job: String?, _ time: Int64) -> PlainHistogram? {
                    let members = series.compactMap { job == nil || $0.job == job ? value($0, time) : nil }
                    guard let first = members.first else { return nil }
                    let sum = members.dropFirst().reduce(first) { $0.combined($1, 1) }
                    return operation == "sum" ? sum : sum.scaled(1 / Double(members.count))
                }
                let query = "\(operation)\(grouping)(\(text))"
                let jobs: [String?] = grouping.isEmpty ? [nil] : ["x", "y"]
                let expected = jobs.map { job in
                    (0..<Self.steps).map { wanted(job, Self.start + Int64($0) * Self.step) }
                }
                try Self.check(query, source, jobs, expected, seed) { $0 }
                for phi in [0.0123, 0.377, 0.731, 0.9877] {
                    let query = "histogram_quantile(\(phi), \(query))"
                    try Self.check(query, source, jobs, expected, seed) { _ in
                        nil
                    } number: {
                        $0.quantile(phi)
                    }
                }
                try Self.check("histogram_count(\(query))", source, jobs, expected, seed) { _ in
                    nil
                } number: {
                    $0.count
                }
                try Self.check("histogram_sum(\(query))", source, jobs, expected, seed) { _ in
                    nil
                } number: {
                    $0.sum
                }
            }
        }
    }

    /// Compares a query's answer with a histogram, or a number made of it, for each job and step.
    private static func check(
        _ query: String, _ source: ArraySource, _ jobs: [String?], _ expected: [[PlainHistogram?]], _ seed: UInt64,
        histogram: (PlainHistogram) -> PlainHistogram?, number: ((PlainHistogram) -> Double)? = nil
    ) throws {
        let result = try QueryEngine(options: EngineOptions()).range(
            query, source: source, start: start, end: start + Int64(steps - 1) * step, step: step)
        guard case .matrix(let columns) = result.value else {
            Issue.record("\(query): no matrix")
            return
        }
        for (job, wanted) in zip(jobs, expected) {
            let column = columns.first { $0.labels["job"] == job }
            for i in 0..<steps {
                let found = column.flatMap { Column.isPresent($0.values[i]) ? $0.sample(i) : nil }
                let isSame =
                    switch (found, wanted[i]) {
                    case (nil, nil): true
                    case (.histogram(let found)?, let wanted?): number == nil && Self.isSame(found, wanted)
                    case (.float(let found)?, let wanted?): number.map { near(found, $0(wanted)) } ?? false
                    default: false
                    }
                #expect(isSame, "seed \(seed): \(query), job \(job ?? "any"), step \(i): \(String(describing: found))")
            }
        }
    }
}
