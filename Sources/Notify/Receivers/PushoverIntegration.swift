import Config
import GoCompatibility
import HTTP

/// Sends push messages by Pushover, with everything in the query.
package struct PushoverIntegration: Integration {
    package static let kind = IntegrationKind.pushover
    /// The address of the service.
    static let address = "https://api.pushover.net/1/messages.json"
    private let config: PushoverConfig
    private let transport: any NotificationTransport

    package init(_ config: PushoverConfig, _ transport: any NotificationTransport) {
        self.config = config
        self.transport = transport
    }

    package var sendsResolved: Bool { config.sendResolved }

    package func attempt(_ message: ReceiverMessage, _ context: AttemptContext) async throws -> Verdict {
        var query = try parameters(message, context)
        query.append(("token", try await context.secret(config.token, "token_file")))
        query.append(("user", try await context.secret(config.userKey, "user_key_file")))
        let text = query.sorted { $0.name < $1.name }.map { "\($0.name)=\(GoURL.queryEscape($0.value))" }
            .joined(separator: "&")
        // A part of the URL may be a part of an error.
        context.hide(text)
        let request = ReceiverRequest(
            url: "\(Self.address)?\(text)", headers: [("Content-Type", "text/plain")])
        return context.verdict(try await context.send(request, by: transport))
    }

    private func parameters(
        _ message: ReceiverMessage, _ context: AttemptContext
    ) throws -> [(name: String, value: String)] {
        var query: [(name: String, value: String)] = []
        query.append(("title", context.cut(try message.text(config.title), "title", characters: 250)))
        if config.html { query.append(("html", "1")) }
        if config.monospace { query.append(("monospace", "1")) }
        let text = config.html ? try message.html(config.message) : try message.text(config.message)
        let shown = SecretFile.trimmed(Array(context.cut(text, "message", characters: 1024).utf8))
        // The service refuses a message without text.
        query.append(("message", shown.isEmpty ? "(no details)" : shown))
        query.append(("url", context.cut(try message.text(config.url), "url", characters: 512)))
        query.append(("url_title", try message.text(config.urlTitle)))
        query.append(("priority", try message.text(config.priority)))
        query.append(("retry", "\(config.retry / 1000)"))
        query.append(("expire", "\(config.expire / 1000)"))
        query.append(("device", try message.text(config.device)))
        query.append(("sound", try message.text(config.sound)))
        if config.ttl > 0 { query.append(("ttl", "\(config.ttl / 1000)")) }
        return query
    }
}
