import Telemetry

/// Metrics of the daemon's state: its reloads, and whether it is ready.
enum DaemonMetrics {
    static func register(_ registry: MetricRegistry, _ status: DaemonStatus) {
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
}
