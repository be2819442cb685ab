import GoCompatibility
import Model

/// One `victorops_configs` entry, with what it inherits from `global`.
package struct VictorOpsConfig: Sendable {
    package var place: ConfigPlace
    package var sendResolved: Bool
    package var client: HTTPClientConfig
    package var apiKey: SecretSource
    /// With a slash at the end of its path.
    package var apiURL: String
    package var routingKey: TemplateText
    package var messageType: TemplateText
    package var stateMessage: TemplateText
    package var entityDisplayName: TemplateText
    package var monitoringTool: TemplateText
    package var customFields: [TemplatePair]

    private static let fixedFields: Set<String> = [
        "routing_key", "message_type", "state_message", "entity_display_name", "monitoring_tool", "entity_id",
        "entity_state",
    ]

    init(_ node: YAMLNode, _ context: ReceiverContext) throws(ConfigError) {
        let reader = try context.reader(node, "config.VictorOpsConfig")
        place = node.place
        sendResolved = try reader.bool("send_resolved", true)
        client = try context.client(reader)
        apiKey = SecretSource(text: try reader.string("api_key", ""), file: try reader.string("api_key_file", ""))
        apiURL = ReceiverContext.withSlash(try reader.httpURL("api_url") ?? context.globals.victorOpsAPIURL)
        routingKey = try reader.template("routing_key")
        messageType = try reader.template("message_type", "CRITICAL")
        stateMessage = try reader.template("state_message", named: "victorops.default.state_message")
        entityDisplayName = try reader.template(
            "entity_display_name", named: "victorops.default.entity_display_name")
        monitoringTool = try reader.template("monitoring_tool", named: "victorops.default.monitoring_tool")
        customFields = try reader.templateMap("custom_fields")
        reader.finish()
        try reader.require(routingKey, "routing_key", "missing Routing key in VictorOps config")
        try reader.exclude(apiKey, "api_key", "api_key_file")
        for field in customFields where Self.fixedFields.contains(field.name) {
            throw field.value.place.error(
                "custom field \(GoQuote.quote(field.name)) in VictorOps config has the name of a fixed field")
        }
        apiKey = apiKey.or(context.globals.victorOpsAPIKey)
        if apiKey.isEmpty { throw place.error("no global VictorOps API Key set") }
        if apiURL == "/" { throw place.error("no global VictorOps URL set") }
    }
}
