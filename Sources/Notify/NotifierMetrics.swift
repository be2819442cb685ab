import Model
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
        var expiredSilences = 0
        var ledgerBytes = 0
    }

    /// The counters of one kind of integration.
    private struct Deliveries {
        let notifications: Counter
        let failures: Counter
        let requests: Counter
        let requestFailures: Counter
        let latency: HistogramMetric

        init(_ kind: IntegrationKind, _ registry: MetricRegistry) {
            let labels: KeyValuePairs = ["integration": kind.rawValue]
            notifications = registry.counter(
                "alertmanager_notifications_total", "The total number of attempted notifications.", labels)
            failures = registry.counter(
                "alertmanager_notifications_failed_total", "The total number of failed notifications.", labels)
            requests = registry.counter(
                "alertmanager_notification_requests_total", "The total number of attempted notification requests.",
                labels)
            requestFailures = registry.counter(
                "alertmanager_notification_requests_failed_total", "The total number of failed notification requests.",
                labels)
            latency = registry.histogram(
                "alertmanager_notification_latency_seconds", "The latency of notifications in seconds.",
                bounds: [1, 5, 10, 15, 20], labels)
        }
    }

    private let deliveries: [IntegrationKind: Deliveries]
    private let firing: Counter
    private let resolved: Counter
    private let invalid: Counter
    private let overLimit: Counter
    let ledgerFailures: Counter

    init(_ registry: MetricRegistry) {
        deliveries = Dictionary(
            uniqueKeysWithValues: IntegrationKind.allCases.map { ($0, Deliveries($0, registry)) })
        func alerts(_ status: String) -> Counter {
            registry.counter(
                "alertmanager_alerts_received_total", "The total number of received alerts.",
                ["status": status, "version": "v2"])
        }
        firing = alerts("firing")
        resolved = alerts("resolved")
        invalid = registry.counter(
            "alertmanager_alerts_invalid_total", "The total number of received alerts that were invalid.",
            ["version": "v2"])
        overLimit = registry.counter(
            "alertmanager_alerts_limited_total", "The total number of alerts that were dropped due to a limit.")
        ledgerFailures = registry.counter(
            "martlet_notifier_ledger_failures_total", "Writes of the delivery ledger that failed.")
    }

    func received(_ alerts: [Alert], at now: Int64) {
        let ended = alerts.count { $0.isResolved(at: now) }
        resolved.increment(by: ended)
        firing.increment(by: alerts.count - ended)
    }

    func refused(invalid: Int, overLimit: Int) {
        self.invalid.increment(by: invalid)
        self.overLimit.increment(by: overLimit)
    }

    func attempted(_ kind: IntegrationKind, succeeded: Bool) {
        deliveries[kind]?.requests.increment()
        if !succeeded { deliveries[kind]?.requestFailures.increment() }
    }

    func notified(_ kind: IntegrationKind, succeeded: Bool, seconds: Double) {
        deliveries[kind]?.notifications.increment()
        if !succeeded { deliveries[kind]?.failures.increment() }
        deliveries[kind]?.latency.observe(seconds)
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
                        .init(labels: [("state", "expired")], value: Double(gauges.expiredSilences)),
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
