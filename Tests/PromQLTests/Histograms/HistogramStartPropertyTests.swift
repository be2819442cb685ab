import Model
import TestSupport
import Testing

@testable import PromQL

/// A random series of floats and histograms with start timestamps, and what functions give of it, one step at a time,
/// as the specification says it.
private struct StartSeries {
    struct Sample {
        var time: Int64
        /// 0 if there is none.
        var start: Int64
        var float: Double?
        var histogram: FloatHistogram?
        var isStale = false
    }

    var name: String
    var samples: [Sample] = []
    /// Whether exponential and custom buckets are mixed.
    var mixesLayouts = false
    var isGauge = false

    init(_ name: String, _ random: inout SeededRandom) {
        self.name = name
        let starts = Int.random(in: 0..<6, using: &random)
        let floats = Int.random(in: 0..<4, using: &random)
        mixesLayouts = Int.random(in: 0..<6, using: &random) == 0
        let isCustom = Bool.random(using: &random)
        isGauge = Int.random(in: 0..<8, using: &random) == 0
        let isDelta = Bool.random(using: &random)
        var time = Int64.random(in: 0..<60_000, using: &random)
        var began = time - Int64.random(in: 0..<90_000, using: &random)
        var (number, counts, schema) = (0.0, [0.0, 0, 0], Int32(2))
        for _ in 0..<60 {
            let before = samples.last?.time ?? began
            time += Int64.random(in: 1...30, using: &random) * 1000
            let isReset = Int.random(in: 0..<6, using: &random) == 0
            if isReset || isDelta { (number, counts, schema) = (0, [0, 0, 0], .random(in: 0...2, using: &random)) }
            if isReset { began = Int64.random(in: before...time, using: &random) }
            number += Double(Int.random(in: 0...9, using: &random))
            for i in counts.indices { counts[i] += Double(Int.random(in: 0...4, using: &random)) }
            var sample = Sample(time: time, start: 0)
            switch starts {
            case 0: break
            case 1: sample.start = began
            case 2: sample.start = before
            case 3: sample.start = before + (time - before) / 3
            case 4: sample.start = isReset ? time : samples.last?.start ?? time
            default: sample.start = [0, began, before, time, time + 5, before - 1].randomElement(using: &random) ?? 0
            }
            if Int.random(in: 0..<4, using: &random) < floats, floats < 3 {
                sample.float = number
            } else {
                var one = FloatHistogram(
                    resetHint: isGauge ? .gauge : .unknown, schema: schema, zeroThreshold: 0.001, zeroCount: counts[0],
                    count: counts.reduce(0, +), sum: number, positiveSpans: [.init(offset: 0, length: 2)],
                    positiveBuckets: Array(counts[1...]))
                if isCustom != (mixesLayouts && Int.random(in: 0..<20, using: &random) == 0) {
                    (one.schema, one.customBounds, one.zeroThreshold, one.zeroCount) = (-53, [1, 5], 0, 0)
                    one.count = counts[1] + counts[2]
                }
                if !isGauge, isReset { one.resetHint = .reset }
                sample.histogram = one
            }
            sample.isStale = Int.random(in: 0..<20, using: &random) == 0
            samples.append(sample)
        }
    }

    var source: ArraySource.Series {
        var result = ArraySource.Series(labels: Labels([("__name__", name)]), samples: [])
        var stale = FloatHistogram()
        stale.sum = Staleness.marker
        for sample in samples {
            result.starts.append(sample.start, from: sample.time)
            if let histogram = sample.histogram {
                result.histograms.append((sample.time, sample.isStale ? stale : histogram))
            } else {
                result.samples.append((sample.time, sample.isStale ? Staleness.marker : sample.float ?? 0))
            }
        }
        return result
    }

    func inside(_ start: Int64, _ end: Int64) -> [Sample] {
        samples.filter { $0.time > start && $0.time <= end && !$0.isStale }
    }

    // MARK: What functions give

