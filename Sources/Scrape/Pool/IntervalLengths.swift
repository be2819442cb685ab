import GoCompatibility
import Model
import Synchronization
import Telemetry

/// Measures the time between scrapes: `prometheus_target_interval_length_seconds`.
final class IntervalLengths: Sendable {
    /// Upper bounds of the histogram, seconds.
    private static let bounds = [0.01, 0.1, 1, 10]

    private struct Buckets {
        var counts = [Int](repeating: 0, count: bounds.count)

        mutating func add(_ seconds: Double) {
            if let at = bounds.firstIndex(where: { seconds <= $0 }) { counts[at] += 1 }
        }
    }

    private struct State {
        var histograms: [Int64: Buckets] = [:]
        /// The windows by interval in ms.
        var windows: [Int64: QuantileWindow] = [:]
        /// The start of each target's last scrape, ns of the monotonic clock.
        var last: [UInt64: Int64] = [:]
    }
    private let state = Mutex(State())

    /// Records that a scrape of `target` began at `start` (ns of the monotonic clock).
    func observe(_ target: Target, start: Int64) {
        let definition = target.definition
        state.withLock { state in
            let before = state.last.updateValue(start, forKey: definition.identity)
            guard let before else { return }
            let seconds = Double(start &- before) / 1e9
            state.windows[definition.interval, default: QuantileWindow()].add(seconds)
            state.histograms[definition.interval, default: Buckets()].add(seconds)
        }
    }

    func forget(_ target: Target) { state.withLock { _ = $0.last.removeValue(forKey: target.definition.identity) } }

    /// The summary and the histogram for `/metrics`.
    func families() -> [MetricFamily] {
        let (windows, histograms) = state.withLock { ($0.windows, $0.histograms) }
        var samples: [MetricFamily.Sample] = []
        for (interval, window) in windows.sorted(by: { $0.key < $1.key }) {
            samples += window.samples([("interval", GoDuration.text(interval))])
        }
        var buckets: [MetricFamily.Sample] = []
        for (interval, histogram) in histograms.sorted(by: { $0.key < $1.key }) {
            let labels = [(name: "interval", value: GoDuration.text(interval))]
            var total = 0
            for (bound, count) in zip(Self.bounds, histogram.counts) {
                total += count
                buckets.append(.init(suffix: "_bucket", labels: labels + [("le", "\(bound)")], value: Double(total)))
            }
            let window = windows[interval] ?? QuantileWindow()
            buckets.append(
                .init(suffix: "_bucket", labels: labels + [("le", "+Inf")], value: Double(window.count)))
            buckets.append(.init(suffix: "_sum", labels: labels, value: window.sum))
            buckets.append(.init(suffix: "_count", labels: labels, value: Double(window.count)))
        }
        return [
            MetricFamily(
                name: "prometheus_target_interval_length_seconds", help: "Actual intervals between scrapes.",
                kind: .summary, samples: samples),
            MetricFamily(
                name: "prometheus_target_interval_length_histogram_seconds",
                help: "Actual intervals between scrapes.", kind: .histogram, samples: buckets),
        ]
    }
}

/// Durations in the format of Go: `15s`, `1m0s`, `1h0m0s`, `500ms`.
enum GoDuration {
    static func text(_ ms: Int64) -> String {
        if ms < 1000 { return ms == 0 ? "0s" : "\(ms)ms" }
        let seconds = ms / 1000
        let fraction = ms % 1000
        var tail = "\(seconds % 60)"
        if fraction > 0 { tail = FloatText.fixed(Double(ms % 60_000) / 1000) }
        if seconds < 60 { return "\(tail)s" }
        if seconds < 3600 { return "\(seconds / 60)m\(tail)s" }
        return "\(seconds / 3600)h\(seconds / 60 % 60)m\(tail)s"
    }
}
