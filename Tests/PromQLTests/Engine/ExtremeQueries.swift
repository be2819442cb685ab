import Model
import TestSupport

@testable import PromQL

/// Writes queries whose numbers, times and durations lie at the edges of what the grammar allows.
struct ExtremeQueries {
    private var random: SeededRandom

    init(seed: UInt64) { random = SeededRandom(seed: seed) }

    private mutating func pick<T>(_ choices: [T]) -> T { choices[Int.random(in: 0..<choices.count, using: &random)] }

    private mutating func chance(_ one: Int) -> Bool { Int.random(in: 0..<one, using: &random) == 0 }

    // MARK: The time of a query

    private static let times: [Int64] = [
        .min, .min + 1, -9_223_372_036_854_775, -1_000_000, -1, 0, 1, 7, 59_999, 60_000, 3_600_000, 1 << 53,
        9_223_372_036_854_775, 9_161_236_441_257_600_000, .max - 300_000, .max - 1, .max,
    ]

    mutating func time() -> Int64 { chance(2) ? pick([0, 60_000, 120_000, 600_000]) : pick(Self.times) }

    mutating func step() -> Int64 {
        pick([.min, -1, 0, 1, 2, 1000, 15_000, 60_000, 3_600_000, 1 << 53, .max / 2, .max - 1, .max])
    }

    // MARK: Numbers

    private mutating func number() -> String {
        pick([
            "0", "-0", "1", "-1", "0.5", "2", "3", "-0.5", "1e-320", "-1e-320", "255", "256", "65536", "2147483647",
            "2147483648", "-2147483649", "4294967296", "9007199254740993", "9223372036854775807",
            "9223372036854775808", "-9223372036854775808", "-9223372036854775809", "18446744073709551616", "1e18",
            "1e19", "-1e19", "1e300", "1.7976931348623157e308", "-1e308", "Inf", "-Inf", "NaN", "0x7fffffffffffffff",
            "9223372036854775", "9223372036", "-9223372036", "5m", "292y",
        ])
    }

    private mutating func duration() -> String {
        pick([
            "1ms", "1s", "5m", "1h", "0.001", "1e-9", "0.0005", "292y", "9223372036", "9223372036.854", "9.2e9",
            "106751d", "15250w", "1e10", "1e300", "step()", "range()", "-range()", "292y+292y", "292y*292y", "5m%0",
            "5m/0.0000001", "2^62", "2^1024", "-(2^63)", "0-1", "0*1m", "step()/range()", "range()%step()",
            "min_of(1m,range())", "max_of(9e9,step()^2)", "1e-320s",
        ])
    }

    private mutating func at() -> String {
        " @ "
            + pick([
                "0", "-1", "60", "start()", "end()", "9223372036854775", "-9223372036854775", "9223372036854775.7",
                "-9223372036854775.8", "9223372036854776", "9.2e15", "-9.2e15", "1e16", "1e19", "Inf", "-Inf", "NaN",
                "292y", "1e-320",
            ])
    }

    private mutating func offset() -> String {
        let sign = pick(["", "-", "+"])
        let text = duration()
        return " offset " + sign + (text.contains { "+*/%^-".contains($0) } ? "(\(text))" : text)
    }

    private mutating func shift() -> String {
        switch Int.random(in: 0..<6, using: &random) {
        case 0: at()
        case 1: offset()
        case 2: at() + offset()
        default: ""
        }
    }

    // MARK: Expressions

    private mutating func selector() -> String {
        pick(["f", "c_total", "h", "n", "b_bucket", "target_info", "absent"])
    }

    private mutating func scalar(_ depth: Int) -> String {
        guard depth > 0 else { return number() }
        switch Int.random(in: 0..<9, using: &random) {
        case 0: return "(\(scalar(depth - 1)) \(pick(["+", "-", "*", "/", "%", "^", "atan2"])) \(scalar(depth - 1)))"
        case 1: return pick(["time()", "step()", "range()", "start()", "end()", "time() * 1e9"])
        case 2: return "scalar(\(vector(depth - 1)))"
        default: return number()
        }
    }

    private mutating func range(_ depth: Int) -> String {
        if depth > 0, chance(3) {
            return "(\(vector(depth - 1)))[\(duration()):\(chance(2) ? "" : duration())]" + shift()
        }
        return selector() + "[\(duration())]" + pick(["", "", "", " anchored", " smoothed"]) + shift()
    }

    private mutating func vector(_ depth: Int) -> String {
        guard depth > 0 else { return selector() + pick(["", "", " smoothed"]) + shift() }
        switch Int.random(in: 0..<9, using: &random) {
        case 0, 1: return rangeCall(depth)
        case 2, 3: return elementCall(depth)
        case 4, 5: return aggregation(depth)
        case 6:
            let op = pick(["+", "-", "*", "/", "%", "^", "==", "> bool", "</", ">/", "atan2"])
            return "(\(vector(depth - 1))) \(op) \(scalar(depth - 1))"
        case 7:
            let op = pick(["+", "/", "==", "and", "or", "unless", "> bool", "- fill(1e308)"])
            return "(\(vector(depth - 1))) \(op) (\(vector(depth - 1)))"
        default: return "vector(\(scalar(depth - 1)))"
        }
    }

    private mutating func rangeCall(_ depth: Int) -> String {
        switch Int.random(in: 0..<6, using: &random) {
        case 0: return "quantile_over_time(\(scalar(depth - 1)), \(range(depth - 1)))"
        case 1: return "predict_linear(\(range(depth - 1)), \(scalar(depth - 1)))"
        case 2:
            return "double_exponential_smoothing(\(range(depth - 1)), \(pick(["0.5", scalar(0)])), 0.1)"
        default:
            let names = FunctionRegistry.all.filter { $0.arguments == [.matrix] }.map(\.name)
            return "\(pick(names))(\(range(depth - 1)))"
        }
    }

