import HTTP
import Model
import Notify

/// The alerts that a request asks for.
struct AlertSelection {
    let matchers: [Matcher]
    let receivers: ReceiverFilter
    private let active: Bool
    private let silenced: Bool
    private let inhibited: Bool

    init(_ request: HTTPRequest, _ notifier: Notifier) throws(AlertAPIError) {
        matchers = try Parameters.matchers(request, "filter")
        receivers = try ReceiverFilter(request, notifier.shown.receivers)
        active = Parameters.isOn(request, "active")
        silenced = Parameters.isOn(request, "silenced")
        inhibited = Parameters.isOn(request, "inhibited")
    }

    func contains(_ alert: AlertStatus) -> Bool {
        (active || alert.state != .active) && (silenced || alert.muting.silencedBy.isEmpty)
            && (inhibited || alert.muting.inhibitedBy.isEmpty)
            && Parameters.accept(alert.alert.alert.labels, matchers)
    }
}