    static func isReset(_ a: Sample, _ b: Sample, _ seesStarts: Bool) -> Bool {
        if seesStarts, b.start != 0, b.start < b.time {
            if b.start > a.time { return true }
            // It begins with the sample before: a delta if that one has a beginning of its own.
            if b.start == a.time, a.start != 0, a.start < a.time { return true }
        }
        if let x = a.float, let y = b.float { return y < x }
        guard let x = a.histogram, let y = b.histogram else { return true }
        return y.resetHint == .reset || SlowHistogram(y).isReset(after: SlowHistogram(x))
    }

    static func value(_ sample: Sample) -> SlowValue {
        sample.histogram.map { .histogram(SlowHistogram($0)) } ?? .float(sample.float ?? 0)
    }

    /// `b` less `a`, if they fit.
    static func difference(_ a: SlowValue, _ b: SlowValue, times: Double = -1) -> SlowValue? {
        switch (a, b) {
        case (.float(let x), .float(let y)): .float(y + times * x)
        case (.histogram(let x), .histogram(let y)): y.adding(x, times: times).map { .histogram($0) }
        default: nil
        }
    }

    static func scaled(_ value: SlowValue, _ factor: Double) -> SlowValue {
        switch value {
        case .float(let x): .float(x * factor)
        case .histogram(let x): .histogram(x.scaled(factor))
        }
    }

    static func size(_ value: SlowValue) -> Double {
        switch value {
        case .float(let x): x
        case .histogram(let x): x.count
        }
    }

    /// `increase` over (`start`, `end`]: the sum of what each sample adds to the one before.
    func increase(_ start: Int64, _ end: Int64, _ seesStarts: Bool) -> (value: SlowValue?, overlaps: Bool) {
        let inside = inside(start, end)
        guard let first = inside.first, let last = inside.last,
            inside.allSatisfy({ ($0.float == nil) == (first.float == nil) })
        else { return (nil, false) }
        let isBegun = seesStarts && first.start != 0 && start < first.start && first.start < first.time
        guard inside.count >= 2 || isBegun else { return (nil, false) }
        let pairs = Array(zip(inside, inside.dropFirst()))
        let overlaps = seesStarts && pairs.contains { $1.start != 0 && $1.start < $0.time && $1.start != $0.start }
        var change: SlowValue?
        for (a, b) in pairs {
            let step = Self.isReset(a, b, seesStarts) ? Self.value(b) : Self.difference(Self.value(a), Self.value(b))
            guard let step else { return (nil, false) }
            guard let so = change else {
                change = step
                continue
            }
            guard let sum = Self.difference(step, so, times: 1) else { return (nil, false) }
            change = sum
        }
        if isBegun {
            let value = Self.value(first)
            change = if let so = change { Self.difference(value, so, times: 1) } else { value }
        }
        guard let change else { return (nil, overlaps) }
        // In seconds, since rounding decides where an edge is exactly 1.1 times as far away as a sample.
        func seconds(_ from: Int64, _ to: Int64) -> Double { Double(to - from) / 1000 }
        let gap = seconds(first.time, last.time) / Double(max(1, inside.count - 1))
        let sampled = seconds(isBegun ? first.start : first.time, last.time)
        var (before, after) = (seconds(start, first.time), seconds(last.time, end))
        if before >= gap * 1.1 { before = gap / 2 }
        let (size, level) = (Self.size(change), Self.size(Self.value(first)))
        if size > 0, level >= 0 { before = min(before, sampled * level / size) }
        if isBegun { before = 0 }
        if after >= gap * 1.1 { after = gap / 2 }
        return (Self.scaled(change, (sampled + before + after) / sampled), overlaps)
    }

    func resets(_ start: Int64, _ end: Int64, _ seesStarts: Bool) -> SlowValue? {
        let inside = inside(start, end)
        guard !inside.isEmpty else { return nil }
        return .float(Double(zip(inside, inside.dropFirst()).count { Self.isReset($0, $1, seesStarts) }))
    }

