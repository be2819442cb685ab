import Model

/// The address of a chat's webhook, which stands inline or in a file.
private func address(_ reader: MappingReader) throws(ConfigError) -> SecretSource {
    SecretSource(text: try reader.httpURL("webhook_url") ?? "", file: try reader.string("webhook_url_file", ""))
}

extension MappingReader {
    /// Refuses no address of a webhook, and two.
    fileprivate func check(_ address: SecretSource) throws(ConfigError) {
        if address.isEmpty { throw place.error("one of webhook_url or webhook_url_file must be configured") }
        try exclude(address, "webhook_url", "webhook_url_file")
    }
}

/// One `discord_configs` entry.
package struct DiscordConfig: Sendable {
    package var place: ConfigPlace
    package var sendResolved: Bool
    package var client: HTTPClientConfig
    package var webhookURL: SecretSource
    package var content: TemplateText
    package var title: TemplateText
    package var message: TemplateText
    package var username: String
    package var avatarURL: String

    init(_ node: YAMLNode, _ context: ReceiverContext) throws(ConfigError) {
        let reader = try context.reader(node, "config.DiscordConfig")
        place = node.place
        sendResolved = try reader.bool("send_resolved", true)
        client = try context.client(reader)
        webhookURL = try address(reader)
        content = try reader.template("content", named: "discord.default.content")
        title = try reader.template("title", named: "discord.default.title")
        message = try reader.template("message", named: "discord.default.message")
        username = try reader.string("username", "")
        avatarURL = try reader.string("avatar_url", "")
        reader.finish()
        try reader.check(webhookURL)
    }
}

/// One `msteams_configs` entry: a connector of Microsoft Teams.
package struct MSTeamsConfig: Sendable {
    package var place: ConfigPlace
    package var sendResolved: Bool
    package var client: HTTPClientConfig
    package var webhookURL: SecretSource
    package var title: TemplateText
    package var summary: TemplateText
    package var text: TemplateText

    init(_ node: YAMLNode, _ context: ReceiverContext) throws(ConfigError) {
        let reader = try context.reader(node, "config.MSTeamsConfig")
        place = node.place
        sendResolved = try reader.bool("send_resolved", true)
        client = try context.client(reader)
        webhookURL = try address(reader)
        title = try reader.template("title", named: "msteams.default.title")
        summary = try reader.template("summary", named: "msteams.default.summary")
        text = try reader.template("text", named: "msteams.default.text")
        reader.finish()
        try reader.check(webhookURL)
    }
}

/// One `msteamsv2_configs` entry: a workflow of Microsoft Teams.
package struct MSTeamsV2Config: Sendable {
    package var place: ConfigPlace
    package var sendResolved: Bool
    package var client: HTTPClientConfig
    package var webhookURL: SecretSource
    package var title: TemplateText
    package var text: TemplateText

    init(_ node: YAMLNode, _ context: ReceiverContext) throws(ConfigError) {
        let reader = try context.reader(node, "config.MSTeamsV2Config")
        place = node.place
        sendResolved = try reader.bool("send_resolved", true)
        client = try context.client(reader)
        // Only this kind inherits a part of the client, as since Alertmanager 0.34.
        if client.proxy.url.isEmpty, !client.proxy.isFromEnvironment {
            client.proxy.url = context.globals.client.proxy.url
        }
        webhookURL = try address(reader)
        title = try reader.template("title", named: "msteamsv2.default.title")
        text = try reader.template("text", named: "msteamsv2.default.text")
        reader.finish()
        try reader.check(webhookURL)
    }
}
