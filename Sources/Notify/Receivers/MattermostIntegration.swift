import Config
import GoCompatibility
import JSON

/// Posts messages to a webhook of Mattermost.
package struct MattermostIntegration: Integration {
    package static let kind = IntegrationKind.mattermost
    /// The most characters of a text.
    private static let limit = 16383
    private let config: MattermostConfig
    private let transport: any NotificationTransport

    package init(_ config: MattermostConfig, _ transport: any NotificationTransport) {
        self.config = config
        self.transport = transport
    }

    package var sendsResolved: Bool { config.sendResolved }

    package func attempt(_ message: ReceiverMessage, _ context: AttemptContext) async throws -> Verdict {
        let body = try ReceiverJSON.object { json in
            if !config.attachments.isEmpty {
                json.memberIfAny(
                    "text", context.cut(try message.text(config.main.text), "text", characters: Self.limit))
            }
            json.memberIfAny("channel", try message.text(config.channel))
            json.memberIfAny("username", try message.text(config.username))
            json.memberIfAny("icon_url", try message.text(config.iconURL))
            json.memberIfAny("icon_emoji", try message.text(config.iconEmoji))
            json.key("attachments")
            try json.array { json in
                for one in config.attachments.isEmpty ? [config.main] : config.attachments {
                    try json.object { try write(one, message, &$0) }
                }
            }
            json.memberIfAny("type", try message.text(config.type))
            if let card = config.card {
                json.key("props")
                try json.object { $0.memberIfAny("card", try message.text(card)) }
            }
            if let priority = config.priority {
                json.key("priority")
                try json.object { try write(priority, message, &$0) }
            }
        }
        let url = try await context.secret(config.webhookURL, "webhook_url_file")
        return context.verdict(try await context.send(.json(url, body), by: transport))
    }

    private func write(
        _ attachment: MattermostConfig.Attachment, _ message: ReceiverMessage, _ json: inout JSONWriter
    ) throws {
        json.memberIfAny("fallback", try message.text(attachment.fallback))
        json.memberIfAny("color", try message.text(attachment.color))
        json.memberIfAny("pretext", try message.text(attachment.pretext))
        json.memberIfAny("text", try message.text(attachment.text))
        json.memberIfAny("author_name", try message.text(attachment.authorName))
        json.memberIfAny("author_link", try message.text(attachment.authorLink))
        json.memberIfAny("author_icon", try message.text(attachment.authorIcon))
        json.memberIfAny("title", try message.text(attachment.title))
        json.memberIfAny("title_link", try message.text(attachment.titleLink))
        if !attachment.fields.isEmpty {
            json.key("fields")
            try json.array { json in
                for field in attachment.fields {
                    try json.object { json in
                        json.member("title", try message.text(field.title))
                        json.member("value", try message.text(field.value))
                        if let isShort = field.isShort {
                            json.key("short")
                            json.bool(isShort)
                        }
                    }
                }
            }
        }
        json.memberIfAny("thumb_url", try message.text(attachment.thumbURL))
        json.memberIfAny("footer", try message.text(attachment.footer))
        json.memberIfAny("footer_icon", try message.text(attachment.footerIcon))
        json.memberIfAny("image_url", try message.text(attachment.imageURL))
    }

    /// Mattermost refuses requests for an acknowledgement or repetition with priorities that have none.
    private func write(
        _ priority: MattermostConfig.Priority, _ message: ReceiverMessage, _ json: inout JSONWriter
    ) throws {
        let wanted = GoCase.lower(try message.text(priority.priority))
        let level = ["urgent", "important"].contains(wanted) ? wanted : "standard"
        json.member("priority", level)
        if priority.requestedAck, level != "standard" {
            json.key("requested_ack")
            json.bool(true)
        }
        if priority.persistentNotifications, level == "urgent" {
            json.key("persistent_notifications")
            json.bool(true)
        }
    }
}
