import AlertAPI
import Config
import HTTP
import Model
import Notify
import Platform
import TestSupport

/// What reads requests of Alertmanager's API.
enum AlertAPITargets {
    private final class Nowhere: NotificationTransport {
        func send(_ request: ReceiverRequest) async throws -> ReceiverAnswer { ReceiverAnswer(status: 200) }
    }

    private static func router() -> Router? {
        let clock = ManualClock(now: 1_700_000_000_000, jumps: true)
        let text = "route: {receiver: a, group_by: ['...']}\nreceivers: [{name: a, labels: {b: c}}]\n"
        guard let config = try? AlertmanagerConfigLoader.parse(text: Array(text.utf8), path: "fuzz.yml"),
            let settings = try? NotifierSettings(config, transport: { _ in Nowhere() }),
            let notifier = try? Notifier(settings: settings, ledger: nil, clock: clock, externalURL: "http://fuzz")
        else { return nil }
        var routes = Router.Builder()
        AlertAPIRoutes.add(
            to: &routes,
            AlertAPIContext(notifier: notifier, clock: clock, startTime: 0, unreadyReason: { nil }))
        return Router(routes)
    }

    /// The first byte says which request the rest is: a body, or parameters of the URL.
    ///
    /// Everything that is accepted can be listed.
    static func request(_ bytes: UnsafeRawBufferPointer) {
        guard let kind = bytes.first, let router = router() else { return }
        let rest = Array(bytes.dropFirst())
        let paths = ["/alerts", "/silences", "/alerts", "/alerts/groups", "/receivers", "/silences"]
        let path = "/api/v2" + paths[Int(kind) % paths.count]
        let posts = Int(kind) % paths.count < 2
        let response = router.handle(
            HTTPRequest(
                method: posts ? "POST" : "GET", path: path, query: posts ? [] : URLEncoding.parse(rest),
                headers: [("Content-Type", "application/json")], body: posts ? rest : []))
        precondition([200, 400, 404, 413, 422].contains(response.status), "\(response.status)")
        for list in ["/alerts", "/alerts/groups", "/silences"] {
            let listed = router.handle(HTTPRequest(method: "GET", path: "/api/v2" + list))
            precondition(listed.status == 200, "\(list): \(listed.status)")
        }
    }
}
