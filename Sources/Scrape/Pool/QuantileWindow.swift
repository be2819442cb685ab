import Glibc
import Telemetry

/// A summary of durations: quantiles of the last 512, sum and number of all.
struct QuantileWindow: Sendable {
    private static let size = 512

    /// Seconds; a ring.
    private var recent: [Double] = []
    private var next = 0
    private var sum = 0.0
    private var count = 0

    mutating func add(_ seconds: Double) {
        if recent.count < Self.size {
            recent.append(seconds)
        } else {
            recent[next] = seconds
            next = (next + 1) % Self.size
        }
        sum += seconds
        count += 1
    }

    /// The lines of the summary as `/metrics` shows it.
    func samples(_ label: (name: String, value: String)) -> [MetricFamily.Sample] {
        let sorted = recent.sorted()
        var samples: [MetricFamily.Sample] = []
        for quantile in [0.01, 0.05, 0.5, 0.9, 0.99] {
            let rank = Int((quantile * Double(sorted.count - 1)).rounded())
            let value = sorted.isEmpty ? .nan : sorted[max(0, min(rank, sorted.count - 1))]
            samples.append(.init(labels: [label, ("quantile", "\(quantile)")], value: value))
        }
        samples.append(.init(suffix: "_sum", labels: [label], value: sum))
        samples.append(.init(suffix: "_count", labels: [label], value: Double(count)))
        return samples
    }
}
