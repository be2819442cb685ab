import Config
import Model
import Synchronization

/// Adds the external labels to alerts, relabels them by `alert_relabel_configs`, and sends them to several sinks: to
/// other Alertmanagers and to the notifier in this process.
package final class AlertFanOut: AlertSink {
    private struct Settings {
        var relabelRules: [RelabelRule] = []
        var externalLabels = Labels.empty
    }

    private let sinks: [any AlertSink]
    private let settings = Mutex(Settings())

    package init(_ sinks: [any AlertSink]) { self.sinks = sinks }

    /// Replaces the rules and the labels.
    package func apply(relabelRules: [RelabelRule], externalLabels: Labels) {
        settings.withLock { $0 = Settings(relabelRules: relabelRules, externalLabels: externalLabels) }
    }

    package func send(_ alerts: [Alert]) {
        let settings = settings.withLock { $0 }
        let labelled = alerts.compactMap {
            Self.relabel($0, settings.relabelRules, adding: settings.externalLabels)
        }
        for sink in sinks { sink.send(labelled) }
    }

    /// Returns an alert with the external labels whose names it does not have, relabelled; nil if it is dropped.
    static func relabel(_ alert: Alert, _ rules: [RelabelRule], adding external: Labels = .empty) -> Alert? {
        if rules.isEmpty, external.isEmpty { return alert }
        var builder = LabelsBuilder(alert.labels)
        for label in external.pairs where builder.get(label.name).isEmpty { builder.set(label.name, label.value) }
        guard Relabel.apply(rules, to: &builder) else { return nil }
        // `labelmap` can make an empty label name. An Alertmanager would refuse every alert of the request for it.
        builder.remove("")
        var alert = alert
        alert.labels = builder.labels()
        return alert.labels.isEmpty ? nil : alert
    }
}
