import Synchronization

/// A number that only increases.
public final class Counter: Sendable {
    private let bits = Atomic<UInt64>(0)

    /// The integer part, which is added without a loop; see ``add(_:)`` for fractions.
    private let whole = Atomic<UInt64>(0)

    init() {}

    public func increment(by amount: Int = 1) {
        if amount > 0 { whole.wrappingAdd(UInt64(amount), ordering: .relaxed) }
    }

    /// Adds a fraction, for example of seconds; negative and NaN amounts are ignored.
    public func add(_ amount: Double) {
        guard amount > 0 else { return }
        var old = bits.load(ordering: .relaxed)
        while true {
            let new = (Double(bitPattern: old) + amount).bitPattern
            let (done, seen) = bits.compareExchange(expected: old, desired: new, ordering: .relaxed)
            if done { return }
            old = seen
        }
    }

    public var value: Double {
        Double(whole.load(ordering: .relaxed)) + Double(bitPattern: bits.load(ordering: .relaxed))
    }
}

/// A number that increases and decreases.
public final class Gauge: Sendable {
    private let bits = Atomic<UInt64>(0)

    init() {}

    public func set(_ value: Double) { bits.store(value.bitPattern, ordering: .relaxed) }

    public func add(_ amount: Double) {
        var old = bits.load(ordering: .relaxed)
        while true {
            let new = (Double(bitPattern: old) + amount).bitPattern
            let (done, seen) = bits.compareExchange(expected: old, desired: new, ordering: .relaxed)
            if done { return }
            old = seen
        }
    }

    public var value: Double { Double(bitPattern: bits.load(ordering: .relaxed)) }
}

/// Observations counted by size.
public final class HistogramMetric: Sendable {
    struct State: Sendable {
        var counts: [UInt64]
        var sum = 0.0
        var count: UInt64 = 0
    }
    let bounds: [Double]
    let state: Mutex<State>

    init(bounds: [Double]) {
        self.bounds = bounds
        state = Mutex(State(counts: [UInt64](repeating: 0, count: bounds.count)))
    }

    public func observe(_ value: Double) {
        let bucket = bounds.firstIndex { value <= $0 }
        state.withLock {
            if let bucket { $0.counts[bucket] += 1 }
            $0.sum += value
            $0.count += 1
        }
    }
}

/// One metric family for `/metrics`.
public struct MetricFamily: Sendable {
    /// The family's type, in the words of the exposition formats.
    public enum Kind: String, Sendable {
        case counter, gauge, histogram, summary
    }

    /// One line: the suffix of the family's name (`_bucket`, `_sum`, …), labels in order, value.
    public struct Sample: Sendable {
        public var suffix: String
        public var labels: [(name: String, value: String)]
        public var value: Double

        public init(suffix: String = "", labels: [(name: String, value: String)] = [], value: Double) {
            self.suffix = suffix
            self.labels = labels
            self.value = value
        }
    }

    public var name: String
    public var help: String
    public var kind: Kind
    public var samples: [Sample]

    public init(name: String, help: String, kind: Kind, samples: [Sample]) {
        self.name = name
        self.help = help
        self.kind = kind
        self.samples = samples
    }
}

/// The daemon's own metrics: the parts that count request them once at the start, and `/metrics` reads them.
///
/// A second request with the same name and labels returns the same metric. A name that exists with another kind returns
/// a metric that is counted but not shown, and adds an entry to ``conflicts``: an error in telemetry must not stop the
/// daemon.
public final class MetricRegistry: Sendable {
    private enum Metric {
        case counter(Counter)
        case gauge(Gauge)
        case histogram(HistogramMetric)
        case summary(SummaryMetric)
    }
    private struct Family {
        var help: String
        var kind: MetricFamily.Kind
        /// By rendered labels, which also orders them; bytes, for labels that differ in them only are not the same.
        var metrics: [[UInt8]: (labels: [(name: String, value: String)], metric: Metric)] = [:]

        /// Returns the metric with a key, and makes it if it is missing.
        mutating func metric(
            _ key: [UInt8], _ labels: [(name: String, value: String)], _ make: () -> Metric
        ) -> Metric {
            if let known = metrics[key] { return known.metric }
            let metric = make()
            metrics[key] = (labels, metric)
            return metric
        }
    }
    private struct State {
        var families: [String: Family] = [:]
        var collectors: [@Sendable () -> [MetricFamily]] = []
        var conflicts: [String] = []
    }
    private let state = Mutex(State())

    public init() {}

