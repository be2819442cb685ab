import Config
import GoCompatibility
import JSON

/// Posts an embed to a webhook of Discord.
package struct DiscordIntegration: Integration {
    package static let kind = IntegrationKind.discord
    private let config: DiscordConfig
    private let transport: any NotificationTransport

    package init(_ config: DiscordConfig, _ transport: any NotificationTransport) {
        self.config = config
        self.transport = transport
    }

    package var sendsResolved: Bool { config.sendResolved }

    package func attempt(_ message: ReceiverMessage, _ context: AttemptContext) async throws -> Verdict {
        let content = context.cut(try message.text(config.content), "content", characters: 2000)
        let title = context.cut(try message.text(config.title), "title", characters: 256)
        let text = context.cut(try message.text(config.message), "message", characters: 4096)
        let body = ReceiverJSON.object { json in
            json.member("content", content)
            json.key("embeds")
            json.array { json in
                json.object { json in
                    json.member("title", title)
                    json.member("description", text)
                    json.key("color")
                    json.integer(message.isFiring ? 0x99_2D22 : 0x2E_CC71)
                }
            }
            json.memberIfAny("username", config.username)
            json.memberIfAny("avatar_url", config.avatarURL)
        }
        let url = try await context.secret(config.webhookURL, "webhook_url_file")
        return context.verdict(try await context.send(.json(url, body), by: transport))
    }
}

/// Posts a card to an old connector of Microsoft Teams.
package struct MSTeamsIntegration: Integration {
    package static let kind = IntegrationKind.msTeams
    private let config: MSTeamsConfig
    private let transport: any NotificationTransport

    package init(_ config: MSTeamsConfig, _ transport: any NotificationTransport) {
        self.config = config
        self.transport = transport
    }

    package var sendsResolved: Bool { config.sendResolved }

    package func attempt(_ message: ReceiverMessage, _ context: AttemptContext) async throws -> Verdict {
        let body = try ReceiverJSON.object { json in
            json.member("@context", "http://schema.org/extensions")
            // Connectors want another name, but this is the one that Alertmanager sends.
            json.member("type", "MessageCard")
            json.member("title", try message.text(config.title))
            json.member("summary", try message.text(config.summary))
            json.member("text", try message.text(config.text))
            json.member("themeColor", message.isFiring ? "8C1A1A" : "2DC72D")
        }
        let url = try await context.secret(config.webhookURL, "webhook_url_file")
        return context.verdict(try await context.send(.json(url, body), by: transport))
    }
}

/// Posts an adaptive card to a workflow of Microsoft Teams.
package struct MSTeamsV2Integration: Integration {
    package static let kind = IntegrationKind.msTeamsV2
    private let config: MSTeamsV2Config
    private let transport: any NotificationTransport

    package init(_ config: MSTeamsV2Config, _ transport: any NotificationTransport) {
        self.config = config
        self.transport = transport
    }

    package var sendsResolved: Bool { config.sendResolved }

    package func attempt(_ message: ReceiverMessage, _ context: AttemptContext) async throws -> Verdict {
        let title = try message.text(config.title)
        let text = try message.text(config.text)
        let body = ReceiverJSON.object { json in
            json.member("type", "message")
            json.key("attachments")
            json.array { json in
                json.object { json in
                    json.member("contentType", "application/vnd.microsoft.card.adaptive")
                    json.key("contentUrl")
                    json.null()
                    json.key("content")
                    json.object { card(title, text, isFiring: message.isFiring, &$0) }
                }
            }
        }
        let url = try await context.secret(config.webhookURL, "webhook_url_file")
        return context.verdict(try await context.send(.json(url, body), by: transport))
    }

    private func card(_ title: String, _ text: String, isFiring: Bool, _ json: inout JSONWriter) {
        json.member("$schema", "http://adaptivecards.io/schemas/adaptive-card.json")
        json.member("type", "AdaptiveCard")
        json.member("version", "1.2")
        json.key("body")
        json.array { json in
            json.object { json in
                json.member("type", "TextBlock")
                json.memberIfAny("text", title)
                json.member("weight", "Bolder")
                json.member("size", "Medium")
                json.key("wrap")
                json.bool(true)
                json.member("style", "heading")
                json.member("color", isFiring ? "Attention" : "Good")
            }
            json.object { json in
                json.member("type", "TextBlock")
                json.memberIfAny("text", text)
                json.key("wrap")
                json.bool(true)
            }
        }
        json.key("msteams")
        json.object { $0.member("width", "full") }
    }
}

/// Posts a message to Webex.
package struct WebexIntegration: Integration {
    package static let kind = IntegrationKind.webex
    /// The most bytes of a message.
    private static let limit = 7439
    private let config: WebexConfig
    private let transport: any NotificationTransport

    package init(_ config: WebexConfig, _ transport: any NotificationTransport) {
        self.config = config
        self.transport = transport
    }

    package var sendsResolved: Bool { config.sendResolved }

    package func attempt(_ message: ReceiverMessage, _ context: AttemptContext) async throws -> Verdict {
        let text = context.cut(try message.text(config.message), "message", bytes: Self.limit)
        let recipient = try message.text(config.recipient)
        let body = ReceiverJSON.object { json in
            json.member("markdown", text)
            json.member("roomId", recipient)
        }
        return context.verdict(try await context.send(.json(config.apiURL, body), by: transport))
    }
}
