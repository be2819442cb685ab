import Config
import Model
import Synchronization
import Telemetry

extension AlertmanagerClient {
    /// The figures of one Alertmanager for `/metrics`.
    struct Figures {
        var url: String
        var sent = 0
        var errors = 0
        var dropped = 0
        var waiting = 0
        var latency = QuantileWindow()
    }

    /// The figures by URL; entries of the configuration with the same Alertmanager count together.
    private func figures(_ senders: [AlertmanagerSender]) -> [Figures] {
        var places: [ExactText: Int] = [:]
        var result: [Figures] = []
        for sender in senders {
            let url = ConfigURL.shown(sender.url)
            let place = places[ExactText(url)] ?? result.count
            if place == result.count {
                places[ExactText(url)] = place
                result.append(Figures(url: url))
            }
            sender.state.withLock { state in
                result[place].sent += state.sent
                result[place].errors += state.errors
                result[place].dropped += state.queue.dropped
                result[place].waiting += state.queue.waiting.count
                result[place].latency = result[place].latency.joined(with: state.latency)
            }
        }
        return result
    }

    func families(_ senders: [AlertmanagerSender], capacity: Int) -> [MetricFamily] {
        let states = figures(senders)
        func family(
            _ name: String, _ help: String, _ kind: MetricFamily.Kind, _ values: [Double]
        ) -> MetricFamily {
            MetricFamily(
                name: name, help: help, kind: kind,
                samples: zip(states, values).map { .init(labels: [("alertmanager", $0.url)], value: $1) })
        }
        return [
            family(
                "prometheus_notifications_sent_total", "Total number of alerts sent.", .counter,
                states.map { Double($0.sent) }),
            family(
                "prometheus_notifications_errors_total",
                "Total number of sent alerts affected by errors.", .counter, states.map { Double($0.errors) }),
            family(
                "prometheus_notifications_dropped_total",
                "Total number of alerts dropped due to errors when sending to Alertmanager.", .counter,
                states.map { Double($0.dropped) }),
            family(
                "prometheus_notifications_queue_length", "The number of alert notifications in the queue.", .gauge,
                states.map { Double($0.waiting) }),
            MetricFamily(
                name: "prometheus_notifications_latency_seconds",
                help: "Latency quantiles for sending alert notifications.",
                kind: .summary,
                samples: states.flatMap {
                    $0.latency.samples([("alertmanager", $0.url)], quantiles: QuantileWindow.three)
                }),
            MetricFamily(
                name: "prometheus_notifications_queue_capacity",
                help: "The capacity of the alert notifications queue.", kind: .gauge,
                samples: [.init(value: Double(capacity))]),
            MetricFamily(
                name: "prometheus_notifications_alertmanagers_discovered",
                help: "The number of alertmanagers discovered and active.", kind: .gauge,
                samples: [.init(value: Double(senders.count))]),
        ]
    }
}
