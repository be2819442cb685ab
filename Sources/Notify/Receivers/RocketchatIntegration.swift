import Config
import JSON

/// Posts messages with the API of Rocket.Chat.
package struct RocketchatIntegration: Integration {
    package static let kind = IntegrationKind.rocketchat
    private let config: RocketchatConfig
    private let transport: any NotificationTransport

    package init(_ config: RocketchatConfig, _ transport: any NotificationTransport) {
        self.config = config
        self.transport = transport
    }

    package var sendsResolved: Bool { config.sendResolved }

    package func attempt(_ message: ReceiverMessage, _ context: AttemptContext) async throws -> Verdict {
        let base = config.apiURL.hasSuffix("/") ? config.apiURL : config.apiURL + "/"
        let body = try ReceiverJSON.object { json in
            json.memberIfAny("channel", try message.text(config.channel))
            json.memberIfAny("emoji", try message.text(config.emoji))
            json.memberIfAny("avatar", try message.text(config.iconURL))
            json.key("attachments")
            try json.array { json in try json.object { try attachment(message, context, &$0) } }
        }
        var request = ReceiverRequest.json(base + "api/v1/chat.postMessage", body)
        request.headers.append(("X-User-Id", try await context.secret(config.tokenID, "token_id_file")))
        request.headers.append(("X-Auth-Token", try await context.secret(config.token, "token_file")))
        let answer = try await context.send(request, by: transport)
        let verdict = context.verdict(answer)
        guard verdict == .accepted else { return verdict }
        guard let json = try? JSONValue.parse(answer.body), json.object != nil else {
            return .retry("could not unmarshal JSON response: \(context.shown(answer))")
        }
        if json["success"]?.bool == true { return .accepted }
        return .refused(
            "error response from Rocketchat: \(context.hidingSecrets(in: json["error"]?.string ?? ""))")
    }

    private func attachment(
        _ message: ReceiverMessage, _ context: AttemptContext, _ json: inout JSONWriter
    ) throws {
        json.memberIfAny("title", context.cut(try message.text(config.title), "title", characters: 1024))
        json.memberIfAny("title_link", try message.text(config.titleLink))
        json.memberIfAny("text", try message.text(config.text))
        json.memberIfAny("image_url", try message.text(config.imageURL))
        json.memberIfAny("thumb_url", try message.text(config.thumbURL))
        json.memberIfAny("color", try message.text(config.color))
        if !config.fields.isEmpty {
            json.key("fields")
            try json.array { json in
                for field in config.fields {
                    try json.object { json in
                        json.key("short")
                        json.bool(field.isShort ?? config.shortFields)
                        json.memberIfAny("title", try message.text(field.title))
                        json.memberIfAny("value", try message.text(field.value))
                    }
                }
            }
        }
        if config.actions.isEmpty { return }
        json.key("actions")
        try json.array { json in
            for action in config.actions {
                try json.object { json in
                    json.member("type", "button")
                    json.memberIfAny("text", try message.text(action.text))
                    json.memberIfAny("url", try message.text(action.url))
                    json.memberIfAny("msg", try message.text(action.message))
                    json.key("is_webview")
                    json.bool(false)
                    json.key("msg_in_chat_window")
                    json.bool(false)
                }
            }
        }
    }
}
