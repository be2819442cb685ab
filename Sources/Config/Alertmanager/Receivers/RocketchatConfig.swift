import Model

/// One `rocketchat_configs` entry, with what it inherits from `global`.
package struct RocketchatConfig: Sendable {
    package struct Field: Sendable {
        package var title: TemplateText
        package var value: TemplateText
        /// Nil for `short_fields`.
        package var isShort: Bool?
    }

    /// A button.
    package struct Action: Sendable {
        package var text: TemplateText
        package var url: TemplateText
        package var message: TemplateText
    }

    package var place: ConfigPlace
    package var sendResolved: Bool
    package var client: HTTPClientConfig
    package var apiURL: String
    package var token: SecretSource
    package var tokenID: SecretSource
    package var channel: TemplateText
    package var color: TemplateText
    package var title: TemplateText
    package var titleLink: TemplateText
    package var text: TemplateText
    package var emoji: TemplateText
    package var iconURL: TemplateText
    package var imageURL: TemplateText
    package var thumbURL: TemplateText
    package var fields: [Field]
    package var shortFields: Bool
    package var linkNames: Bool
    package var actions: [Action]

    init(_ node: YAMLNode, _ context: ReceiverContext) throws(ConfigError) {
        let reader = try context.reader(node, "config.RocketchatConfig")
        place = node.place
        sendResolved = try reader.bool("send_resolved", false)
        client = try context.client(reader)
        apiURL = try reader.httpURL("api_url") ?? context.globals.rocketchatAPIURL
        token = SecretSource(text: try reader.string("token", ""), file: try reader.string("token_file", ""))
        tokenID = SecretSource(text: try reader.string("token_id", ""), file: try reader.string("token_id_file", ""))
        channel = try reader.template("channel")
        color = try reader.template("color", "{{ if eq .Status \"firing\" }}red{{ else }}green{{ end }}")
        title = try reader.template("title", named: "rocketchat.default.title")
        titleLink = try reader.template("title_link", named: "rocketchat.default.titlelink")
        text = try reader.template("text", named: "rocketchat.default.text")
        emoji = try reader.template("emoji", named: "rocketchat.default.emoji")
        iconURL = try reader.template("icon_url", named: "rocketchat.default.iconurl")
        imageURL = try reader.template("image_url")
        thumbURL = try reader.template("thumb_url")
        shortFields = try reader.bool("short_fields", false)
        linkNames = try reader.bool("link_names", false)
        fields = try context.parts(
            reader, try reader.list("fields"), "config.RocketchatAttachmentField", Field.init)
        actions = try context.parts(
            reader, try reader.list("actions"), "config.RocketchatAttachmentAction", Action.init)
        reader.finish()
        try reader.exclude(token, "token", "token_file")
        try reader.exclude(tokenID, "token_id", "token_id_file")
        tokenID = tokenID.or(context.globals.rocketchatTokenID)
        if tokenID.isEmpty { throw place.error("no global Rocketchat TokenID set either inline or in a file") }
        token = token.or(context.globals.rocketchatToken)
        if token.isEmpty { throw place.error("no global Rocketchat Token set either inline or in a file") }
        if apiURL.isEmpty { throw place.error("no global Rocketchat API URL set") }
    }
}

extension RocketchatConfig.Field {
    init(_ reader: MappingReader) throws(ConfigError) {
        title = try reader.template("title")
        value = try reader.template("value")
        isShort = try reader.bool("short")
        reader.finish()
    }
}

extension RocketchatConfig.Action {
    init(_ reader: MappingReader) throws(ConfigError) {
        // Whatever it is, it becomes a button.
        _ = try reader.string("type")
        text = try reader.template("text")
        url = try reader.template("url")
        message = try reader.template("msg")
        reader.finish()
    }
}
