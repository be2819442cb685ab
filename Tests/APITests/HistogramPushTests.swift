import Foundation
import HTTP
import Model
import Platform
import PromQL
import Remote
import Storage
import Telemetry
import TestSupport
import Testing

/// Random native histograms through the real receiver and store; what is stored is queried, and the answers compared
/// with those of a slow evaluator.
@Suite("Native histograms from push to answer")
struct HistogramPushTests {
    /// `MARTLET_LONG_HISTOGRAMS=100000` takes so many; `MARTLET_SEED` repeats a run.
    private static let total = Int(ProcessInfo.processInfo.environment["MARTLET_LONG_HISTOGRAMS"] ?? "") ?? 2000
    private static let now: Int64 = 1_700_000_000_000
    private static let spacing: Int64 = 15_000

    // MARK: Making

    /// The state of one series, as whole counts by index.
    private struct Source {
        var schema: Int
        var bounds: [Double] = []
        var threshold = 0.0
        var zero = 0
        var up: [Int: Int] = [:]
        var down: [Int: Int] = [:]
        var sum = 0.0
        var isFloat = false
        var isGauge = false

        init(_ random: inout SeededRandom) {
            isFloat = Bool.random(using: &random)
            isGauge = Int.random(in: 0..<6, using: &random) == 0
            if Int.random(in: 0..<4, using: &random) == 0 {
                schema = -53
                bounds = [-1, 0, 1, 2, 5, 10].filter { _ in Int.random(in: 0..<3, using: &random) > 0 }
            } else {
                schema = Int.random(in: -4...8, using: &random)
                threshold = [0, 0, 0.001, 0.5, 1, 2.5].randomElement(using: &random) ?? 0
            }
            grow(&random)
        }

        mutating func grow(_ random: inout SeededRandom) {
            sum += Double(Int.random(in: 0..<100, using: &random)) / 4
            if schema == -53 {
                for index in 0...bounds.count { up[index, default: 0] += Int.random(in: 0..<4, using: &random) }
                return
            }
            zero += Int.random(in: 0..<3, using: &random)
            for _ in 0..<Int.random(in: 0..<4, using: &random) {
                // From above the zero bucket: what lies within it has no place of its own.
                let value = max(threshold, 0.01) * (1.01 + Double.random(in: 0..<20, using: &random))
                let index = Int((log2(value) * exp2(Double(schema))).rounded(.up))
                if Int.random(in: 0..<3, using: &random) == 0 {
                    down[index, default: 0] += Int.random(in: 1..<5, using: &random)
                } else {
                    up[index, default: 0] += Int.random(in: 1..<5, using: &random)
                }
            }
        }

        /// Another sample of the series: it grows, begins again, or changes its shape.
        mutating func step(_ random: inout SeededRandom) {
            switch Int.random(in: 0..<12, using: &random) {
            case 0: self = Source(&random)
            case 1:
                (zero, up, down, sum) = (0, [:], [:], 0)
                grow(&random)
            case 2 where schema == -53 && !bounds.isEmpty:
                let gone = Int.random(in: 0..<bounds.count, using: &random)
                bounds.remove(at: gone)
                let old = up
                up = [:]
                for (index, count) in old { up[index > gone ? index - 1 : index, default: 0] += count }
            case 3 where schema > -4:
                schema -= 1
                func coarser(_ table: [Int: Int]) -> [Int: Int] {
                    table.reduce(into: [:]) { $0[($1.key - 1) >> 1 + 1, default: 0] += $1.value }
                }
                (up, down) = (coarser(up), coarser(down))
            default: grow(&random)
            }
        }

        var histogram: FloatHistogram {
            func side(_ table: [Int: Int]) -> ([FloatHistogram.Span], [Double]) {
                var (spans, counts) = ([FloatHistogram.Span](), [Double]())
                var end = 0
                for index in table.keys.sorted() {
                    if !spans.isEmpty, index == end {
                        spans[spans.count - 1].length += 1
                    } else {
                        spans.append(.init(offset: Int32(index - end), length: 1))
                    }
                    counts.append(Double(table[index] ?? 0))
                    end = index + 1
                }
                return (spans, counts)
            }
            let ((ups, upCounts), (downs, downCounts)) = (side(up), side(down))
            let count = Double(zero) + upCounts.reduce(0, +) + downCounts.reduce(0, +)
            return FloatHistogram(
                resetHint: isGauge ? .gauge : .unknown, schema: Int32(schema), zeroThreshold: threshold,
                zeroCount: Double(zero), count: count, sum: sum,
                positiveSpans: ups, negativeSpans: downs, positiveBuckets: upCounts, negativeBuckets: downCounts,
                customBounds: bounds, hasFloatCounts: isFloat)
        }
    }