    private func find(
        _ name: String, _ help: String, _ kind: MetricFamily.Kind, _ labels: KeyValuePairs<String, String>,
        make: () -> Metric
    ) -> Metric {
        let sorted = labels.map { (name: $0.key, value: $0.value) }
        let key = Array(sorted.map { "\($0.name)\u{1}\($0.value)" }.joined(separator: "\u{2}").utf8)
        return state.withLock { state in
            guard state.families[name, default: Family(help: help, kind: kind)].kind == kind else {
                state.conflicts.append(name)
                return make()
            }
            // The family is changed in place: a copy would copy all of its metrics for each new one.
            return state.families[name, default: Family(help: help, kind: kind)].metric(key, sorted, make)
        }
    }

    /// The counter `name` with `labels`.
    public func counter(_ name: String, _ help: String, _ labels: KeyValuePairs<String, String> = [:]) -> Counter {
        if case .counter(let metric) = find(name, help, .counter, labels, make: { .counter(Counter()) }) {
            return metric
        }
        return Counter()
    }

    /// The gauge `name` with `labels`.
    public func gauge(_ name: String, _ help: String, _ labels: KeyValuePairs<String, String> = [:]) -> Gauge {
        if case .gauge(let metric) = find(name, help, .gauge, labels, make: { .gauge(Gauge()) }) { return metric }
        return Gauge()
    }

    /// The histogram `name` with `labels`; `bounds` ascend, without +Inf.
    public func histogram(
        _ name: String, _ help: String, bounds: [Double], _ labels: KeyValuePairs<String, String> = [:]
    ) -> HistogramMetric {
        let metric = find(name, help, .histogram, labels, make: { .histogram(HistogramMetric(bounds: bounds)) })
        if case .histogram(let metric) = metric { return metric }
        return HistogramMetric(bounds: bounds)
    }

    /// The summary `name` with `labels`; without quantiles it shows the sum and the count only.
    public func summary(
        _ name: String, _ help: String, quantiles: [Double] = QuantileWindow.three,
        _ labels: KeyValuePairs<String, String> = [:]
    ) -> SummaryMetric {
        let metric = find(name, help, .summary, labels, make: { .summary(SummaryMetric(quantiles: quantiles)) })
        if case .summary(let metric) = metric { return metric }
        return SummaryMetric(quantiles: quantiles)
    }

    /// Removes one metric with labels, for example of a removed target pool.
    public func remove(_ name: String, _ labels: KeyValuePairs<String, String>) {
        let key = Array(labels.map { "\($0.key)\u{1}\($0.value)" }.joined(separator: "\u{2}").utf8)
        state.withLock { _ = $0.families[name]?.metrics.removeValue(forKey: key) }
    }

    /// Adds a function that returns families each time the metrics are read; for numbers that exist anyway.
    public func addCollector(_ collector: @escaping @Sendable () -> [MetricFamily]) {
        state.withLock { $0.collectors.append(collector) }
    }

    /// The names that were requested with two kinds.
    public var conflicts: [String] { state.withLock { $0.conflicts } }

    /// All families, sorted by name.
    public func families() -> [MetricFamily] {
        let (own, collectors) = state.withLock { state in
            (
                state.families.map { name, family in
                    let samples = family.metrics.sorted { $0.key.lexicographicallyPrecedes($1.key) }.flatMap {
                        Self.samples(of: $0.value)
                    }
                    return MetricFamily(name: name, help: family.help, kind: family.kind, samples: samples)
                }, state.collectors
            )
        }
        var byName: [String: MetricFamily] = [:]
        for family in own + collectors.flatMap({ $0() }) {
            if byName[family.name] == nil {
                byName[family.name] = family
            } else {
                byName[family.name]?.samples += family.samples
            }
        }
        return byName.values.sorted { $0.name < $1.name }
    }

    private static func samples(
        of entry: (labels: [(name: String, value: String)], metric: Metric)
    ) -> [MetricFamily.Sample] {
        switch entry.metric {
        case .counter(let metric): return [.init(labels: entry.labels, value: metric.value)]
        case .gauge(let metric): return [.init(labels: entry.labels, value: metric.value)]
        case .summary(let metric): return metric.samples(entry.labels)
        case .histogram(let metric):
            let state = metric.state.withLock { $0 }
            var samples: [MetricFamily.Sample] = []
            var total: UInt64 = 0
            for (bound, count) in zip(metric.bounds, state.counts) {
                total += count
                samples.append(
                    .init(suffix: "_bucket", labels: entry.labels + [("le", "\(bound)")], value: Double(total)))
            }
            samples.append(
                .init(suffix: "_bucket", labels: entry.labels + [("le", "+Inf")], value: Double(state.count)))
            samples.append(.init(suffix: "_sum", labels: entry.labels, value: state.sum))
            samples.append(.init(suffix: "_count", labels: entry.labels, value: Double(state.count)))
            return samples
        }
    }
}
