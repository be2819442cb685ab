import Model

/// One `pushover_configs` entry.
package struct PushoverConfig: Sendable {
    package var place: ConfigPlace
    package var sendResolved: Bool
    package var client: HTTPClientConfig
    /// The content of a file is used with the white space at its ends, and so is that of the token's.
    package var userKey: SecretSource
    package var token: SecretSource
    package var title: TemplateText
    package var message: TemplateText
    package var url: TemplateText
    package var urlTitle: TemplateText
    package var device: TemplateText
    package var sound: TemplateText
    package var priority: TemplateText
    /// Milliseconds, and so are the next two.
    package var retry: Int64
    package var expire: Int64
    package var ttl: Int64
    package var html: Bool
    package var monospace: Bool

    init(_ node: YAMLNode, _ context: ReceiverContext) throws(ConfigError) {
        let reader = try context.reader(node, "config.PushoverConfig")
        place = node.place
        sendResolved = try reader.bool("send_resolved", true)
        client = try context.client(reader)
        userKey = SecretSource(text: try reader.string("user_key", ""), file: try reader.string("user_key_file", ""))
        token = SecretSource(text: try reader.string("token", ""), file: try reader.string("token_file", ""))
        title = try reader.template("title", named: "pushover.default.title")
        message = try reader.template("message", named: "pushover.default.message")
        url = try reader.template("url", named: "pushover.default.url")
        urlTitle = try reader.template("url_title")
        device = try reader.template("device")
        sound = try reader.template("sound")
        priority = try reader.template("priority", "{{ if eq .Status \"firing\" }}2{{ else }}0{{ end }}")
        retry = try reader.goDuration("retry") ?? 60_000
        expire = try reader.goDuration("expire") ?? 3_600_000
        ttl = try reader.goDuration("ttl") ?? 0
        html = try reader.bool("html", false)
        monospace = try reader.bool("monospace", false)
        reader.finish()
        if userKey.isEmpty { throw place.error("one of user_key or user_key_file must be configured") }
        try reader.exclude(userKey, "user_key", "user_key_file")
        if token.isEmpty { throw place.error("one of token or token_file must be configured") }
        try reader.exclude(token, "token", "token_file")
        if html, monospace {
            throw reader.place(of: "monospace").error("at most one of html & monospace must be configured")
        }
    }
}