    /// Makes a histogram that a sender should not send, or seldom does.
    private static func mutate(_ one: inout FloatHistogram, _ random: inout SeededRandom) {
        switch Int.random(in: 0..<14, using: &random) {
        case 0: one.schema = [Int32.min, -54, -53, -5, 9, 52, 53, .max].randomElement(using: &random) ?? 0
        case 1: one.count += 1
        case 2:
            // Observed NaNs are in no bucket.
            one.sum = .nan
            one.count += Double(Int.random(in: 0..<3, using: &random))
        case 3: one.zeroCount = -1
        case 4: one.positiveSpans.append(.init(offset: -1, length: 0))
        case 5: one.positiveSpans.append(.init(offset: 3, length: 0))
        case 6: one.positiveSpans.append(.init(offset: 0, length: .max))
        case 7: one.positiveBuckets.append(-1)
        case 8: one.customBounds = one.customBounds.reversed()
        case 9: one.customBounds.append(.infinity)
        case 10: one.negativeBuckets.removeAll()
        case 11:
            // Buckets that are named and empty.
            one.positiveSpans.append(.init(offset: 2, length: 2))
            one.positiveBuckets += [0, 0]
        case 12:
            one.negativeSpans.append(.init(offset: 1, length: 1))
            one.negativeBuckets.append(0)
        default: one.zeroThreshold = [-1, 0, 1e300, .nan].randomElement(using: &random) ?? 0
        }
    }

    // MARK: Sending

    private enum Wire {
        static func varint(_ value: UInt64) -> [UInt8] {
            var (rest, out) = (value, [UInt8]())
            while rest >= 0x80 {
                out.append(UInt8(rest & 0x7F) | 0x80)
                rest >>= 7
            }
            return out + [UInt8(rest)]
        }
        static func zigzag(_ value: Int64) -> [UInt8] { varint(UInt64(bitPattern: value << 1 ^ value >> 63)) }
        static func bytes(_ field: UInt64, _ content: [UInt8]) -> [UInt8] {
            varint(field << 3 | 2) + varint(UInt64(content.count)) + content
        }
        static func fixed(_ value: Double) -> [UInt8] {
            (0..<8).map { UInt8(truncatingIfNeeded: value.bitPattern >> (8 * UInt64($0))) }
        }
        static func double(_ field: UInt64, _ value: Double) -> [UInt8] { varint(field << 3 | 1) + fixed(value) }
        static func number(_ field: UInt64, _ value: Int64) -> [UInt8] {
            varint(field << 3) + varint(UInt64(bitPattern: value))
        }
        static func label(_ name: String, _ value: String) -> [UInt8] {
            bytes(1, bytes(1, Array(name.utf8)) + bytes(2, Array(value.utf8)))
        }

        static func histogram(_ one: FloatHistogram, at time: Int64) -> [UInt8] {
            func spans(_ field: UInt64, _ spans: [FloatHistogram.Span]) -> [UInt8] {
                spans.flatMap { bytes(field, [8] + zigzag(Int64($0.offset)) + number(2, Int64($0.length))) }
            }
            func buckets(_ field: UInt64, _ counts: [Double]) -> [UInt8] {
                if one.hasFloatCounts { return bytes(field + 1, counts.flatMap(fixed)) }
                var before = 0.0
                return bytes(
                    field,
                    counts.flatMap { count in
                        defer { before = count }
                        return zigzag(Int64(count - before))
                    })
            }
            let counts =
                one.hasFloatCounts
                ? double(2, one.count) + double(7, one.zeroCount)
                : number(1, Int64(one.count)) + number(6, Int64(one.zeroCount))
            var message = counts + double(3, one.sum) + varint(32) + zigzag(Int64(one.schema))
            message += double(5, one.zeroThreshold)
            message += spans(8, one.negativeSpans) + buckets(9, one.negativeBuckets)
            message += spans(11, one.positiveSpans) + buckets(12, one.positiveBuckets)
            message += number(14, one.resetHint == .gauge ? 3 : 0)
            return message + bytes(16, one.customBounds.flatMap(fixed)) + number(15, time)
        }

