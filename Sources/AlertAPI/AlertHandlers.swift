import GoCompatibility
import HTTP
import JSON
import Model
import Notify
import Platform

/// `alerts` and `alerts/groups`.
struct AlertHandlers: Sendable {
    let context: AlertAPIContext

    func list(_ request: HTTPRequest, _ notifier: Notifier) throws -> HTTPResponse {
        let selection = try AlertSelection(request, notifier)
        return try Answer.value(request, context) { writer, share in
            let alerts = notifier.alerts().lazy.filter {
                selection.contains($0) && $0.receivers.contains { selection.receivers.accepts($0) }
            }
            try writer.array(alerts, share) { alert, writer in Self.write(alert, &writer) }
            try Parameters.requireAnswers(selection.matchers)
        }
    }

    func groups(_ request: HTTPRequest, _ notifier: Notifier) throws -> HTTPResponse {
        let selection = try AlertSelection(request, notifier)
        let showsMuted = Parameters.isOn(request, "muted")
        return try Answer.value(request, context) { writer, share in
            let wanted = notifier.groups(of: selection.receivers.accepts)
            let groups = wanted.lazy.compactMap { group -> AlertGroupStatus? in
                var group = group
                group.alerts.removeAll {
                    !selection.contains($0) || (!showsMuted && !$0.muting.mutedBy.isEmpty)
                }
                return group.alerts.isEmpty ? nil : group
            }
            try writer.array(groups, share) { group, writer in
                try writer.object { writer in
                    writer.key("alerts")
                    try writer.array(group.alerts, share) { alert, writer in Self.write(alert, &writer) }
                    writer.key("labels")
                    writer.labels(group.labels)
                    writer.key("receiver")
                    writer.object { $0.member("name", group.receiver) }
                    // Routes have no labels yet.
                    writer.key("routeLabels")
                    writer.object { _ in }
                }
            }
            try Parameters.requireAnswers(selection.matchers)
        }
    }

    private static func write(_ status: AlertStatus, _ writer: inout JSONWriter) {
        func texts(_ name: String, _ texts: [String], _ writer: inout JSONWriter) {
            writer.key(name)
            writer.array { writer in for text in texts { writer.string(text) } }
        }
        let alert = status.alert.alert
        writer.object { writer in
            writer.key("annotations")
            writer.labels(alert.annotations)
            writer.member("endsAt", TimeText.written(alert.endsAt))
            writer.member("fingerprint", status.alert.fingerprint.description)
            writer.key("receivers")
            writer.array { writer in
                for receiver in status.receivers { writer.object { $0.member("name", receiver) } }
            }
            writer.member("startsAt", TimeText.written(alert.startsAt))
            writer.key("status")
            writer.object { writer in
                texts("inhibitedBy", status.muting.inhibitedBy.map(\.description), &writer)
                texts("mutedBy", status.muting.mutedBy, &writer)
                texts("silencedBy", status.muting.silencedBy, &writer)
                writer.member("state", status.state.rawValue)
            }
            writer.member("updatedAt", TimeText.written(alert.updatedAt))
            if !alert.generatorURL.isEmpty { writer.member("generatorURL", alert.generatorURL) }
            writer.key("labels")
            writer.labels(alert.labels)
        }
    }

    func post(_ request: HTTPRequest, _ notifier: Notifier) throws -> HTTPResponse {
        let alerts = try PostedAlerts.read(request)
        let refusals = try notifier.receive(alerts)
        if refusals.isEmpty { return Answer.plain() }
        throw AlertAPIError.text(400, refusals.joined(separator: "\n"))
    }
}