    private mutating func elementCall(_ depth: Int) -> String {
        let body = vector(depth - 1)
        switch Int.random(in: 0..<12, using: &random) {
        case 0: return "round(\(body), \(scalar(depth - 1)))"
        case 1: return "clamp(\(body), \(scalar(0)), \(scalar(0)))"
        case 2: return "histogram_quantile(\(scalar(0)), \(body))"
        case 3: return "histogram_quantiles(\(body), \"q\", \(scalar(0)), \(scalar(0)))"
        case 4: return "histogram_fraction(\(scalar(0)), \(scalar(0)), \(body))"
        case 5: return "info(\(body))"
        case 6: return "label_replace(\(body), \"x\", \"$99999999999999999999${1e9}$1\", \"i\", \"(.*)\")"
        case 7: return "clamp_\(pick(["min", "max"]))(\(body), \(scalar(0)))"
        default:
            let names = FunctionRegistry.all.filter { $0.arguments == [.vector] && $0.result == .vector }.map(\.name)
            return "\(pick(names))(\(body))"
        }
    }

    private mutating func aggregation(_ depth: Int) -> String {
        let op = pick(["topk", "bottomk", "limitk", "limit_ratio", "quantile", "count_values", "sum", "avg", "stddev"])
        let by = pick(["", " by (i)", " without (i)"])
        switch op {
        case "topk", "bottomk", "limitk", "limit_ratio", "quantile":
            return "\(op)\(by) (\(scalar(depth - 1)), \(vector(depth - 1)))"
        case "count_values": return "\(op)\(by) (\"v\", \(vector(depth - 1)))"
        default: return "\(op)\(by) (\(vector(depth - 1)))"
        }
    }

    mutating func next() -> String {
        switch Int.random(in: 0..<10, using: &random) {
        case 0: scalar(3)
        case 1: range(2)
        default: vector(3)
        }
    }
}

extension ExtremeQueries {
    /// Series with extreme times, values and buckets.
    static var source: ArraySource {
        let values: [Double] = [
            0, 1, -1, 0x1p53, 1e18, 9.3e18, -9.3e18, 1e19, 1.7e308, -1.7e308, .infinity, -.infinity, .nan,
            Staleness.marker, .leastNonzeroMagnitude,
        ]
        func floats(_ times: [Int64], _ shift: Int) -> [(time: Int64, value: Double)] {
            times.enumerated().map { ($1, values[($0 &+ shift) % values.count]) }
        }
        let usual = (0..<40).map { Int64($0) * 15_000 }
        let extreme: [Int64] = [
            .min + 1, .min + 600_000, -9_223_372_036_854_775, -1, 0, 1, 60_000, 9_223_372_036_854_775,
            .max - 600_000, .max - 1,
        ]
        func series(_ pairs: [(String, String)], _ samples: [(time: Int64, value: Double)]) -> ArraySource.Series {
            .init(labels: Labels(pairs), samples: samples)
        }
        var all = [
            series([("__name__", "f"), ("i", "1")], floats(usual, 0)),
            series([("__name__", "f"), ("i", "2")], floats(usual, 5)),
            series([("__name__", "f"), ("i", "3")], floats(extreme, 3)),
            series([("__name__", "c_total"), ("i", "1")], usual.map { ($0, Double($0) * 1e300) }),
            series([("__name__", "c_total"), ("i", "2")], floats(extreme, 8)),
            series([("__name__", "target_info"), ("i", "2"), ("job", "x")], floats(extreme, 1)),
        ]
        for (index, bound) in ["-Inf", "-1e308", "0", "5e-324", "1e308", "+Inf", "NaN", "x"].enumerated() {
            all.append(series([("__name__", "b_bucket"), ("le", bound)], floats(usual, index)))
        }
        let histograms = Self.histograms
        all.append(histogramSeries("h", usual, histograms))
        all.append(histogramSeries("n", extreme, histograms))
        return ArraySource(all)
    }

    private static func histogramSeries(
        _ name: String, _ times: [Int64], _ histograms: [FloatHistogram]
    ) -> ArraySource.Series {
        var series = ArraySource.Series(labels: Labels([("__name__", name), ("i", "1")]), samples: [])
        series.histograms = times.enumerated().map { ($1, histograms[$0 % histograms.count]) }
        return series
    }

    private static var histograms: [FloatHistogram] {
        var result: [FloatHistogram] = []
        for schema: Int32 in [-4, 0, 8] {
            for offset: Int32 in [0, .max - 2, .min, 1024, -1074] {
                for count in [3, 1e308, Double.infinity, .nan, -5] {
                    result.append(
                        FloatHistogram(
                            schema: schema, count: count, sum: count, positiveSpans: [.init(offset: offset, length: 2)],
                            negativeSpans: [.init(offset: offset, length: 1)], positiveBuckets: [count, 1],
                            negativeBuckets: [count]))
                }
            }
        }
        for bounds in [[-1e308, 0, 1e308], [], [1, 1], [.infinity]] {
            result.append(
                FloatHistogram(
                    schema: FloatHistogram.customSchema, count: 2, sum: .nan,
                    positiveSpans: [.init(offset: 0, length: UInt32(bounds.count + 1))],
                    positiveBuckets: [Double](repeating: 1e308, count: bounds.count + 1), customBounds: bounds))
        }
        return result
    }
}
