import Model

/// One `webex_configs` entry, with what it inherits from `global`.
package struct WebexConfig: Sendable {
    package var place: ConfigPlace
    package var sendResolved: Bool
    /// Always with authorization.
    package var client: HTTPClientConfig
    package var apiURL: String
    package var message: TemplateText
    package var recipient: TemplateText

    init(_ node: YAMLNode, _ context: ReceiverContext) throws(ConfigError) {
        let reader = try context.reader(node, "config.WebexConfig")
        place = node.place
        sendResolved = try reader.bool("send_resolved", true)
        client = try context.client(reader)
        apiURL = try reader.httpURL("api_url") ?? context.globals.webexAPIURL
        message = try reader.template("message", named: "webex.default.message")
        recipient = try reader.template("room_id")
        reader.finish()
        try reader.require(recipient, "room_id", "missing room_id on webex_config")
        if client.authorization == nil { throw place.error("missing webex_configs.http_config.authorization") }
        if apiURL.isEmpty { throw place.error("no global Webex API URL set") }
    }
}
