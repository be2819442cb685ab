import GoCompatibility
import HTTP
import Notify

/// The routes of Alertmanager's API, version 2.
package enum AlertAPIRoutes {
    private static let base = "/api/v2"
    /// The largest bodies: of alerts, and of one silence.
    private static let alertsLimit = 16 << 20
    private static let silenceLimit = 1 << 20
    /// The methods that are answered with an error if a path does not have them.
    private static let methods = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"]

    private typealias Handler = @Sendable (HTTPRequest, Notifier) throws -> HTTPResponse

    /// Adds the routes to a router under construction.
    package static func add(to routes: inout Router.Builder, _ context: AlertAPIContext) {
        let alerts = AlertHandlers(context: context)
        let silences = SilenceHandlers(context: context)
        let status = StatusHandlers(context: context)

        func add(_ path: String, body: Int = 0, _ handlers: KeyValuePairs<String, Handler>) {
            let allowed = handlers.map(\.key)
            // As in Alertmanager, a slash at the end does not matter.
            for pattern in [base + path, base + path + "/"] {
                for (method, handler) in handlers {
                    routes.add(
                        [method], pattern, body: .bytes(limit: body), takesLong: true, changesState: method != "GET",
                        guarded(context, handler))
                }
                routes.add(
                    methods.filter { !allowed.contains($0) }, pattern, body: BodyPolicy.none, changesState: false,
                    { refused($0, allowed) })
            }
        }
        add("/status", ["GET": { try status.status($0, $1) }])
        add("/receivers", ["GET": { try status.receivers($0, $1) }])
        add("/alerts", body: alertsLimit, ["GET": { try alerts.list($0, $1) }, "POST": { try alerts.post($0, $1) }])
        add("/alerts/groups", ["GET": { try alerts.groups($0, $1) }])
        add(
            "/silences", body: silenceLimit,
            ["GET": { try silences.list($0, $1) }, "POST": { try silences.post($0, $1) }])
        add("/silence/:id", ["DELETE": { try silences.expire($0, $1) }, "GET": { try silences.one($0, $1) }])
        routes.add(methods, base + "/*path", body: BodyPolicy.none, changesState: false) { request in
            AlertAPIError.problem(404, "path \(request.path) was not found").response
        }
    }

    private static func refused(_ request: HTTPRequest, _ allowed: [String]) -> HTTPResponse {
        let list = allowed.joined(separator: ",")
        var response = AlertAPIError.problem(405, "method \(request.method) is not allowed, but [\(list)] are").response
        response.headers.append(("Allow", list))
        return response
    }

    /// Refuses a request whose client accepts no JSON.
    private static func checkAccepted(_ request: HTTPRequest) throws(AlertAPIError) {
        let accepted = request.headers.lazy.filter { GoCase.lower($0.name) == "accept" }
            .flatMap { $0.value.split(separator: ",") }
            .map { GoCase.lower(String($0.prefix { $0 != ";" }.filter { $0 != " " && $0 != "\t" })) }
        if accepted.isEmpty || accepted.contains(where: { ["application/json", "application/*", "*/*"].contains($0) }) {
            return
        }
        throw .problem(406, "unsupported media type requested, only [application/json] are available")
    }

    /// A handler that answers errors, and those of a daemon that does not serve or has no notifier.
    private static func guarded(_ context: AlertAPIContext, _ handler: @escaping Handler) -> Router.Handler {
        { request in
            do {
                if let reason = context.unreadyReason() { throw AlertAPIError.unavailable(reason) }
                guard let notifier = context.notifier else {
                    throw AlertAPIError.text(
                        404, "the built-in notifier is off: --alerting.config.file names its configuration")
                }
                try checkAccepted(request)
                return try handler(request, notifier)
            } catch let error as AlertAPIError {
                return error.response
            } catch {
                return AlertAPIError.text(500, "\(error)").response
            }
        }
    }
}
