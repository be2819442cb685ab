import Config
import GoCompatibility
import JSON

/// Posts notifications as JSON to any address.
package struct WebhookIntegration: Integration {
    package static let kind = IntegrationKind.webhook
    private let config: WebhookConfig
    private let transport: any NotificationTransport

    package init(_ config: WebhookConfig, _ transport: any NotificationTransport) {
        self.config = config
        self.transport = transport
    }

    package var sendsResolved: Bool { config.sendResolved }
    package var timeout: Int64 { config.timeout }
    package var maxAlerts: Int { config.maxAlerts }

    package func attempt(_ message: ReceiverMessage, _ context: AttemptContext) async throws -> Verdict {
        let source = SecretSource(text: try message.text(config.url), file: config.urlFile)
        let url = try await context.secret(source, "url_file")
        if url.isEmpty { return .refused("webhook URL is empty after templating") }
        let body: [UInt8]
        if let payload = config.payload {
            body = ReceiverJSON.encode(try message.json(payload).sorted)
        } else {
            body = WebhookPayload.encode(message)
        }
        return context.verdict(try await context.send(.json(url, body), by: transport))
    }
}
