import Model
import TestSupport

@testable import PromQL

/// What the slow evaluator does with native histograms.
extension SlowEvaluator {
    // MARK: Functions of a vector

    func histogramCall(_ e: Call, _ time: Int64) throws -> Vector {
        func each(_ index: Int, _ change: (SlowHistogram) -> Double) throws -> Vector {
            try vector(e.arguments[index], time).compactMap { element in
                element.value.histogram.map { (element.labels.withoutName, .float(change($0))) }
            }
        }
        switch e.function.name {
        case "histogram_count": return try each(0) { $0.count }
        case "histogram_sum": return try each(0) { $0.sum }
        case "histogram_avg": return try each(0) { $0.average }
        case "histogram_stdvar": return try each(0) { $0.variance }
        case "histogram_stddev": return try each(0) { $0.variance.squareRoot() }
        case "histogram_quantile":
            let phi = try scalar(e.arguments[0], time)
            return try estimates(e.arguments[1], time) {
                $0.quantile(phi)
            } classic: {
                try Self.quantile(phi, $0)
            }
        case "histogram_fraction":
            let (low, high) = (try scalar(e.arguments[0], time), try scalar(e.arguments[1], time))
            return try estimates(e.arguments[2], time) {
                $0.fraction(low, high)
            } classic: { _ in
                throw Failure()
            }
        case "histogram_quantiles":
            guard case .string(let label) = e.arguments[1] else { throw Failure() }
            return try e.arguments.dropFirst(2).flatMap { argument in
                let phi = try scalar(argument, time)
                return try estimates(e.arguments[0], time) {
                    $0.quantile(phi)
                } classic: {
                    try Self.quantile(phi, $0)
                }.map { labels, value in
                    var builder = LabelsBuilder(labels)
                    builder.set(label.value, "\(phi)")
                    return (builder.labels(), value)
                }
            }
        default: throw Failure()
        }
    }

    private typealias ClassicBuckets = [(bound: Double, count: Double)]

    /// Estimates from native histograms and from classic ones; those that are both are left out.
    private func estimates(
        _ argument: Expression, _ time: Int64, native: (SlowHistogram) -> Double,
        classic: (ClassicBuckets) throws -> Double
    ) throws -> Vector {
        let elements = try vector(argument, time)
        var groups: [Labels: ClassicBuckets] = [:]
        for (labels, value) in Self.floats(elements) {
            guard let le = labels["le"], let bound = le == "+Inf" ? .infinity : Double(le) else { continue }
            groups[labels.removing(["le"]), default: []].append((bound, value))
        }
        var result: Vector = []
        for (labels, value) in elements {
            guard let histogram = value.histogram else { continue }
            if groups.removeValue(forKey: labels) != nil { continue }
            result.append((labels.withoutName, .float(native(histogram))))
        }
        for (labels, buckets) in groups {
            result.append((labels.withoutName, .float(try classic(buckets.sorted { $0.bound < $1.bound }))))
        }
        return result
    }

    /// The quantile of classic buckets that ascend.
    private static func quantile(_ phi: Double, _ buckets: ClassicBuckets) throws -> Double {
        if phi < 0 { return -.infinity }
        if phi > 1 { return .infinity }
        guard !phi.isNaN, buckets.count > 1, let total = buckets.last, total.bound == .infinity, total.count > 0 else {
            return .nan
        }
        guard zip(buckets, buckets.dropFirst()).allSatisfy({ $0.count <= $1.count }) else { throw Failure() }
        let rank = phi * total.count
        let at = buckets.firstIndex { $0.count >= rank } ?? buckets.count - 1
        if at == buckets.count - 1 { return buckets[at - 1].bound }
        if at == 0, buckets[0].bound <= 0 { return buckets[0].bound }
        let (start, before) = at == 0 ? (0, 0) : buckets[at - 1]
        return start + (buckets[at].bound - start) * (rank - before) / (buckets[at].count - before)
    }

    // MARK: Functions of a range

