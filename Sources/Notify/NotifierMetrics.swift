import Model
import Telemetry

/// The metrics of the notifier, under Alertmanager's names where the meaning is the same.
final class NotifierMetrics: Sendable {
    /// The values that are counted when the metrics are read.
    struct Gauges: Sendable {
        var active = 0
        var suppressed = 0
        /// Alerts that are in no group yet.
        var unprocessed = 0
        var groups = 0
        /// By state.
        var silences: [Silence.State: Int] = [:]
        var ledgerBytes = 0
        /// The bytes of the ledger's file when it was new.
        var snapshotBytes = 0
        var receivers = 0
        var integrations = 0
        var inhibitRules = 0
        var configHash = 0.0
    }

    /// The counters of one kind of integration.
    private struct Deliveries {
        let notifications: Counter
        let failures: [FailureReason: Counter]
        let requests: Counter
        let requestFailures: Counter
        let latency: HistogramMetric

        init(_ kind: IntegrationKind, _ registry: MetricRegistry) {
            let labels: KeyValuePairs = ["integration": kind.rawValue]
            notifications = registry.counter(
                "alertmanager_notifications_total", "The total number of attempted notifications.", labels)
            failures = Dictionary(
                uniqueKeysWithValues: FailureReason.allCases.map { reason in
                    let counter = registry.counter(
                        "alertmanager_notifications_failed_total", "The total number of failed notifications.",
                        ["integration": kind.rawValue, "reason": reason.rawValue])
                    return (reason, counter)
                })
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
    private let suppressed: [AlertChange.State: Counter]
    let ledgerFailures: Counter
    private let logQueries: Counter
    private let maintenance: Counter
    private let maintenanceErrors: Counter

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
        let reasons: KeyValuePairs<AlertChange.State, String> = [
            .silenced: "silence", .inhibited: "inhibition", .muted: "mute_time_interval",
            .inactive: "active_time_interval",
        ]
        suppressed = Dictionary(
            uniqueKeysWithValues: reasons.map { state, reason in
                let counter = registry.counter(
                    "alertmanager_notifications_suppressed_total",
                    "The total number of notifications suppressed for being silenced, inhibited, outside of active time "
                        + "intervals or within muted time intervals.", ["reason": reason])
                return (state, counter)
            })
        logQueries = registry.counter(
            "alertmanager_nflog_queries_total", "Number of notification log queries were received.")
        maintenance = registry.counter(
            "alertmanager_nflog_maintenance_total", "How many maintenances were executed for the notification log.")
        maintenanceErrors = registry.counter(
            "alertmanager_nflog_maintenance_errors_total",
            "How many maintenances were executed for the notification log that failed.")
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

    func suppressed(_ muted: [JudgedAlerts.Muted]) {
        for group in muted { suppressed[group.state]?.increment(by: group.alerts.count) }
    }

    func attempted(_ kind: IntegrationKind, succeeded: Bool) {
        deliveries[kind]?.requests.increment()
        if !succeeded { deliveries[kind]?.requestFailures.increment() }
    }

    /// - Parameter failure: Nil for a success.
    func notified(_ kind: IntegrationKind, failure: FailureReason?, seconds: Double) {
        deliveries[kind]?.notifications.increment()
        if let failure { deliveries[kind]?.failures[failure]?.increment() }
        deliveries[kind]?.latency.observe(seconds)
    }

    /// Counts look-ups of last notifications.
    func queriedLog(_ count: Int) { logQueries.increment(by: count) }

    func maintained(succeeded: Bool) {
        maintenance.increment()
        if !succeeded { maintenanceErrors.increment() }
    }

    func collect(_ registry: MetricRegistry, _ read: @escaping @Sendable () -> Gauges) {
        registry.addCollector {
            let gauges = read()
            func gauge(_ name: String, _ help: String, _ samples: [MetricFamily.Sample]) -> MetricFamily {
                MetricFamily(name: name, help: help, kind: .gauge, samples: samples)
            }
            func one(_ name: String, _ help: String, _ value: Int) -> MetricFamily {
                gauge(name, help, [.init(value: Double(value))])
            }
            let alerts = [
                ("active", gauges.active), ("suppressed", gauges.suppressed), ("unprocessed", gauges.unprocessed),
            ]
            let silences: [Silence.State] = [.active, .pending, .expired]
            return [
                gauge(
                    "alertmanager_alerts", "How many alerts by state.",
                    alerts.map { .init(labels: [("state", $0.0)], value: Double($0.1)) }),
                gauge(
                    "alertmanager_silences", "How many silences by state.",
                    silences.map {
                        .init(labels: [("state", $0.rawValue)], value: Double(gauges.silences[$0] ?? 0))
                    }),
                one(
                    "alertmanager_dispatcher_aggregation_groups", "Number of active aggregation groups.",
                    gauges.groups),
                one(
                    "alertmanager_receivers", "Number of configured receivers that are used in routes.",
                    gauges.receivers),
                one("alertmanager_integrations", "Number of configured integrations.", gauges.integrations),
                one("alertmanager_inhibition_rules", "Number of configured inhibition rules.", gauges.inhibitRules),
                gauge(
                    "alertmanager_config_hash", "Hash of the currently loaded alertmanager configuration.",
                    [.init(value: gauges.configHash)]),
                one("alertmanager_cluster_enabled", "Indicates whether the clustering is enabled or not.", 0),
                one(
                    "alertmanager_nflog_snapshot_size_bytes", "Size of the last notification log snapshot in bytes.",
                    gauges.snapshotBytes),
                one("martlet_notifier_ledger_size_bytes", "The size of the delivery ledger.", gauges.ledgerBytes),
            ]
        }
    }
}

/// The reason of a failed notification, in Alertmanager's words.
package enum FailureReason: String, CaseIterable, Sendable {
    case other, clientError, serverError, contextCanceled, contextDeadlineExceeded, authError, rateLimited

    /// The reason by the last attempt.
    ///
    /// - Parameter isOverdue: Whether its time was over.
    init(status: Int, isOverdue: Bool) {
        switch status {
        case 401, 403: self = .authError
        case 429: self = .rateLimited
        case 400..<500: self = .clientError
        case 500..<600: self = .serverError
        case 0 where isOverdue: self = .contextDeadlineExceeded
        default: self = .other
        }
    }
}
