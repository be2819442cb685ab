import GoCompatibility
import Model

/// One `slack_configs` entry, with what it inherits from `global`.
package struct SlackConfig: Sendable {
    package struct Field: Sendable {
        package var title: TemplateText
        package var value: TemplateText
        /// Nil for `short_fields`.
        package var isShort: Bool?
    }

    package struct Action: Sendable {
        package var type: TemplateText
        package var text: TemplateText
        package var url: TemplateText
        package var style: TemplateText
        package var name: TemplateText
        package var value: TemplateText
        package var confirm: Confirmation?
    }

    package struct Confirmation: Sendable {
        package var text: TemplateText
        package var title: TemplateText
        package var okText: TemplateText
        package var dismissText: TemplateText
    }

    package var place: ConfigPlace
    package var sendResolved: Bool
    /// With the token of an app as authorization, if one is used.
    package var client: HTTPClientConfig
    /// The address for messages: `api_url`, or `app_url` if there is a token.
    package var url: SecretSource
    /// The token of an app; empty if none is used.
    package var token = SecretSource()
    package var channel: TemplateText
    package var username: TemplateText
    package var color: TemplateText
    package var title: TemplateText
    package var titleLink: TemplateText
    package var pretext: TemplateText
    package var text: TemplateText
    package var messageText: TemplateText
    package var footer: TemplateText
    package var fallback: TemplateText
    package var callbackID: TemplateText
    package var iconEmoji: TemplateText
    package var iconURL: TemplateText
    package var imageURL: TemplateText
    package var thumbURL: TemplateText
    package var linkNames: Bool
    package var shortFields: Bool
    package var markdownIn: [String]
    package var fields: [Field]
    package var actions: [Action]
    package var updateMessage: Bool
    /// Milliseconds; 0 for none.
    package var timeout: Int64

    /// The address of the API for tokens.
    package static let postMessage = "https://slack.com/api/chat.postMessage"

    init(_ node: YAMLNode, _ context: ReceiverContext) throws(ConfigError) {
        let reader = try context.reader(node, "config.SlackConfig")
        place = node.place
        sendResolved = try reader.bool("send_resolved", false)
        client = try context.client(reader)
        url = SecretSource(text: try reader.httpURL("api_url") ?? "", file: try reader.string("api_url_file", ""))
        channel = try reader.template("channel")
        username = try reader.template("username", named: "slack.default.username")
        color = try reader.template("color", named: "slack.default.color")
        title = try reader.template("title", named: "slack.default.title")
        titleLink = try reader.template("title_link", named: "slack.default.titlelink")
        pretext = try reader.template("pretext", named: "slack.default.pretext")
        text = try reader.template("text", named: "slack.default.text")
        messageText = try reader.template("message_text")
        footer = try reader.template("footer", named: "slack.default.footer")
        fallback = try reader.template("fallback", named: "slack.default.fallback")
        callbackID = try reader.template("callback_id", named: "slack.default.callbackid")
        iconEmoji = try reader.template("icon_emoji", named: "slack.default.iconemoji")
        iconURL = try reader.template("icon_url", named: "slack.default.iconurl")
        imageURL = try reader.template("image_url")
        thumbURL = try reader.template("thumb_url")
        linkNames = try reader.bool("link_names", false)
        shortFields = try reader.bool("short_fields", false)
        markdownIn = try reader.strings("mrkdwn_in") ?? []
        updateMessage = try reader.bool("update_message", false)
        timeout = try reader.goDuration("timeout") ?? 0
        fields = try context.parts(reader, try reader.list("fields"), "config.SlackField", Field.init)
        actions = try context.parts(reader, try reader.list("actions"), "config.SlackAction", Action.init)
        token = SecretSource(
            text: try reader.string("app_token", ""), file: try reader.string("app_token_file", ""))
        let appURL = try reader.httpURL("app_url") ?? context.globals.slackAppURL
        reader.finish()
        try checkPairs(reader)
        try setAddress(reader, context, appURL)
        if updateMessage { context.loading.unsupported(.slackUpdate, at: reader.place(of: "update_message")) }
    }

    private func checkPairs(_ reader: MappingReader) throws(ConfigError) {
        try reader.exclude(url, "api_url", "api_url_file")
        try reader.exclude(token, "app_token", "app_token_file")
        if !url.isEmpty, !token.isEmpty {
            throw place.error("at most one of api_url/api_url_file & app_token/app_token_file must be configured")
        }
        if updateMessage, !["", Self.postMessage, SecretSource.hidden].contains(url.text) {
            throw reader.place(of: "update_message").error(
                "update_message can only be used with bot tokens. api_url must be set to \(Self.postMessage)")
        }
    }

    /// Decides between tokens and URLs, own ones and those of `global`.
    private mutating func setAddress(
        _ reader: MappingReader, _ context: ReceiverContext, _ appURL: String
    ) throws(ConfigError) {
        let hasOwnAuthorization = try reader.mapping("http_config", "")?.has("authorization") ?? false
        if token.isEmpty, url.isEmpty, !hasOwnAuthorization { token = context.globals.slackAppToken }
        guard !token.isEmpty else {
            url = url.or(context.globals.slackAPIURL)
            if url.isEmpty { throw place.error("no Slack API URL nor App token set either inline or in a file") }
            return
        }
        if client.authorization != nil {
            throw place.error("http authorization can't be set when using Slack App tokens")
        }
        url = SecretSource(text: appURL)
        client.authorization = HTTPClientConfig.Authorization(credentials: token.text, credentialsFile: token.file)
    }
}

extension SlackConfig.Field {
    init(_ reader: MappingReader) throws(ConfigError) {
        title = try reader.template("title")
        value = try reader.template("value")
        isShort = try reader.bool("short")
        reader.finish()
        try reader.require(title, "title", "missing title in Slack field configuration")
        try reader.require(value, "value", "missing value in Slack field configuration")
    }
}

extension SlackConfig.Action {
    init(_ reader: MappingReader) throws(ConfigError) {
        type = try reader.template("type")
        text = try reader.template("text")
        url = try reader.template("url")
        style = try reader.template("style")
        name = try reader.template("name")
        value = try reader.template("value")
        if let section = try reader.mapping("confirm", "config.SlackConfirmationField") {
            confirm = try SlackConfig.Confirmation(section)
        }
        reader.finish()
        try reader.require(type, "type", "missing type in Slack action configuration")
        try reader.require(text, "text", "missing text in Slack action configuration")
        if url.isEmpty {
            try reader.require(name, "name", "missing name or url in Slack action configuration")
        } else {
            // A link has no use for what an interactive action has.
            (name.text, value.text, confirm) = ("", "", nil)
        }
    }
}

extension SlackConfig.Confirmation {
    init(_ reader: MappingReader) throws(ConfigError) {
        text = try reader.template("text")
        title = try reader.template("title")
        okText = try reader.template("ok_text")
        dismissText = try reader.template("dismiss_text")
        reader.finish()
        try reader.require(text, "text", "missing text in Slack confirmation configuration")
    }
}