    /// A range function of samples of which at least one is a histogram.
    func histogramRange(_ name: String, _ samples: Samples, _ start: Int64, _ end: Int64) throws -> SlowValue? {
        let floats = samples.compactMap { sample in sample.value.float.map { (time: sample.time, value: $0) } }
        let histograms = samples.compactMap { sample in
            sample.value.histogram.map { (time: sample.time, histogram: $0) }
        }
        let pairs = zip(samples, samples.dropFirst()).map { ($0.value, $1.value) }
        switch name {
        case "count_over_time": return .float(Double(samples.count))
        case "present_over_time": return .float(1)
        case "first_over_time": return samples.first?.value
        case "last_over_time": return samples.last?.value
        case "changes":
            return .float(
                Double(
                    pairs.count { before, now in
                        switch (before, now) {
                        case (.float(let a), .float(let b)): a != b && !(a.isNaN && b.isNaN)
                        case (.histogram(let a), .histogram(let b)): !a.isEqual(b)
                        default: true
                        }
                    }))
        case "resets":
            return .float(
                Double(
                    pairs.count { before, now in
                        switch (before, now) {
                        case (.float(let a), .float(let b)): b < a
                        case (.histogram(let a), .histogram(let b)): b.isReset(after: a)
                        default: true
                        }
                    }))
        case "min_over_time", "max_over_time", "stddev_over_time", "stdvar_over_time":
            return floats.isEmpty ? nil : try range(name, floats, start, end).map { .float($0) }
        case "irate", "idelta":
            let last = samples.suffix(2).compactMap { sample in
                sample.value.histogram.map { (time: sample.time, histogram: $0) }
            }
            if last.isEmpty { return try range(name, floats.suffix(2), start, end).map { .float($0) } }
            guard last.count == 2 else { return nil }
            if name == "irate" { return SlowHistogram.instantRate(last).map { .histogram($0) } }
            return last[1].histogram.adding(last[0].histogram, times: -1).map { .histogram($0) }
        case "sum_over_time" where floats.isEmpty:
            return SlowHistogram.sum(histograms.map(\.histogram)).map { .histogram($0) }
        case "avg_over_time" where floats.isEmpty:
            let sum = SlowHistogram.sum(histograms.map(\.histogram))
            return sum.map { .histogram($0.divided(Double(histograms.count))) }
        case "rate" where floats.isEmpty, "increase" where floats.isEmpty, "delta" where floats.isEmpty:
            return SlowHistogram.extrapolated(
                histograms, over: start...end, isCounter: name != "delta", isRate: name == "rate"
            ).map { .histogram($0) }
        case "sum_over_time", "avg_over_time", "rate", "increase", "delta": return nil
        default: throw Failure()
        }
    }

    // MARK: Operators

    /// An operator on samples of which at least one is a histogram.
    static func histogramPair(
        _ op: BinaryOperator, _ left: SlowValue, _ right: SlowValue, _ compared: (Bool) -> SlowValue?
    ) throws -> SlowValue? {
        switch (op, left, right) {
        case (.add, .histogram(let a), .histogram(let b)): return a.adding(b).map { .histogram($0) }
        case (.subtract, .histogram(let a), .histogram(let b)): return a.adding(b, times: -1).map { .histogram($0) }
        case (.equal, .histogram(let a), .histogram(let b)): return compared(a.isEqual(b))
        case (.notEqual, .histogram(let a), .histogram(let b)): return compared(!a.isEqual(b))
        case (.multiply, .histogram(let a), .float(let x)), (.multiply, .float(let x), .histogram(let a)):
            return .histogram(a.scaled(x))
        case (.divide, .histogram(let a), .float(let x)): return .histogram(a.divided(x))
        case (.trimUpper, .histogram(let a), .float(let x)): return .histogram(a.trimmed(below: true, x))
        case (.trimLower, .histogram(let a), .float(let x)): return .histogram(a.trimmed(below: false, x))
        default: return nil
        }
    }
}
