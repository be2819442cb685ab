import Foundation
import Model
import TestSupport
import Testing

@testable import PromQL

private let folder = SharedFolder.path("conformance")
private let python = "/usr/bin/python3"
private let isPresent = [folder + "/golden-3.14.json.xz", python].allSatisfy(FileManager.default.fileExists)

/// What Prometheus 3.14 answered about native histograms, against the slow evaluator that other tests trust, and
/// against the engine.
@Suite("Native histograms against Prometheus 3.14", .enabled(if: isPresent, "needs ../shared/conformance and python3"))
struct HistogramGoldenTests {
    private struct Case {
        var query: String
        /// ms.
        var time: Int64
        var answer: [(labels: Labels, value: Answer)]
    }

    private enum Answer {
        case float(Double)
        case histogram(count: Double, sum: Double, buckets: [[Double]])
    }

    private struct Malformed: Error {}

    // MARK: Reading

    private static func number(_ any: Any?) throws -> Double {
        switch any {
        case let number as NSNumber: return number.doubleValue
        case "+Inf" as String, "inf" as String: return .infinity
        case "-Inf" as String, "-inf" as String: return -.infinity
        case "NaN" as String, "nan" as String: return .nan
        case "stale" as String: return Staleness.marker
        case let text as String:
            guard let value = Double(text) else { throw Malformed() }
            return value
        default: throw Malformed()
        }
    }

    private static func labels(_ any: Any?) throws -> Labels {
        guard let map = any as? [String: String] else { throw Malformed() }
        return Labels(map.map { ($0.key, $0.value) })
    }

    private static func list(_ any: Any?) throws -> [Any] {
        guard let list = any as? [Any] else { throw Malformed() }
        return list
    }

    /// A histogram as the script beside this file writes it.
    private static func histogram(_ any: Any) throws -> FloatHistogram {
        let parts = try list(any)
        func side(_ any: Any) throws -> ([FloatHistogram.Span], [Double]) {
            var (spans, counts, end) = ([FloatHistogram.Span](), [Double](), 0)
            for entry in try list(any) {
                let entry = try list(entry)
                let index = Int(try number(entry[0]))
                if index == end, !spans.isEmpty {
                    spans[spans.count - 1].length += 1
                } else {
                    spans.append(.init(offset: Int32(index - end), length: 1))
                }
                counts.append(try number(entry[1]))
                end = index + 1
            }
            return (spans, counts)
        }
        let ((up, upCounts), (down, downCounts)) = (try side(parts[8]), try side(parts[9]))
        return FloatHistogram(
            resetHint: try number(parts[5]) == 3 ? .gauge : .unknown, schema: Int32(try number(parts[0])),
            zeroThreshold: try number(parts[1]), zeroCount: try number(parts[2]), count: try number(parts[3]),
            sum: try number(parts[4]), positiveSpans: up, negativeSpans: down, positiveBuckets: upCounts,
            negativeBuckets: downCounts, customBounds: try list(parts[6]).map(number),
            hasFloatCounts: parts[7] as? Bool ?? false)
    }

    private static func series(_ any: Any) throws -> ArraySource.Series {
        let parts = try list(any)
        var series = ArraySource.Series(labels: try labels(parts[0]), samples: [])
        for sample in try list(parts[1]) {
            let sample = try list(sample)
            let time = Int64(try number(sample[0]))
            if sample[1] is String {
                series.samples.append((time, try number(sample[1])))
            } else {
                series.histograms.append((time, try histogram(sample[1])))
            }
        }
        return series
    }

    private static func answer(_ any: Any) throws -> (labels: Labels, value: Answer) {
        guard let element = any as? [String: Any] else { throw Malformed() }
        let labels = try labels(element["metric"])
        guard let pair = element["histogram"] else {
            return (labels, .float(try number(list(element["value"])[1])))
        }
        guard let content = try list(pair)[1] as? [String: Any] else { throw Malformed() }
        let buckets = try list(content["buckets"] ?? []).map { try list($0).dropFirst().map(number) }
        return (
            labels, .histogram(count: try number(content["count"]), sum: try number(content["sum"]), buckets: buckets)
        )
    }

