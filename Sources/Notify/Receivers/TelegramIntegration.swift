import Config
import GoCompatibility
import JSON
import Model

/// Sends messages as a bot of Telegram.
package struct TelegramIntegration: Integration {
    package static let kind = IntegrationKind.telegram
    /// The most characters of a message.
    private static let limit = 4096
    /// The text in place of one that is too long, of which a part could be broken HTML.
    static let notice = """
        <b>This message is too long for Telegram.</b>
        It has more than \(limit) characters: shorten its template.
        """
    private let config: TelegramConfig
    private let transport: any NotificationTransport

    package init(_ config: TelegramConfig, _ transport: any NotificationTransport) {
        self.config = config
        self.transport = transport
    }

    package var sendsResolved: Bool { config.sendResolved }

    package func attempt(_ message: ReceiverMessage, _ context: AttemptContext) async throws -> Verdict {
        let text = try text(message, context)
        let token = try await context.secret(config.botToken, "bot_token_file")
        let chat = try await chat(context)
        let body = ReceiverJSON.object { json in
            json.member("chat_id", chat)
            if config.disableNotifications { json.member("disable_notification", "true") }
            json.member("disable_web_page_preview", "true")
            if config.messageThreadID != 0 { json.member("message_thread_id", "\(config.messageThreadID)") }
            json.memberIfAny("parse_mode", config.parseMode)
            json.member("text", text)
        }
        let base = config.apiURL.hasSuffix("/") ? String(config.apiURL.dropLast()) : config.apiURL
        let answer = try await context.send(.json("\(base)/bot\(token)/sendMessage", body), by: transport)
        if answer.isSuccess, (try? JSONValue.parse(answer.body))?["ok"]?.bool != false { return .accepted }
        // The limits of Telegram are reported like mistakes, so everything is tried again.
        return .retry("telegram: \(context.unexpected(answer))")
    }

    private func chat(_ context: AttemptContext) async throws -> String {
        if config.chatIDFile.isEmpty { return "\(config.chatID)" }
        let text = try await context.content(config.chatIDFile, "chat_id_file")
        guard let id = Int64(text) else {
            return try refuse("chat_id_file \(config.chatIDFile): invalid chat id \(GoQuote.quote(text))")
        }
        return "\(id)"
    }

    private func refuse(_ reason: String) throws -> String { throw AttemptFailure(.refused(reason)) }

    private func text(_ message: ReceiverMessage, _ context: AttemptContext) throws -> String {
        let isHTML = config.parseMode == "HTML"
        let text = isHTML ? try message.html(config.message) : try message.text(config.message)
        let cut = context.cut(text, "message", characters: Self.limit)
        return isHTML && !cut.isExactly(text) ? Self.notice : cut
    }
}
