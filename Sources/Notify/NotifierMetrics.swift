import Telemetry

/// The metrics of the notifier, under Alertmanager's names where the meaning is the same.
final class NotifierMetrics: Sendable {
    /// The values that are counted when the metrics are read.
    struct Gauges: Sendable {
        var firing = 0
        var resolved = 0
        var groups = 0
        var activeSilences = 0
        var pendingSilences = 0
        var ledgerBytes = 0
    }

    private let notifications: Counter
    private let failures: Counter
    private let requests: Counter
    private let requestFailures: Counter
    private let alerts: Counter
    private let latency: HistogramMetric
    let ledgerFailures: Counter

    init(_ registry: MetricRegistry) {
        notifications = registry.counter(
            "alertmanager_notifications_total", "The total number of attempted notifications.",
            ["integration": "webhook"])
        failures = registry.counter(
            "alertmanager_notifications_failed_total", "The total number of failed notifications.",
            ["integration": "webhook"])
        requests = registry.counter(
            "alertmanager_notification_requests_total", "The total number of attempted notification requests.",
            ["integration": "webhook"])
        requestFailures = registry.counter(
            "alertmanager_notification_requests_failed_total", "The total number of failed notification requests.",
            ["integration": "webhook"])
        alerts = registry.counter(
            "alertmanager_alerts_received_total", "The total number of received alerts.", ["version": "v2"])
        latency = registry.histogram(
            "alertmanager_notification_latency_seconds", "The latency of notifications in seconds.",
            bounds: [1, 5, 10, 15, 20], ["integration": "webhook"])
        ledgerFailures = registry.counter(
            "martlet_notifier_ledger_failures_total", "Writes of the delivery ledger that failed.")
    }

    func received(_ count: Int) { alerts.increment(by: count) }

    func attempted(succeeded: Bool) {
        requests.increment()
        if !succeeded { requestFailures.increment() }
    }

    func notified(succeeded: Bool, seconds: Double) {
        notifications.increment()
        if !succeeded { failures.increment() }
        latency.observe(seconds)
    }

    func collect(_ registry: MetricRegistry, _ read: @escaping @Sendable () -> Gauges) {
        registry.addCollector {
            let gauges = read()
            func gauge(_ name: String, _ help: String, _ samples: [MetricFamily.Sample]) -> MetricFamily {
                MetricFamily(name: name, help: help, kind: .gauge, samples: samples)
            }
            return [
                gauge(
                    "alertmanager_alerts", "How many alerts by state.",
                    [
                        .init(labels: [("state", "active")], value: Double(gauges.firing)),
                        .init(labels: [("state", "resolved")], value: Double(gauges.resolved)),
                    ]),
                gauge(
                    "alertmanager_silences", "How many silences by state.",
                    [
                        .init(labels: [("state", "active")], value: Double(gauges.activeSilences)),
                        .init(labels: [("state", "pending")], value: Double(gauges.pendingSilences)),
                    ]),
                gauge(
                    "alertmanager_dispatcher_aggregation_groups", "Number of active aggregation groups.",
                    [.init(value: Double(gauges.groups))]),
                gauge(
                    "martlet_notifier_ledger_size_bytes", "The size of the delivery ledger.",
                    [.init(value: Double(gauges.ledgerBytes))]),
            ]
        }
    }
}