    func irate(_ start: Int64, _ end: Int64, _ seesStarts: Bool) -> SlowValue? {
        let last = inside(start, end).suffix(2)
        guard let a = last.first, let b = last.last, last.count == 2, (a.float == nil) == (b.float == nil) else {
            return nil
        }
        let change = Self.isReset(a, b, seesStarts) ? Self.value(b) : Self.difference(Self.value(a), Self.value(b))
        return change.map { Self.scaled($0, 1000 / Double(b.time - a.time)) }
    }
}

@Suite("Start timestamps against a slow evaluator")
struct HistogramStartPropertyTests {
    private static func isSame(_ found: SampleValue?, _ wanted: SlowValue?) -> Bool {
        switch (found, wanted) {
        case (nil, nil): true
        case (.float(let a), .float(let b)): SlowHistogram.isClose(a, b, max(1, abs(a)))
        case (.histogram(let a), .histogram(let b)): SlowHistogram(a).difference(b) == nil && a.resetHint == .gauge
        default: false
        }
    }

    /// The samples of a query about one series, by step.
    private static func steps(_ result: QueryResult, _ count: Int) -> [SampleValue?] {
        guard case .matrix(let columns) = result.value, let column = columns.first else {
            return [SampleValue?](repeating: nil, count: count)
        }
        return (0..<count).map { Column.isPresent(column.values[$0]) ? column.sample($0) : nil }
    }

    @Test("rate, increase, irate and resets of all windows are what the specification says", arguments: [true, false])
    func functions(seesStarts: Bool) throws {
        var random = SeededRandom(seed: SeededRandom.runSeed &+ (seesStarts ? 1 : 0))
        var options = PromQLTestRunner.options
        options.usesStartTimes = seesStarts
        let engine = QueryEngine(options: options)
        var (values, overlapping) = (0, 0)
        for round in 0..<120 {
            let series = StartSeries("s\(round)_total", &random)
            let source = ArraySource([series.source])
            let length = ([5_000, 20_000, 60_000, 200_000] as [Int64]).randomElement(using: &random) ?? 60_000
            let (step, count) = (Int64.random(in: 1_000...40_000, using: &random), 40)
            var wanted: [String: [SlowValue?]] = [:]
            var overlaps = false
            for i in 0..<count {
                let end = Int64(i) * step
                let start = end - length
                let increase = series.increase(start, end, seesStarts)
                overlaps = overlaps || increase.overlaps
                wanted["increase", default: []].append(increase.value)
                wanted["rate", default: []].append(
                    increase.value.map { StartSeries.scaled($0, 1000 / Double(length)) })
                // Below this function the buckets are taken away, and resets are noted as hints.
                if !series.isGauge {
                    wanted["histogram_count(increase", default: []].append(
                        increase.value?.histogram.map { .float($0.count) })
                }
                wanted["resets", default: []].append(series.resets(start, end, seesStarts))
                wanted["irate", default: []].append(series.irate(start, end, seesStarts))
            }
            for (name, expected) in wanted {
                let query = "\(name)(\(series.name)[\(length)ms])" + (name.contains("(") ? ")" : "")
                let result = try engine.range(
                    query, source: source, start: 0, end: Int64(count - 1) * step, step: step)
                let found = Self.steps(result, count)
                if let i = (0..<count).first(where: { !Self.isSame(found[$0], expected[$0]) }) {
                    let window = series.inside(Int64(i) * step - length, Int64(i) * step)
                    let text = window.map { "\($0)" }.joined(separator: "\n")
                    Issue.record(
                        """
                        round \(round), \(query) at \(Int64(i) * step): \(String(describing: found[i])), not \
                        \(String(describing: expected[i])) of\n\(text)
                        """)
                    return
                }
                values += found.count { $0 != nil }
                let isRemarked = result.warnings.contains { $0.contains("overlaps") }
                if name == "resets" || name == "irate" {
                    #expect(!isRemarked)
                } else if !series.mixesLayouts {
                    #expect(isRemarked == overlaps, "round \(round), \(query): \(result.warnings)")
                }
                if isRemarked { overlapping += 1 }
            }
        }
        #expect(values > 5_000)
        #expect(overlapping > 0 || !seesStarts)
    }
}
