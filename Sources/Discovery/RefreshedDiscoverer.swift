import Config
import Telemetry

/// Finds target groups each time that it is asked.
protocol RefreshedDiscoverer: Sendable {
    /// Returns the current groups; those of the last success stay if it fails.
    func refresh() async -> [TargetGroup]
}

/// The configuration of a discovery that is repeated after an interval.
enum RefreshedDiscovery: Sendable, Hashable {
    case http(HTTPDiscoveryConfig)
    case dns(DNSDiscoveryConfig)

    /// ms.
    var interval: Int64 {
        switch self {
        case .http(let config): config.refreshInterval
        case .dns(let config): config.refreshInterval
        }
    }

    /// The value of the label `mechanism`.
    var mechanism: String {
        switch self {
        case .http: "http"
        case .dns: "dns"
        }
    }
}

/// The metrics of the repeated discovery of one mechanism for one job.
struct RefreshMetrics: Sendable {
    private let durations: SummaryMetric
    private let durationBuckets: HistogramMetric
    let failures: Counter

    private static let durationName = "prometheus_sd_refresh_duration_seconds"
    private static let failureName = "prometheus_sd_refresh_failures_total"

    init(_ metrics: MetricRegistry, mechanism: String, job: String) {
        durations = metrics.summary(
            Self.durationName, "The duration of a refresh in seconds for the given SD mechanism.",
            ["mechanism": mechanism, "config": job])
        durationBuckets = metrics.histogram(
            "prometheus_sd_refresh_duration_histogram_seconds",
            "The duration of a refresh for the given SD mechanism.", bounds: [0.01, 0.1, 1, 10],
            ["mechanism": mechanism])
        failures = metrics.counter(
            Self.failureName, "Number of refresh failures for the given SD mechanism.",
            ["mechanism": mechanism, "config": job])
    }

    func observe(nanoseconds: Int64) {
        let seconds = Double(nanoseconds) / 1e9
        durations.observe(seconds)
        durationBuckets.observe(seconds)
    }

    /// Removes the metrics of a job that does not use the mechanism any more.
    static func remove(_ metrics: MetricRegistry, mechanism: String, job: String) {
        for name in [durationName, failureName] { metrics.remove(name, ["mechanism": mechanism, "config": job]) }
    }
}