        /// Snappy's block format with literals only.
        static func snappy(_ message: [UInt8]) -> [UInt8] {
            var out = varint(UInt64(message.count))
            for start in stride(from: 0, to: message.count, by: 60) {
                let part = message[start..<min(start + 60, message.count)]
                out.append(UInt8((part.count - 1) << 2))
                out += part
            }
            return out
        }
    }

    // MARK: The test

    private struct PushedDaemon {
        let store: TimeSeriesStore
        let receiver: RemoteWriteReceiver
        let engine: QueryEngine

        init() throws {
            let clock = ManualClock(now: HistogramPushTests.now)
            store = try TimeSeriesStore.open(
                options: StoreOptions(directory: "data", retentionTime: 0, runsInBackground: false),
                fileSystem: FaultyFileSystem(), clock: clock)
            receiver = RemoteWriteReceiver(store: store, clock: clock, metrics: MetricRegistry())
            var options = EngineOptions()
            options.parser = .all
            engine = QueryEngine(options: options)
        }

        /// Whether the histogram was taken; it must be answered in either case.
        func push(_ name: String, _ histogram: FloatHistogram, at time: Int64) -> Bool {
            let series =
                Wire.label("__name__", "h") + Wire.label("s", name)
                + Wire.bytes(4, Wire.histogram(histogram, at: time))
            let answer = receiver.handle(
                HTTPRequest(method: "POST", path: "/api/v1/write", body: Wire.snappy(Wire.bytes(1, series))))
            #expect(answer.status == 204 || answer.status == 400)
            return answer.status == 204
        }

        /// The only element of an answer; nil if there is none.
        func ask(_ query: String, at time: Int64) throws -> (float: Double, histogram: SlowHistogram?)? {
            guard case .vector(let columns) = try engine.instant(query, source: store, at: time).value,
                let column = columns.first
            else { return nil }
            let histogram = column.histograms.first ?? nil
            return (column.values[0], histogram.map { SlowHistogram($0.histogram) })
        }
    }

    @Test("answers to random, mixed and broken histograms are those of the slow evaluator")
    func compare() throws {
        var random = SeededRandom(seed: SeededRandom.runSeed)
        var (daemon, pushed, taken, compared) = (try PushedDaemon(), 0, 0, 0)
        var round = 0
        while pushed < Self.total {
            // A new store now and then: the test is about histograms, and not about many series.
            if round % 500 == 499 {
                daemon.store.abandon()
                daemon = try PushedDaemon()
            }
            round += 1
            var samples: [[SlowHistogram.Sample]] = [[], []]
            for which in 0..<2 {
                var source = Source(&random)
                for step in 0..<5 {
                    if step > 0 { source.step(&random) }
                    var histogram = source.histogram
                    if Int.random(in: 0..<8, using: &random) == 0 { Self.mutate(&histogram, &random) }
                    let time = Self.now - Int64(5 - step) * Self.spacing
                    pushed += 1
                    guard daemon.push("\(round)-\(which)", histogram, at: time) else { continue }
                    taken += 1
                    // Extremes are for the fuzz targets: here every number is to be compared.
                    samples[which].append((time, SlowHistogram(try histogram.accepted())))
                }
            }
            compared += try check(daemon, round, samples)
        }
        daemon.store.abandon()
        print("pushed \(pushed), taken \(taken), answers compared \(compared)")
        #expect(taken > pushed / 2 && taken < pushed && compared > taken)
    }

