import Glibc
import Model

@testable import PromQL

/// Evaluates a part of PromQL on floats one step after the other, in the most obvious way, to compare the engine with.
struct SlowEvaluator {
    struct Failure: Error {}

    typealias Vector = [(labels: Labels, value: Double)]

    let source: ArraySource
    let lookback: Int64

    func scalar(_ expression: Expression, _ time: Int64) throws -> Double {
        switch expression {
        case .number(let e): return e.value
        case .parentheses(let e): return try scalar(e.expression, time)
        case .unary(let e): return e.isNegative ? -(try scalar(e.operand, time)) : try scalar(e.operand, time)
        default: throw Failure()
        }
    }

    func vector(_ expression: Expression, _ time: Int64) throws -> Vector {
        switch expression {
        case .parentheses(let e): return try vector(e.expression, time)
        case .selector(let e):
            let at = time - e.offset
            return source.matching(e.matchers).compactMap { series in
                guard let sample = series.samples.last(where: { $0.time <= at }), sample.time > at - lookback,
                    !Staleness.isMarker(sample.value)
                else { return nil }
                return (series.labels, sample.value)
            }
        case .unary(let e):
            return try vector(e.operand, time).map { ($0.labels.withoutName, e.isNegative ? -$0.value : $0.value) }
        case .call(let e): return try call(e, time)
        case .aggregation(let e): return try aggregation(e, time)
        case .binary(let e): return try binary(e, time)
        default: throw Failure()
        }
    }

    private func call(_ e: Call, _ time: Int64) throws -> Vector {
        if e.function.name == "abs" {
            return try vector(e.arguments[0], time).map { ($0.labels.withoutName, abs($0.value)) }
        }
        guard case .matrix(let matrix) = e.arguments[0] else { throw Failure() }
        let end = time - matrix.selector.offset
        let start = end - matrix.window
        var result: Vector = []
        for series in source.matching(matrix.selector.matchers) {
            let inside = series.samples.filter { $0.time > start && $0.time <= end && !Staleness.isMarker($0.value) }
            guard !inside.isEmpty, let value = try range(e.function.name, inside, start, end) else { continue }
            result.append((e.function.name == "last_over_time" ? series.labels : series.labels.withoutName, value))
        }
        return result
    }

    private func range(
        _ name: String, _ samples: [(time: Int64, value: Double)], _ start: Int64, _ end: Int64
    ) throws -> Double? {
        let values = samples.map(\.value)
        let pairs = zip(values, values.dropFirst())
        switch name {
        case "count_over_time": return Double(values.count)
        case "last_over_time": return values[values.count - 1]
        case "sum_over_time": return values.reduce(0, +)
        case "avg_over_time": return values.reduce(0, +) / Double(values.count)
        case "min_over_time": return values.min()
        case "max_over_time": return values.max()
        case "changes": return Double(pairs.count { $0 != $1 })
        case "resets": return Double(pairs.count { $1 < $0 })
        case "stdvar_over_time":
            let mean = values.reduce(0, +) / Double(values.count)
            return values.map { ($0 - mean) * ($0 - mean) }.reduce(0, +) / Double(values.count)
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
        var groups: [Labels: [Double]] = [:]
        for (labels, value) in try vector(e.expression, time) {
            let key = e.isWithout ? labels.removing(e.grouping + ["__name__"]) : labels.keeping(e.grouping)
            groups[key, default: []].append(value)
        }
        return try groups.map { labels, values in
            let n = Double(values.count)
            let mean = values.reduce(0, +) / n
            switch e.op {
            case .sum: return (labels, values.reduce(0, +))
            case .avg: return (labels, mean)
            case .count: return (labels, n)
            case .min: return (labels, values.min() ?? .nan)
            case .max: return (labels, values.max() ?? .nan)
            case .group: return (labels, 1)
            case .stdvar: return (labels, values.map { ($0 - mean) * ($0 - mean) }.reduce(0, +) / n)
            case .quantile:
                guard let parameter = e.parameter else { throw Failure() }
                let rank = try scalar(parameter, time) * (n - 1)
                let sorted = values.sorted()
                let low = Int(rank)
                let high = min(low + 1, sorted.count - 1)
                return (labels, sorted[low] + (sorted[high] - sorted[low]) * (rank - Double(low)))
            default: throw Failure()
            }
        }
    }

    private func binary(_ e: Binary, _ time: Int64) throws -> Vector {
        let keepsName = e.op.isComparison && !e.returnsBool
        func apply(_ a: Double, _ b: Double, kept: Double) throws -> Double? {
            func compared(_ isTrue: Bool) -> Double? { e.returnsBool ? (isTrue ? 1 : 0) : isTrue ? kept : nil }
            switch e.op {
            case .add: return a + b
            case .subtract: return a - b
            case .multiply: return a * b
            case .divide: return a / b
            case .greater: return compared(a > b)
            case .lessOrEqual: return compared(a <= b)
            case .notEqual: return compared(a != b)
            default: throw Failure()
            }
        }
        func result(_ labels: Labels, _ value: Double) -> (labels: Labels, value: Double) {
            (keepsName ? labels : labels.withoutName, value)
        }
        if e.right.type == .scalar {
            let b = try scalar(e.right, time)
            return try vector(e.left, time).compactMap { element in
                try apply(element.value, b, kept: element.value).map { result(element.labels, $0) }
            }
        }
        if e.left.type == .scalar {
            let a = try scalar(e.left, time)
            return try vector(e.right, time).compactMap { element in
                try apply(a, element.value, kept: element.value).map { result(element.labels, $0) }
            }
        }
        let (left, right) = (try vector(e.left, time), try vector(e.right, time))
        guard let matching = e.matching else { throw Failure() }
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
        guard Set(right.map { key($0.labels) }).count == right.count else { throw Failure() }
        let isGrouped = matching.cardinality == .manyToOne
        let pairs = left.compactMap { l in
            right.first { key($0.labels) == key(l.labels) }.map { (left: l, right: $0) }
        }
        if !isGrouped, Set(pairs.map { key($0.left.labels) }).count < pairs.count { throw Failure() }
        return try pairs.compactMap { pair in
            guard let value = try apply(pair.left.value, pair.right.value, kept: pair.left.value) else { return nil }
            var labels = keepsName ? pair.left.labels : pair.left.labels.withoutName
            if !isGrouped {
                labels = matching.isOn ? labels.keeping(matching.labels) : labels.removing(matching.labels)
            }
            return (labels, value)
        }
    }
}
