import Glibc
import Model
import TestSupport

@testable import PromQL

/// A sample as the slow evaluator has it.
enum SlowValue {
    case float(Double)
    case histogram(SlowHistogram)

    var float: Double? { if case .float(let value) = self { value } else { nil } }
    var histogram: SlowHistogram? { if case .histogram(let value) = self { value } else { nil } }
}

/// Evaluates a part of PromQL one step after the other, in the most obvious way, to compare the engine with.
struct SlowEvaluator {
    struct Failure: Error {}

    typealias Vector = [(labels: Labels, value: SlowValue)]
    typealias Samples = [(time: Int64, value: SlowValue)]

    let series: [(labels: Labels, samples: Samples)]
    let lookback: Int64

    init(source: ArraySource, lookback: Int64) {
        self.lookback = lookback
        series = source.series.map { series in
            let floats = series.samples.map { ($0.time, SlowValue.float($0.value)) }
            let histograms = series.histograms.map { ($0.time, SlowValue.histogram(SlowHistogram($0.value))) }
            return (series.labels, (floats + histograms).sorted { $0.0 < $1.0 })
        }
    }

    private func matching(_ selector: VectorSelector) -> [(labels: Labels, samples: Samples)] {
        let found = series.filter { series in selector.matchers.allSatisfy { $0.matches(series.labels) } }
        guard selector.detectsResets else { return found }
        // Where only counts and sums are asked for, Prometheus does not look at the buckets of gauges.
        return found.map { labels, samples in
            (
                labels,
                samples.map { time, value in
                    guard let histogram = value.histogram, histogram.isGauge else { return (time, value) }
                    return (time, .histogram(histogram.withoutBuckets))
                }
            )
        }
    }

    private static func isMarker(_ value: SlowValue) -> Bool { value.float.map(Staleness.isMarker) ?? false }

    /// The elements that are floats.
    static func floats(_ vector: Vector) -> [(labels: Labels, value: Double)] {
        vector.compactMap { element in element.value.float.map { (element.labels, $0) } }
    }

    func scalar(_ expression: Expression, _ time: Int64) throws -> Double {
        switch expression {
        case .number(let e): return e.value
        case .parentheses(let e): return try scalar(e.expression, time)
        case .unary(let e): return e.isNegative ? -(try scalar(e.operand, time)) : try scalar(e.operand, time)
        case .call(let e) where e.function.name == "time": return Double(time) / 1000
        case .call(let e) where e.function.name == "scalar":
            let elements = Self.floats(try vector(e.arguments[0], time))
            return elements.count == 1 ? elements[0].value : .nan
        default: throw Failure()
        }
    }

    /// The time that `@` and `offset` make of `time`.
    private func shifted(_ time: Int64, _ at: AtModifier?, _ offset: Int64) throws -> Int64 {
        switch at {
        case .time(let fixed): fixed - offset
        case nil: time - offset
        default: throw Failure()
        }
    }

    func vector(_ expression: Expression, _ time: Int64) throws -> Vector {
        switch expression {
        case .parentheses(let e): return try vector(e.expression, time)
        case .selector(let e) where e.rangeExtension == nil:
            let at = try shifted(time, e.at, e.offset)
            return matching(e).compactMap { series in
                guard let sample = series.samples.last(where: { $0.time <= at }), sample.time > at - lookback,
                    !Self.isMarker(sample.value)
                else { return nil }
                return (series.labels, sample.value)
            }
        case .unary(let e):
            let elements = try vector(e.operand, time)
            guard e.isNegative else { return elements }
            return elements.map { element in
                switch element.value {
                case .float(let value): (element.labels.withoutName, .float(-value))
                case .histogram(let value): (element.labels.withoutName, .histogram(value.scaled(-1)))
                }
            }
        case .call(let e): return try call(e, time)
        case .aggregation(let e): return try aggregation(e, time)
        case .binary(let e): return try binary(e, time)
        default: throw Failure()
        }
    }

