import GoCompatibility
import Model

/// One `opsgenie_configs` entry, with what it inherits from `global`.
package struct OpsGenieConfig: Sendable {
    package struct Responder: Sendable {
        package var id: TemplateText
        package var name: TemplateText
        package var username: TemplateText
        /// In lower case, if it is no template.
        package var type: TemplateText
    }

    package var place: ConfigPlace
    package var sendResolved: Bool
    package var client: HTTPClientConfig
    package var apiKey: SecretSource
    /// With a slash at the end of its path.
    package var apiURL: String
    package var message: TemplateText
    package var description: TemplateText
    package var source: TemplateText
    package var details: [TemplatePair]
    package var entity: TemplateText
    package var responders: [Responder]
    /// Separated by commas.
    package var actions: TemplateText
    /// Separated by commas.
    package var tags: TemplateText
    package var note: TemplateText
    package var priority: TemplateText
    package var updateAlerts: Bool

    init(_ node: YAMLNode, _ context: ReceiverContext) throws(ConfigError) {
        let reader = try context.reader(node, "config.OpsGenieConfig")
        place = node.place
        sendResolved = try reader.bool("send_resolved", true)
        client = try context.client(reader)
        apiKey = SecretSource(text: try reader.string("api_key", ""), file: try reader.string("api_key_file", ""))
        apiURL = ReceiverContext.withSlash(try reader.httpURL("api_url") ?? context.globals.opsGenieAPIURL)
        message = try reader.template("message", named: "opsgenie.default.message")
        description = try reader.template("description", named: "opsgenie.default.description")
        source = try reader.template("source", named: "opsgenie.default.source")
        details = try reader.templateMap("details")
        entity = try reader.template("entity")
        actions = try reader.template("actions")
        tags = try reader.template("tags")
        note = try reader.template("note")
        priority = try reader.template("priority")
        updateAlerts = try reader.bool("update_alerts", false)
        responders = try context.parts(reader, try reader.list("responders"), "config.OpsGenieConfigResponder") {
            part throws(ConfigError) in try Responder(part, context)
        }
        reader.finish()
        try reader.exclude(apiKey, "api_key", "api_key_file")
        apiKey = apiKey.or(context.globals.opsGenieAPIKey)
        if apiKey.isEmpty { throw place.error("no global OpsGenie API Key set either inline or in a file") }
        if apiURL == "/" { throw place.error("no global OpsGenie URL set") }
    }
}

extension OpsGenieConfig.Responder {
    private static let types = ["team", "teams", "user", "escalation", "schedule"]

    init(_ reader: MappingReader, _ context: ReceiverContext) throws(ConfigError) {
        id = try reader.template("id")
        name = try reader.template("name")
        username = try reader.template("username")
        type = try reader.template("type")
        reader.finish()
        let shown = "opsGenieConfig responder {\(id.text) \(name.text) \(username.text) \(type.text)}"
        if id.isEmpty, name.isEmpty, username.isEmpty {
            throw reader.place.error("\(shown) has to have at least one of id, username or name specified")
        }
        if type.hasActions {
            context.loading.checkedTemplates.append(type)
            return
        }
        type.text = GoCase.lower(type.text)
        guard Self.types.contains(where: type.text.isExactly) else {
            throw type.place.error(
                "\(shown) type does not match valid options ^(\(Self.types.joined(separator: "|")))$")
        }
    }
}
