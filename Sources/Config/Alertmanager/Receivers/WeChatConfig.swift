import GoCompatibility
import Model

/// One `wechat_configs` entry, with what it inherits from `global`.
package struct WeChatConfig: Sendable {
    package var place: ConfigPlace
    package var sendResolved: Bool
    package var client: HTTPClientConfig
    package var apiSecret: SecretSource
    package var corpID: TemplateText
    /// With a slash at the end of its path.
    package var apiURL: String
    package var message: TemplateText
    package var toUser: TemplateText
    package var toParty: TemplateText
    package var toTag: TemplateText
    package var agentID: TemplateText
    /// `text` or `markdown`.
    package var messageType: String

    init(_ node: YAMLNode, _ context: ReceiverContext) throws(ConfigError) {
        let reader = try context.reader(node, "config.WechatConfig")
        place = node.place
        sendResolved = try reader.bool("send_resolved", false)
        client = try context.client(reader)
        apiSecret = SecretSource(
            text: try reader.string("api_secret", ""), file: try reader.string("api_secret_file", ""))
        corpID = try reader.template("corp_id")
        apiURL = ReceiverContext.withSlash(try reader.httpURL("api_url") ?? context.globals.weChatAPIURL)
        message = try reader.template("message", named: "wechat.default.message")
        toUser = try reader.template("to_user", named: "wechat.default.to_user")
        toParty = try reader.template("to_party", named: "wechat.default.to_party")
        toTag = try reader.template("to_tag", named: "wechat.default.to_tag")
        agentID = try reader.template("agent_id", named: "wechat.default.agent_id")
        messageType = try reader.string("message_type", "")
        if messageType.isEmpty { messageType = "text" }
        reader.finish()
        guard ["text", "markdown"].contains(messageType) else {
            throw reader.place(of: "message_type").error(
                "weChat message type \(GoQuote.quote(messageType)) does not match valid options ^(text|markdown)$")
        }
        try reader.exclude(apiSecret, "api_secret", "api_secret_file")
        apiSecret = apiSecret.or(context.globals.weChatAPISecret)
        if apiSecret.isEmpty { throw place.error("no global Wechat Api Secret set either inline or in a file") }
        if corpID.isEmpty { corpID.text = context.globals.weChatCorpID }
        if corpID.isEmpty { throw place.error("no global Wechat CorpID set") }
        if apiURL == "/" { throw place.error("no global Wechat URL set") }
    }
}