    private func call(_ e: Call, _ time: Int64) throws -> Vector {
        func each(_ change: (Double) -> Double) throws -> Vector {
            Self.floats(try vector(e.arguments[0], time)).map { ($0.labels.withoutName, .float(change($0.value))) }
        }
        switch e.function.name {
        case "abs": return try each { abs($0) }
        case "ceil": return try each { $0.rounded(.up) }
        case "sgn": return try each { $0 > 0 ? 1 : $0 < 0 ? -1 : $0 }
        case "clamp_max":
            let most = try scalar(e.arguments[1], time)
            return try each { $0.isNaN || most.isNaN ? .nan : min($0, most) }
        case "vector": return [(.empty, .float(try scalar(e.arguments[0], time)))]
        case "label_replace": return try labelReplace(e, time)
        case "label_join": return try labelJoin(e, time)
        case let name where name.hasPrefix("absent"): throw Failure()
        case let name where name.hasPrefix("histogram_"): return try histogramCall(e, time)
        default: break
        }
        var result: Vector = []
        let isQuantile = e.function.name == "quantile_over_time"
        let window = try window(e.arguments[isQuantile ? 1 : 0], time)
        for (labels, inside) in window.series where !inside.isEmpty {
            let value: SlowValue?
            let floats = inside.compactMap { sample in sample.value.float.map { (sample.time, $0) } }
            if isQuantile {
                let phi = try scalar(e.arguments[0], time)
                value = floats.isEmpty ? nil : .float(Self.quantile(phi, floats.map(\.1)))
            } else if floats.count == inside.count {
                value = try range(e.function.name, floats, window.start, window.end).map { .float($0) }
            } else {
                value = try histogramRange(e.function.name, inside, window.start, window.end)
            }
            guard let value else { continue }
            let keepsName = ["last_over_time", "first_over_time"].contains(e.function.name)
            result.append((keepsName ? labels : labels.withoutName, value))
        }
        return result
    }

    /// What a range selector or subquery sees at a time, and from when, exclusively, to when.
    private func window(
        _ expression: Expression, _ time: Int64
    ) throws -> (series: [(labels: Labels, samples: Samples)], start: Int64, end: Int64) {
        switch expression {
        case .matrix(let matrix) where matrix.selector.rangeExtension == nil:
            let end = try shifted(time, matrix.selector.at, matrix.selector.offset)
            let start = end - matrix.window
            let series = matching(matrix.selector).map { series in
                (
                    series.labels,
                    series.samples.filter { $0.time > start && $0.time <= end && !Self.isMarker($0.value) }
                )
            }
            return (series, start, end)
        case .subquery(let subquery) where subquery.step > 0:
            let end = try shifted(time, subquery.at, subquery.offset)
            let start = end - subquery.window
            var series: [Labels: Samples] = [:]
            // Multiples of the step behind the window's start.
            let first = Int64((Double(start) / Double(subquery.step)).rounded(.down)) + 1
            for time in stride(from: first * subquery.step, through: end, by: Int64.Stride(subquery.step)) {
                for (labels, value) in try vector(subquery.expression, time) {
                    series[labels, default: []].append((time, value))
                }
            }
            return (series.map { ($0.key, $0.value) }, start, end)
        default: throw Failure()
        }
    }

    private func text(_ expression: Expression) throws -> String {
        guard case .string(let literal) = expression else { throw Failure() }
        return literal.value
    }

    /// `label_replace` with the patterns `(.*)` and `1`, and a replacement that uses the group at its beginning.
    private func labelReplace(_ e: Call, _ time: Int64) throws -> Vector {
        let parts = try e.arguments.dropFirst().map(text)
        guard parts[3] == "(.*)" || parts[3] == "1" else { throw Failure() }
        return try unique(
            vector(e.arguments[0], time).map { labels, value in
                let source = labels[parts[2]] ?? ""
                guard parts[3] == "(.*)" || source == parts[3] else { return (labels, value) }
                let group = parts[3] == "(.*)" ? source : ""
                var builder = LabelsBuilder(labels)
                let replaced = parts[1].hasPrefix("$1") ? group + parts[1].dropFirst(2) : parts[1]
                builder.set(parts[0], replaced)
                return (builder.labels(), value)
            })
    }

    private func labelJoin(_ e: Call, _ time: Int64) throws -> Vector {
        let parts = try e.arguments.dropFirst().map(text)
        return try unique(
            vector(e.arguments[0], time).map { labels, value in
                var builder = LabelsBuilder(labels)
                builder.set(parts[0], parts.dropFirst(2).map { labels[$0] ?? "" }.joined(separator: parts[1]))
                return (builder.labels(), value)
            })
    }

    private func unique(_ vector: Vector) throws -> Vector {
        guard Set(vector.map(\.labels)).count == vector.count else { throw Failure() }
        return vector
    }

    /// Exactly 0 for equal values.
    private static func variance(_ values: [Double]) -> Double {
        let n = Double(values.count)
        let moved = values.map { $0 - values[0] }
        let mean = moved.reduce(0, +) / n
        return moved.map { ($0 - mean) * ($0 - mean) }.reduce(0, +) / n
    }

