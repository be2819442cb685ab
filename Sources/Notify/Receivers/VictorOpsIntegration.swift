import Config
import GoCompatibility
import Model

/// Sends alerts to VictorOps.
package struct VictorOpsIntegration: Integration {
    package static let kind = IntegrationKind.victorOps
    private let config: VictorOpsConfig
    private let transport: any NotificationTransport

    private static let stateMessageMax = 20_480

    package init(_ config: VictorOpsConfig, _ transport: any NotificationTransport) {
        self.config = config
        self.transport = transport
    }

    package var sendsResolved: Bool { config.sendResolved }

    package func attempt(_ message: ReceiverMessage, _ context: AttemptContext) async throws -> Verdict {
        let key = try await context.secret(config.apiKey, "api_key_file")
        let routingKey = try message.text(config.routingKey)
        let url = config.apiURL + URLPath.escape(key) + "/" + URLPath.escape(routingKey)
        let body = try body(message, context)
        return context.verdict(try await context.send(.json(url, body), by: transport))
    }

    private func body(_ message: ReceiverMessage, _ context: AttemptContext) throws -> [UInt8] {
        var fields = [
            ("message_type", try messageType(message)),
            ("entity_id", message.groupKeyHash),
            ("entity_display_name", try message.text(config.entityDisplayName)),
            (
                "state_message",
                context.cut(
                    try message.text(config.stateMessage), "state_message", characters: Self.stateMessageMax)
            ),
            ("monitoring_tool", try message.text(config.monitoringTool)),
        ]
        for field in config.customFields { fields.append((field.name, try message.text(field.value))) }
        fields.sort { $0.0.isExactlyBefore($1.0) }
        return ReceiverJSON.object { json in
            for (name, value) in fields { json.member(name, value) }
        }
    }

    private func messageType(_ message: ReceiverMessage) throws -> String {
        guard message.isFiring else { return "RECOVERY" }
        let type = try message.text(config.messageType)
        return ["CRITICAL", "WARNING", "INFO"].contains(where: type.isExactly) ? type : "CRITICAL"
    }
}

/// Parts of the paths of URLs.
enum URLPath {
    /// A text whose characters have no meaning in a URL, except slashes.
    static func escape(_ text: String) -> String {
        GoURL.queryEscape(text).replacing("+", with: "%20").replacing("%2F", with: "/")
    }

    /// A text as one part of a path.
    static func escapePart(_ text: String) -> String { GoURL.queryEscape(text).replacing("+", with: "%20") }
}
