import Config
import JSON

/// Posts messages to Slack: to an incoming webhook, or to the API with the token of an app.
package struct SlackIntegration: Integration {
    package static let kind = IntegrationKind.slack
    private let config: SlackConfig
    private let transport: any NotificationTransport

    package init(_ config: SlackConfig, _ transport: any NotificationTransport) {
        self.config = config
        self.transport = transport
    }

    package var sendsResolved: Bool { config.sendResolved }
    package var timeout: Int64 { config.timeout }

    package func attempt(_ message: ReceiverMessage, _ context: AttemptContext) async throws -> Verdict {
        let body = try body(message, context)
        let url = try await context.secret(config.url, "api_url_file")
        let answer = try await context.send(.json(url, body), by: transport)
        let verdict = context.verdict(answer)
        return verdict == .accepted ? judged(answer, context) : verdict
    }

    /// The meaning of a successful answer: Slack also answers so when it refuses a message.
    private func judged(_ answer: ReceiverAnswer, _ context: AttemptContext) -> Verdict {
        guard answer.isJSON else {
            return answer.text == "ok"
                ? .accepted : .refused("received an error response from Slack: \(context.shown(answer))")
        }
        guard let json = try? JSONValue.parse(answer.body), json.object != nil else {
            return .retry("could not unmarshal JSON response \(context.shown(answer))")
        }
        if json["ok"]?.bool == true { return .accepted }
        return .refused("error response from Slack: \(context.hidingSecrets(in: json["error"]?.string ?? ""))")
    }

    private func body(_ message: ReceiverMessage, _ context: AttemptContext) throws -> [UInt8] {
        try ReceiverJSON.object { json in
            json.memberIfAny("channel", try message.text(config.channel))
            json.memberIfAny("username", try message.text(config.username))
            json.memberIfAny("icon_emoji", try message.text(config.iconEmoji))
            json.memberIfAny("icon_url", try message.text(config.iconURL))
            if config.linkNames {
                json.key("link_names")
                json.bool(true)
            }
            json.memberIfAny("text", try message.text(config.messageText))
            json.key("attachments")
            try json.array { json in try json.object { try attachment(message, context, &$0) } }
        }
    }

    private func attachment(
        _ message: ReceiverMessage, _ context: AttemptContext, _ json: inout JSONWriter
    ) throws {
        json.memberIfAny("title", context.cut(try message.text(config.title), "title", characters: 1024))
        json.memberIfAny("title_link", try message.text(config.titleLink))
        json.memberIfAny("pretext", try message.text(config.pretext))
        json.member("text", try message.text(config.text))
        json.member("fallback", try message.text(config.fallback))
        json.member("callback_id", try message.text(config.callbackID))
        if !config.fields.isEmpty {
            json.key("fields")
            try json.array { json in
                for field in config.fields { try json.object { try write(field, message, &$0) } }
            }
        }
        if !config.actions.isEmpty {
            json.key("actions")
            try json.array { json in
                for action in config.actions { try json.object { try write(action, message, &$0) } }
            }
        }
        json.memberIfAny("image_url", try message.text(config.imageURL))
        json.memberIfAny("thumb_url", try message.text(config.thumbURL))
        json.member("footer", try message.text(config.footer))
        json.memberIfAny("color", try message.text(config.color))
        json.key("mrkdwn_in")
        json.array { json in
            for part in config.markdownIn.isEmpty ? ["fallback", "pretext", "text"] : config.markdownIn {
                json.string(part)
            }
        }
    }

    private func write(_ field: SlackConfig.Field, _ message: ReceiverMessage, _ json: inout JSONWriter) throws {
        json.memberIfAny("title", try message.text(field.title))
        json.memberIfAny("value", try message.text(field.value))
        json.key("short")
        json.bool(field.isShort ?? config.shortFields)
    }

    private func write(_ action: SlackConfig.Action, _ message: ReceiverMessage, _ json: inout JSONWriter) throws {
        json.memberIfAny("type", try message.text(action.type))
        json.memberIfAny("text", try message.text(action.text))
        json.memberIfAny("url", try message.text(action.url))
        json.memberIfAny("style", try message.text(action.style))
        json.memberIfAny("name", try message.text(action.name))
        json.memberIfAny("value", try message.text(action.value))
        guard let confirm = action.confirm else { return }
        json.key("confirm")
        try json.object { json in
            json.memberIfAny("text", try message.text(confirm.text))
            json.memberIfAny("title", try message.text(confirm.title))
            json.memberIfAny("ok_text", try message.text(confirm.okText))
            json.memberIfAny("dismiss_text", try message.text(confirm.dismissText))
        }
    }
}
