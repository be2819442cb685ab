import Telemetry

/// Counts and times of HTTP requests by route.
final class RequestMetrics: Sendable {
    private let registry: MetricRegistry

    init(_ registry: MetricRegistry) { self.registry = registry }

    func observe(_ pattern: String, _ status: Int, _ seconds: Double, _ bytes: Int) {
        registry.counter(
            "prometheus_http_requests_total", "Counter of HTTP requests.", ["code": "\(status)", "handler": pattern]
        ).increment()
        registry.histogram(
            "prometheus_http_request_duration_seconds", "Histogram of latencies for HTTP requests.",
            bounds: [0.1, 0.2, 0.4, 1, 3, 8, 20, 60, 120], ["handler": pattern]
        ).observe(seconds)
        registry.histogram(
            "prometheus_http_response_size_bytes", "Histogram of response size for HTTP requests.",
            bounds: [100, 1000, 10_000, 100_000, 1e6, 1e7, 1e8, 1e9], ["handler": pattern]
        ).observe(Double(bytes))
    }
}