    private static func quantile(_ q: Double, _ values: [Double]) -> Double {
        if values.contains(where: \.isNaN) { return .nan }
        if q < 0 || q > 1 { return q < 0 ? -.infinity : .infinity }
        let sorted = values.sorted()
        let rank = q * Double(sorted.count - 1)
        let low = Int(rank)
        let high = min(low + 1, sorted.count - 1)
        return sorted[low] + (sorted[high] - sorted[low]) * (rank - Double(low))
    }

    func range(
        _ name: String, _ samples: [(time: Int64, value: Double)], _ start: Int64, _ end: Int64
    ) throws -> Double? {
        let values = samples.map(\.value)
        let pairs = zip(values, values.dropFirst())
        switch name {
        case "count_over_time": return Double(values.count)
        case "last_over_time": return values[values.count - 1]
        case "first_over_time": return values[0]
        case "present_over_time": return 1
        case "stddev_over_time": return try range("stdvar_over_time", samples, start, end)?.squareRoot()
        case "idelta", "irate":
            guard let last = samples.last, let previous = samples.dropLast().last else { return nil }
            if name == "idelta" { return last.value - previous.value }
            let change = last.value < previous.value ? last.value : last.value - previous.value
            return change / (Double(last.time - previous.time) / 1000)
        case "sum_over_time": return values.reduce(0, +)
        case "avg_over_time": return values.reduce(0, +) / Double(values.count)
        case "min_over_time": return values.min()
        case "max_over_time": return values.max()
        case "changes": return Double(pairs.count { $0 != $1 })
        case "resets": return Double(pairs.count { $1 < $0 })
        case "stdvar_over_time": return Self.variance(values)
        case "rate", "increase", "delta":
            guard values.count >= 2 else { return nil }
            var change = values[values.count - 1] - values[0]
            if name != "delta" { for (a, b) in pairs where b < a { change += a } }
            let sampled = Double(samples[samples.count - 1].time - samples[0].time)
            let gap = sampled / Double(values.count - 1)
            var before = Double(samples[0].time - start)
            var after = Double(end - samples[samples.count - 1].time)
            if before >= gap * 1.1 { before = gap / 2 }
            if name != "delta", change > 0, values[0] >= 0 { before = min(before, sampled * values[0] / change) }
            if after >= gap * 1.1 { after = gap / 2 }
            let whole = change * (sampled + before + after) / sampled
            return name == "rate" ? whole / (Double(end - start) / 1000) : whole
        default: throw Failure()
        }
    }

    private func aggregation(_ e: Aggregation, _ time: Int64) throws -> Vector {
        var groups: [Labels: Vector] = [:]
        for element in try vector(e.expression, time) {
            let labels = element.labels
            let key = e.isWithout ? labels.removing(e.grouping + ["__name__"]) : labels.keeping(e.grouping)
            groups[key, default: []].append(element)
        }
        if [.countValues, .limitk, .limitRatio].contains(e.op) { throw Failure() }
        let parameter = try e.parameter.map { try scalar($0, time) }
        if e.op == .topk || e.op == .bottomk {
            return try groups.values.flatMap { try chosen(e.op, Int(parameter ?? 0), Self.floats($0)) }
        }
        return try groups.compactMap { labels, elements in
            if e.op == .count { return (labels, .float(Double(elements.count))) }
            if e.op == .group { return (labels, .float(1)) }
            let values = elements.compactMap(\.value.float)
            let histograms = elements.compactMap(\.value.histogram)
            if e.op == .sum || e.op == .avg, !histograms.isEmpty {
                guard values.isEmpty, let sum = SlowHistogram.sum(histograms) else { return nil }
                return (labels, .histogram(e.op == .sum ? sum : sum.divided(Double(histograms.count))))
            }
            if values.isEmpty { return nil }
            return (labels, .float(try Self.aggregate(e.op, values, parameter)))
        }
    }

    private static func aggregate(
        _ op: AggregationOperator, _ values: [Double], _ parameter: Double?
    ) throws -> Double {
        switch op {
        case .sum: return values.reduce(0, +)
        case .avg: return values.reduce(0, +) / Double(values.count)
        case .min: return values.min() ?? .nan
        case .max: return values.max() ?? .nan
        case .stdvar: return variance(values)
        case .stddev: return variance(values).squareRoot()
        case .quantile: return quantile(parameter ?? .nan, values)
        default: throw Failure()
        }
    }

