import Storage
import Telemetry

/// Metrics about steps and errors of the wall clock.
enum ClockMetrics {
    static func register(_ registry: MetricRegistry, _ store: TimeSeriesStore) {
        registry.addCollector { [weak store] in
            guard let store else { return [] }
            return [
                MetricFamily(
                    name: "martlet_clock_steps_total", help: "How often the wall clock was set, forward or back.",
                    kind: .counter, samples: [.init(value: Double(store.clockStepCount))]),
                MetricFamily(
                    name: "martlet_storage_retention_waits",
                    help: "Whether blocks beyond retention are kept because the time is not certain.", kind: .gauge,
                    samples: [.init(value: store.retentionWait == nil ? 0 : 1)]),
                MetricFamily(
                    name: "martlet_storage_future_time_seconds",
                    help: "The newest time of samples that are ahead of the wall clock; 0 if there are none.",
                    kind: .gauge, samples: [.init(value: Double(store.futureTime ?? 0) / 1000)]),
            ]
        }
    }
}
