import Synchronization

/// A summary of durations: quantiles of the last 512, sum and number of all.
public struct QuantileWindow: Sendable {
    /// The quantiles of summaries that have five in Prometheus.
    public static let five = [0.01, 0.05, 0.5, 0.9, 0.99]
    /// The quantiles of the other summaries.
    public static let three = [0.5, 0.9, 0.99]
    private static let size = 512

    /// The last durations in seconds; a ring buffer.
    private var recent: [Double] = []
    private var next = 0
    public private(set) var sum = 0.0
    public private(set) var count = 0

    public init() {}

    public mutating func add(_ seconds: Double) {
        if recent.count < Self.size {
            recent.append(seconds)
        } else {
            recent[next] = seconds
            next = (next + 1) % Self.size
        }
        sum += seconds
        count += 1
    }

    /// The durations of both windows, to be shown.
    package func joined(with other: QuantileWindow) -> QuantileWindow {
        var both = self
        both.recent += other.recent
        both.sum += other.sum
        both.count += other.count
        return both
    }

    /// The lines of the summary for `/metrics`; without quantiles the sum and the count only.
    public func samples(
        _ labels: [(name: String, value: String)] = [], quantiles: [Double] = QuantileWindow.five
    ) -> [MetricFamily.Sample] {
        let sorted = quantiles.isEmpty ? [] : recent.sorted()
        var samples: [MetricFamily.Sample] = []
        for quantile in quantiles {
            let rank = Int((quantile * Double(sorted.count - 1)).rounded())
            let value = sorted.isEmpty ? .nan : sorted[max(0, min(rank, sorted.count - 1))]
            samples.append(.init(labels: labels + [("quantile", "\(quantile)")], value: value))
        }
        samples.append(.init(suffix: "_sum", labels: labels, value: sum))
        samples.append(.init(suffix: "_count", labels: labels, value: Double(count)))
        return samples
    }
}

/// A summary metric of durations.
public final class SummaryMetric: Sendable {
    let quantiles: [Double]
    private let window = Mutex(QuantileWindow())

    init(quantiles: [Double]) { self.quantiles = quantiles }

    public func observe(_ seconds: Double) { window.withLock { $0.add(seconds) } }

    func samples(_ labels: [(name: String, value: String)]) -> [MetricFamily.Sample] {
        window.withLock { $0 }.samples(labels, quantiles: quantiles)
    }
}