    /// The elements with the greatest or smallest values; which of equal ones is not defined.
    private func chosen(
        _ op: AggregationOperator, _ count: Int, _ elements: [(labels: Labels, value: Double)]
    ) throws -> Vector {
        guard Set(elements.map(\.value)).count == elements.count, !elements.contains(where: { $0.value.isNaN }) else {
            throw Failure()
        }
        let sorted = elements.sorted { op == .topk ? $0.value > $1.value : $0.value < $1.value }
        return sorted.prefix(max(0, count)).map { ($0.labels, .float($0.value)) }
    }

    private func binary(_ e: Binary, _ time: Int64) throws -> Vector {
        let keepsName = e.op.isComparison && !e.returnsBool || e.op == .trimUpper || e.op == .trimLower
        func apply(_ left: SlowValue, _ right: SlowValue, kept: SlowValue) throws -> SlowValue? {
            func compared(_ isTrue: Bool) -> SlowValue? {
                e.returnsBool ? .float(isTrue ? 1 : 0) : isTrue ? kept : nil
            }
            guard let a = left.float, let b = right.float else {
                return try Self.histogramPair(e.op, left, right, compared)
            }
            // Rounding decides, which is not to be compared here.
            if e.op.isComparison, a != b, abs(a - b) <= 1e-9 * max(abs(a), abs(b)) { throw Failure() }
            switch e.op {
            case .add: return .float(a + b)
            case .subtract: return .float(a - b)
            case .multiply: return .float(a * b)
            case .divide: return .float(a / b)
            case .modulo: return .float(fmod(a, b))
            case .power: return .float(pow(a, b))
            case .atan2: return .float(atan2(a, b))
            case .greater: return compared(a > b)
            case .greaterOrEqual: return compared(a >= b)
            case .less: return compared(a < b)
            case .lessOrEqual: return compared(a <= b)
            case .equal: return compared(a == b)
            case .notEqual: return compared(a != b)
            case .trimLower, .trimUpper: return nil
            default: throw Failure()
            }
        }
        func result(_ labels: Labels, _ value: SlowValue) -> (labels: Labels, value: SlowValue) {
            (keepsName ? labels : labels.withoutName, value)
        }
        if e.right.type == .scalar {
            let b = SlowValue.float(try scalar(e.right, time))
            return try vector(e.left, time).compactMap { element in
                try apply(element.value, b, kept: element.value).map { result(element.labels, $0) }
            }
        }
        if e.left.type == .scalar {
            let a = SlowValue.float(try scalar(e.left, time))
            return try vector(e.right, time).compactMap { element in
                try apply(a, element.value, kept: element.value).map { result(element.labels, $0) }
            }
        }
        let (left, right) = (try vector(e.left, time), try vector(e.right, time))
        guard let matching = e.matching, matching.fillLeft == nil, matching.fillRight == nil else { throw Failure() }
        func key(_ labels: Labels) -> Labels {
            matching.isOn ? labels.keeping(matching.labels) : labels.removing(matching.labels + ["__name__"])
        }
        switch e.op {
        case .and: return left.filter { l in right.contains { key($0.labels) == key(l.labels) } }
        case .unless: return left.filter { l in !right.contains { key($0.labels) == key(l.labels) } }
        case .or: return left + right.filter { r in !left.contains { key($0.labels) == key(r.labels) } }
        default: break
        }
        if left.isEmpty || right.isEmpty { return [] }
        let isSwapped = matching.cardinality == .oneToMany
        let (many, one) = isSwapped ? (right, left) : (left, right)
        guard Set(one.map { key($0.labels) }).count == one.count else { throw Failure() }
        let isGrouped = isSwapped || matching.cardinality == .manyToOne
        let pairs = many.compactMap { m in
            one.first { key($0.labels) == key(m.labels) }.map { (many: m, one: $0) }
        }
        if !isGrouped, Set(pairs.map { key($0.many.labels) }).count < pairs.count { throw Failure() }
        let results: [(labels: Labels, value: SlowValue?)] = try pairs.map { pair in
            let (l, r) = isSwapped ? (pair.one.value, pair.many.value) : (pair.many.value, pair.one.value)
            let value = try apply(l, r, kept: l)
            var labels = keepsName ? pair.many.labels : pair.many.labels.withoutName
            if !isGrouped {
                labels = matching.isOn ? labels.keeping(matching.labels) : labels.removing(matching.labels)
            }
            var builder = LabelsBuilder(labels)
            for name in matching.include { builder.set(name, pair.one.labels[name] ?? "") }
            return (builder.labels(), value)
        }
        // Pairs of equal labels are an error, even if a comparison drops them.
        guard Set(results.map(\.labels)).count == results.count else { throw Failure() }
        return results.compactMap { result in result.value.map { (result.labels, $0) } }
    }
}