    /// Compares all answers about two series; the number of them.
    private func check(_ daemon: PushedDaemon, _ round: Int, _ samples: [[SlowHistogram.Sample]]) throws -> Int {
        var compared = 0
        func fail(_ query: String, _ what: String) {
            Issue.record("seed \(SeededRandom.runSeed), round \(round): \(query): \(what)\n\(samples)")
        }
        func expect(_ query: String, _ wanted: Double) throws {
            guard let found = try daemon.ask(query, at: Self.now) else { return fail(query, "no answer") }
            compared += 1
            if found.histogram != nil || !SlowHistogram.isClose(found.float, wanted, 1e-9) {
                fail(query, "\(found.float), wanted \(wanted)")
            }
        }
        func expect(_ query: String, _ wanted: SlowHistogram?) throws {
            let found = try daemon.ask(query, at: Self.now)?.histogram
            compared += 1
            switch (found, wanted) {
            case (nil, nil): break
            case (let found?, let wanted?):
                if let difference = found.difference(wanted) { fail(query, difference) }
            default: fail(query, "\(found.map { "\($0)" } ?? "no answer"), wanted \(String(describing: wanted))")
            }
        }
        for (which, list) in samples.enumerated() {
            let series = "h{s=\"\(round)-\(which)\"}"
            guard let last = list.last?.histogram else { continue }
            if list.contains(where: { $0.histogram.threshold.isNaN }) {
                // Prometheus never ends adding such a threshold to another: there must be an answer, whichever.
                for query in [
                    "rate(\(series)[5m])", "sum_over_time(\(series)[5m])", "resets(\(series)[5m])",
                    "histogram_quantile(0.5, \(series))", "histogram_fraction(0, 1, \(series))", "\(series) >/ 1",
                ] { _ = try daemon.ask(query, at: Self.now) }
                continue
            }
            try expect("histogram_count(\(series))", last.count)
            try expect("histogram_sum(\(series))", last.sum)
            try expect("histogram_avg(\(series))", last.average)
            try expect("histogram_stdvar(\(series))", last.variance)
            try expect("histogram_stddev(\(series))", last.variance.squareRoot())
            for phi in [-1, 0, 0.1, 0.5, 0.9, 1, 2] {
                try expect("histogram_quantile(\(phi), \(series))", last.quantile(phi))
                try expect("histogram_quantiles(\(series), \"q\", \(phi))", last.quantile(phi))
            }
            for (low, high) in [(-1.0, 1.5), (0, 100), (-.infinity, 0.25), (2, 1)] {
                let bounds = [low, high].map { $0 == -.infinity ? "-Inf" : "\($0)" }
                try expect("histogram_fraction(\(bounds[0]), \(bounds[1]), \(series))", last.fraction(low, high))
            }
            try expect("\(series) * 2.5", last.scaled(2.5))
            try expect("\(series) / 4", last.scaled(0.25))
            try expect("\(series) / 0", last.divided(0))
            try expect("-\(series)", last.scaled(-1))
            try expect("\(series) == \(series)", last)
            for limit in [-1, 0, 0.7, 3.0] {
                try expect("\(series) </ \(limit)", last.trimmed(below: true, limit))
                try expect("\(series) >/ \(limit)", last.trimmed(below: false, limit))
            }
            for (name, isCounter, isRate) in [
                ("rate", true, true), ("increase", true, false), ("delta", false, false),
            ] {
                try expect(
                    "\(name)(\(series)[5m])",
                    SlowHistogram.extrapolated(
                        list, over: Self.now - 300_000...Self.now, isCounter: isCounter, isRate: isRate))
            }
            try expect("irate(\(series)[5m])", SlowHistogram.instantRate(list))
            if list.count > 1 {
                try expect("idelta(\(series)[5m])", last.adding(list[list.count - 2].histogram, times: -1))
            }
            let histograms = list.map(\.histogram)
            let sum = SlowHistogram.sum(histograms)
            try expect("sum_over_time(\(series)[5m])", sum)
            try expect("avg_over_time(\(series)[5m])", sum?.divided(Double(list.count)))
            try expect("first_over_time(\(series)[5m])", histograms[0])
            try expect("last_over_time(\(series)[5m])", last)
            try expect("count_over_time(\(series)[5m])", Double(list.count))
            let pairs = zip(histograms, histograms.dropFirst())
            try expect("resets(\(series)[5m])", Double(pairs.count { $1.isReset(after: $0) }))
            try expect("changes(\(series)[5m])", Double(pairs.count { !$0.isEqual($1) }))
        }
        guard let a = samples[0].last?.histogram, let b = samples[1].last?.histogram, !a.threshold.isNaN,
            !b.threshold.isNaN
        else { return compared }
        let (left, right) = ("h{s=\"\(round)-0\"}", "h{s=\"\(round)-1\"}")
        try expect("\(left) + ignoring(s) \(right)", a.adding(b))
        try expect("\(left) - ignoring(s) \(right)", a.adding(b, times: -1))
        try expect("sum(h{s=~\"\(round)-.\"})", a.adding(b))
        try expect("avg(h{s=~\"\(round)-.\"})", a.adding(b)?.scaled(0.5))
        return compared
    }
}
