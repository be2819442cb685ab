import Model

/// One `telegram_configs` entry, with what it inherits from `global`.
package struct TelegramConfig: Sendable {
    package var place: ConfigPlace
    package var sendResolved: Bool
    package var client: HTTPClientConfig
    package var apiURL: String
    package var botToken: SecretSource
    /// 0 if it is in a file.
    package var chatID: Int
    package var chatIDFile: String
    /// 0 for none.
    package var messageThreadID: Int
    package var message: TemplateText
    package var disableNotifications: Bool
    /// `HTML`, `Markdown`, `MarkdownV2` or empty.
    package var parseMode: String

    init(_ node: YAMLNode, _ context: ReceiverContext) throws(ConfigError) {
        let reader = try context.reader(node, "config.TelegramConfig")
        place = node.place
        sendResolved = try reader.bool("send_resolved", true)
        client = try context.client(reader)
        apiURL = try reader.httpURL("api_url") ?? context.globals.telegramAPIURL
        botToken = SecretSource(text: try reader.string("bot_token", ""), file: try reader.string("bot_token_file", ""))
        chatID = try reader.integer("chat_id") ?? 0
        chatIDFile = try reader.string("chat_id_file", "")
        messageThreadID = try reader.integer("message_thread_id") ?? 0
        message = try reader.template("message", named: "telegram.default.message")
        disableNotifications = try reader.bool("disable_notifications", false)
        parseMode = try reader.string("parse_mode", "HTML")
        reader.finish()
        if chatID == 0, chatIDFile.isEmpty {
            throw place.error("missing chat_id or chat_id_file on telegram_config")
        }
        if chatID != 0, !chatIDFile.isEmpty {
            throw place.error("at most one of chat_id & chat_id_file must be configured")
        }
        try reader.exclude(botToken, "bot_token", "bot_token_file")
        guard ["", "Markdown", "MarkdownV2", "HTML"].contains(parseMode) else {
            throw reader.place(of: "parse_mode").error(
                "unknown parse_mode on telegram_config, must be Markdown, MarkdownV2, HTML or empty string")
        }
        botToken = botToken.or(context.globals.telegramBotToken)
        if botToken.isEmpty { throw place.error("missing bot_token or bot_token_file on telegram_config") }
        if apiURL.isEmpty { throw place.error("no global Telegram API URL set") }
    }
}
