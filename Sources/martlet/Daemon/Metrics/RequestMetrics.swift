import Synchronization
import Telemetry

/// Counts and times of HTTP requests by route.
final class RequestMetrics: Sendable {
    /// The metrics of a route, kept so that no request has to find them by their labels.
    private struct Route {
        var requests: [Int: Counter] = [:]
        let durations: HistogramMetric
        let sizes: HistogramMetric
    }

    private let registry: MetricRegistry
    /// By pattern.
    private let routes = Mutex<[String: Route]>([:])

    init(_ registry: MetricRegistry) { self.registry = registry }

    func observe(_ pattern: String, _ status: Int, _ seconds: Double, _ bytes: Int) {
        let (requests, durations, sizes) = routes.withLock { routes in
            let route = routes[pattern] ?? makeRoute(pattern)
            if let requests = route.requests[status] { return (requests, route.durations, route.sizes) }
            let requests = makeCounter(pattern, status)
            routes[pattern, default: route].requests[status] = requests
            return (requests, route.durations, route.sizes)
        }
        requests.increment()
        durations.observe(seconds)
        sizes.observe(Double(bytes))
    }

    private func makeCounter(_ pattern: String, _ status: Int) -> Counter {
        registry.counter(
            "prometheus_http_requests_total", "Counter of HTTP requests.", ["code": "\(status)", "handler": pattern])
    }

    private func makeRoute(_ pattern: String) -> Route {
        Route(
            durations: registry.histogram(
                "prometheus_http_request_duration_seconds", "Histogram of latencies for HTTP requests.",
                bounds: [0.1, 0.2, 0.4, 1, 3, 8, 20, 60, 120], ["handler": pattern]),
            sizes: registry.histogram(
                "prometheus_http_response_size_bytes", "Histogram of response size for HTTP requests.",
                bounds: [100, 1000, 10_000, 100_000, 1e6, 1e7, 1e8, 1e9], ["handler": pattern]))
    }
}
