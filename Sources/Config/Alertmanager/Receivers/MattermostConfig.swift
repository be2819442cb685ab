import Model

/// One `mattermost_configs` entry, with what it inherits from `global`.
package struct MattermostConfig: Sendable {
    package struct Field: Sendable {
        package var title: TemplateText
        package var value: TemplateText
        package var isShort: Bool?
    }

    /// The keys that an entry and each of its attachments have.
    package struct Attachment: Sendable {
        package var fallback: TemplateText
        package var color: TemplateText
        package var pretext: TemplateText
        package var text: TemplateText
        package var authorName: TemplateText
        package var authorLink: TemplateText
        package var authorIcon: TemplateText
        package var title: TemplateText
        package var titleLink: TemplateText
        package var fields: [Field]
        package var thumbURL: TemplateText
        package var footer: TemplateText
        package var footerIcon: TemplateText
        package var imageURL: TemplateText
    }

    package struct Priority: Sendable {
        package var priority: TemplateText
        package var requestedAck: Bool
        package var persistentNotifications: Bool
    }

    package var place: ConfigPlace
    package var sendResolved: Bool
    package var client: HTTPClientConfig
    package var webhookURL: SecretSource
    package var channel: TemplateText
    package var username: TemplateText
    package var iconURL: TemplateText
    package var iconEmoji: TemplateText
    package var type: TemplateText
    /// The text of the card in `props`; nil without props.
    package var card: TemplateText?
    package var priority: Priority?
    /// The keys of the entry itself: its text, and an attachment if there are no others.
    package var main: Attachment
    package var attachments: [Attachment]

    init(_ node: YAMLNode, _ context: ReceiverContext) throws(ConfigError) {
        let reader = try context.reader(node, "config.MattermostConfig")
        place = node.place
        sendResolved = try reader.bool("send_resolved", true)
        client = try context.client(reader)
        webhookURL = SecretSource(
            text: try reader.httpURL("webhook_url") ?? "", file: try reader.string("webhook_url_file", ""))
        channel = try reader.template("channel")
        username = try reader.template("username", named: "mattermost.default.username")
        iconURL = try reader.template("icon_url")
        iconEmoji = try reader.template("icon_emoji")
        type = try reader.template("type")
        if let props = try reader.mapping("props", "config.MattermostProps") {
            card = try props.template("card")
            props.finish()
        }
        if let section = try reader.mapping("priority", "config.MattermostPriority") {
            priority = try Priority(section)
        }
        main = try Attachment(reader, isMain: true)
        attachments = []
        for node in try reader.list("attachments") {
            let section = try reader.child(node, "config.MattermostAttachment")
            attachments.append(try Attachment(section, isMain: false))
            section.finish()
        }
        reader.finish()
        try reader.exclude(webhookURL, "webhook_url", "webhook_url_file")
        webhookURL = webhookURL.or(context.globals.mattermostWebhookURL)
        if webhookURL.isEmpty {
            throw place.error("missing webhook_url or webhook_url_file on mattermost_config")
        }
    }
}

extension MattermostConfig.Attachment {
    /// - Parameter isMain: Whether these are the keys of the entry itself, which has defaults.
    init(_ reader: MappingReader, isMain: Bool) throws(ConfigError) {
        func standard(_ name: String) -> String { isMain ? "{{ template \"mattermost.default.\(name)\" . }}" : "" }
        fallback = try reader.template("fallback", standard("fallback"))
        color = try reader.template("color", standard("color"))
        pretext = try reader.template("pretext")
        text = try reader.template("text", standard("text"))
        authorName = try reader.template("author_name")
        authorLink = try reader.template("author_link")
        authorIcon = try reader.template("author_icon")
        title = try reader.template("title", standard("title"))
        titleLink = try reader.template("title_link", standard("titlelink"))
        fields = []
        for node in try reader.list("fields") {
            fields.append(try MattermostConfig.Field(try reader.child(node, "config.MattermostField")))
        }
        thumbURL = try reader.template("thumb_url")
        footer = try reader.template("footer")
        footerIcon = try reader.template("footer_icon")
        imageURL = try reader.template("image_url")
    }
}

extension MattermostConfig.Field {
    init(_ reader: MappingReader) throws(ConfigError) {
        title = try reader.template("title")
        value = try reader.template("value")
        isShort = try reader.bool("short")
        reader.finish()
        try reader.require(title, "title", "missing title in Mattermost field configuration")
        try reader.require(value, "value", "missing value in Mattermost field configuration")
    }
}

extension MattermostConfig.Priority {
    init(_ reader: MappingReader) throws(ConfigError) {
        priority = try reader.template("priority")
        requestedAck = try reader.bool("requested_ack", false)
        persistentNotifications = try reader.bool("persistent_notifications", false)
        reader.finish()
    }
}
