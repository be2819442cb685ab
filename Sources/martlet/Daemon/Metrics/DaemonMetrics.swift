import Notify
import Platform
import Telemetry

/// Metrics of the daemon's state: its reloads, and whether it is ready.
enum DaemonMetrics {
    /// - Parameter hasNotifier: Whether the metrics of the built-in notifier's configuration are there.
    static func register(_ registry: MetricRegistry, _ status: DaemonStatus, hasNotifier: Bool) {
        if hasNotifier { registerNotifier(registry, status) }
        registry.addCollector {
            func gauge(_ name: String, _ help: String, _ value: Double) -> MetricFamily {
                MetricFamily(name: name, help: help, kind: .gauge, samples: [.init(value: value)])
            }
            let inForce = status.inForce
            return [
                gauge(
                    "prometheus_config_last_reload_successful",
                    "Whether the last configuration reload attempt was successful.", inForce.reloadSucceeded ? 1 : 0),
                gauge(
                    "prometheus_config_last_reload_success_timestamp_seconds",
                    "Timestamp of the last successful configuration reload.", Double(inForce.time) / 1000),
                gauge(
                    "prometheus_ready", "Whether the daemon is ready to serve.", status.unreadyReason == nil ? 1 : 0),
            ]
        }
    }

    /// The same facts under Alertmanager's names: one reload reads both files.
    private static func registerNotifier(_ registry: MetricRegistry, _ status: DaemonStatus) {
        registry.gauge(
            "alertmanager_build_info", "A metric with a constant '1' value labeled by version of this build.",
            ProcessMetrics.buildLabels(version: ProductVersion.alertmanager)
        ).set(1)
        registry.addCollector {
            let inForce = status.inForce
            return [
                MetricFamily(
                    name: "alertmanager_config_last_reload_successful",
                    help: "Whether the last configuration reload attempt was successful.", kind: .gauge,
                    samples: [.init(value: inForce.reloadSucceeded ? 1 : 0)]),
                MetricFamily(
                    name: "alertmanager_config_last_reload_success_timestamp_seconds",
                    help: "Timestamp of the last successful configuration reload.", kind: .gauge,
                    samples: [.init(value: Double(inForce.time) / 1000)]),
            ]
        }
    }
}
