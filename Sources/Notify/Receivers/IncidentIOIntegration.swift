import Config

/// Posts alerts to incident.io.
package struct IncidentIOIntegration: Integration {
    package static let kind = IntegrationKind.incidentIO
    private let config: IncidentIOConfig
    private let transport: any NotificationTransport

    /// The largest body that the service takes, bytes.
    private static let bodyMax = 512 << 10

    package init(_ config: IncidentIOConfig, _ transport: any NotificationTransport) {
        self.config = config
        self.transport = transport
    }

    package var sendsResolved: Bool { config.sendResolved }
    package var timeout: Int64 { config.timeout }
    package var maxAlerts: Int { config.maxAlerts }

    package func attempt(_ message: ReceiverMessage, _ context: AttemptContext) async throws -> Verdict {
        let url = try await context.secret(config.url, "url_file")
        var body = WebhookPayload.encode(message, version: "1")
        if body.count > Self.bodyMax { body = WebhookPayload.encode(Self.shortened(message), version: "1") }
        return context.verdict(try await context.send(.json(url, body), by: transport), retrying: [429])
    }

    /// A message with one alert, which has the status of all of them together.
    private static func shortened(_ message: ReceiverMessage) -> ReceiverMessage {
        var short = message
        let alerts = message.data.alerts
        short.data.alerts = (alerts.first(where: \.isFiring) ?? alerts.first).map { [$0] } ?? []
        short.truncatedAlerts += alerts.count - short.data.alerts.count
        return short
    }
}