    private static func read() throws -> (source: ArraySource, cases: [Case]) {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: python)
        process.arguments = [SharedFolder.projectRoot + "/Tests/PromQLTests/Histograms/golden_histograms.py", folder]
        let pipe = Pipe()
        process.standardOutput = pipe
        process.standardInput = FileHandle.nullDevice
        try process.run()
        let bytes = pipe.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        guard let all = try JSONSerialization.jsonObject(with: bytes) as? [String: Any] else { throw Malformed() }
        let cases = try list(all["cases"]).map { one in
            let parts = try list(one)
            guard let query = parts[0] as? String else { throw Malformed() }
            let time = Int64((try number(parts[1]) * 1000).rounded())
            return Case(query: query, time: time, answer: try list(parts[2]).map(answer))
        }
        return (ArraySource(try list(all["series"]).map(series)), cases)
    }

    // MARK: Comparing

    /// How a value differs from what was recorded, beyond rounding; nil if it does not.
    private static func difference(_ value: SlowValue, _ answer: Answer) -> String? {
        switch (value, answer) {
        case (.float(let a), .float(let b)): return SlowHistogram.isClose(a, b, 1e-3) ? nil : "\(a), recorded \(b)"
        case (.histogram(let a), .histogram(let count, let sum, let buckets)):
            let scale = max(abs(count), 1e-3)
            if !SlowHistogram.isClose(a.count, count, scale) { return "count \(a.count), recorded \(count)" }
            if !SlowHistogram.isClose(a.sum, sum, scale) { return "sum \(a.sum), recorded \(sum)" }
            let own = a.buckets.filter { $0.count != 0 }.map { [$0.lower, $0.upper, $0.count] }
            // Not to be compared are what rounding leaves of a bucket, and what NaN makes of empty ones.
            func isThere(_ bucket: [Double]) -> Bool { abs(bucket[2]) > 1e-9 * scale }
            let (x, y) = (own.filter(isThere), buckets.filter(isThere))
            if x.count != y.count { return "buckets \(x), recorded \(y)" }
            for (p, q) in zip(x, y) where !zip(p, q).allSatisfy({ SlowHistogram.isClose($0, $1) }) {
                return "bucket \(p), recorded \(q)"
            }
            return nil
        default: return "\(value), recorded \(answer)"
        }
    }

    private static func difference(_ vector: SlowEvaluator.Vector, _ one: Case) -> String? {
        let found = Set(vector.map(\.labels))
        let recorded = Set(one.answer.map(\.labels))
        if found != recorded || vector.count != recorded.count { return "series \(found), recorded \(recorded)" }
        for (labels, value) in vector {
            guard let answer = one.answer.first(where: { $0.labels == labels })?.value else { continue }
            if let difference = difference(value, answer) { return "\(labels): \(difference)" }
        }
        return nil
    }

    /// The names of the functions, aggregations and operators in an expression.
    private static func parts(_ expression: PromQL.Expression) -> [String] {
        let own: [String] =
            switch expression {
            case .call(let e): [e.function.name]
            case .aggregation(let e): [e.op.rawValue]
            case .binary(let e): [e.op.rawValue]
            case .unary: ["unary"]
            default: []
            }
        return expression.children.reduce(own) { $0 + parts($1) }
    }

    @Test("the slow evaluator and the engine answer as was recorded")
    func compare() throws {
        var options = EngineOptions()
        options.parser = .all
        let engine = QueryEngine(options: options)
        let (source, cases) = try Self.read()
        let slow = SlowEvaluator(source: source, lookback: options.lookbackDelta)
        var (compared, left): ([String: Int], Set<String>) = ([:], [])
        var total = 0
        for one in cases {
            let parsed = try engine.parse(one.query)
            let preparation = Preparation(
                grid: StepGrid(start: one.time, step: 1, count: 1), end: one.time, isInstant: true,
                text: Array(one.query.utf8))
            if case .vector(let columns) = try engine.instant(one.query, source: source, at: one.time).value {
                let vector: SlowEvaluator.Vector = columns.map { column in
                    let histogram = column.histograms.first ?? nil
                    return (
                        column.labels,
                        histogram.map { .histogram(SlowHistogram($0.histogram)) } ?? .float(column.values[0])
                    )
                }
                if let difference = Self.difference(vector, one) {
                    Issue.record("engine: \(one.query) at \(one.time): \(difference)")
                }
            } else {
                Issue.record("engine: \(one.query) gives no vector")
            }
            guard let vector = try? slow.vector(try preparation.prepare(parsed), one.time) else {
                left.insert(one.query)
                continue
            }
            total += 1
            for part in Set(Self.parts(parsed)) { compared[part, default: 0] += 1 }
            if let difference = Self.difference(vector, one) {
                Issue.record("slow evaluator: \(one.query) at \(one.time): \(difference)")
            }
        }
        let wanted = [
            "histogram_count", "histogram_sum", "histogram_avg", "histogram_stddev", "histogram_stdvar",
            "histogram_quantile", "histogram_quantiles", "histogram_fraction", "rate", "increase", "delta", "irate",
            "idelta", "resets", "changes", "sum_over_time", "avg_over_time", "count_over_time", "first_over_time",
            "last_over_time", "present_over_time", "sum", "avg", "count", "group", "unary", "+", "-", "*", "/", "==",
            "!=", "</", ">/",
        ]
        #expect(wanted.filter { compared[$0] == nil } == [], "not compared with the slow evaluator")
        #expect(total > cases.count * 9 / 10)
        print("\(cases.count) recorded answers, \(total) of them compared with the slow evaluator: \(compared)")
        print("\(left.count) queries left to the engine: \(left.sorted())")
    }
}
