import HTTP
import JSON

/// `/-/healthy`, `/-/ready`, `/-/reload`, `/-/quit`, `/version`.
struct ManagementHandlers: Sendable {
    let context: APIContext

    func healthy(_ request: HTTPRequest) -> HTTPResponse { .text("Prometheus Server is Healthy.\n") }

    func ready(_ request: HTTPRequest) -> HTTPResponse {
        guard let reason = context.control.unreadyReason ?? context.store.unhealthyReason else {
            return .text(
                "Prometheus Server is Ready.\n" + context.store.missingParts.map { "Warning: \($0).\n" }.joined())
        }
        var response = HTTPResponse.text("Service Unavailable: \(reason)\n", status: 503)
        response.headers.append(("X-Prometheus-Stopping", context.control.isStopping ? "true" : "false"))
        return response
    }

    func reload(_ request: HTTPRequest) -> HTTPResponse {
        guard context.settings.enablesLifecycle else { return .text("Lifecycle API is not enabled.", status: 403) }
        if let reason = context.control.reload() { return .text("failed to reload config: \(reason)\n", status: 500) }
        return HTTPResponse()
    }

    func quit(_ request: HTTPRequest) -> HTTPResponse {
        guard context.settings.enablesLifecycle else { return .text("Lifecycle API is not enabled.", status: 403) }
        context.control.quit()
        return .text("Requesting termination... Goodbye!")
    }

    func wrongMethod(_ request: HTTPRequest) -> HTTPResponse {
        .text("Only POST or PUT requests allowed", status: 405)
    }

    func version(_ request: HTTPRequest) -> HTTPResponse {
        var writer = JSONWriter()
        writer.value(StatusHandlers.facts(context.settings.build))
        return .json(writer.bytes)
    }
}
