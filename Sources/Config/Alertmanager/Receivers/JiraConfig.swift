import Model

/// One `jira_configs` entry, with what it inherits from `global`.
package struct JiraConfig: Sendable {
    /// A field that an update of an issue may leave as it is.
    package struct Field: Sendable {
        package var template: TemplateText
        package var enableUpdate = true
    }

    package var place: ConfigPlace
    package var sendResolved: Bool
    package var client: HTTPClientConfig
    package var apiURL: String
    /// `auto`, `cloud` or `datacenter`.
    package var apiType: String
    package var project: TemplateText
    package var issueType: TemplateText
    package var summary: Field
    package var description: Field
    package var labels: [TemplateText]
    package var priority: TemplateText
    package var reopenTransition: TemplateText
    package var resolveTransition: TemplateText
    package var wontFixResolution: TemplateText
    /// Milliseconds; 0 for no limit.
    package var reopenDuration: Int64
    package var fields: [TemplateTree.Member]

    init(_ node: YAMLNode, _ context: ReceiverContext) throws(ConfigError) {
        let reader = try context.reader(node, "config.JiraConfig")
        place = node.place
        sendResolved = try reader.bool("send_resolved", true)
        client = try context.client(reader)
        apiURL = try reader.httpURL("api_url") ?? context.globals.jiraAPIURL
        apiType = try reader.string("api_type", "auto")
        project = try reader.template("project")
        issueType = try reader.template("issue_type")
        summary = try Field(reader, "summary", reader.node("summary"))
        description = try Field(reader, "description", reader.node("description"))
        labels = try reader.templates("labels")
        priority = try reader.template("priority", named: "jira.default.priority")
        reopenTransition = try reader.template("reopen_transition")
        resolveTransition = try reader.template("resolve_transition")
        wontFixResolution = try reader.template("wont_fix_resolution")
        reopenDuration = try reader.duration("reopen_duration", 0)
        fields = try reader.templateTree("fields")
        reader.finish()
        try reader.require(project, "project", "missing project in jira_config")
        try reader.require(issueType, "issue_type", "missing issue_type in jira_config")
        guard ["auto", "cloud", "datacenter"].contains(apiType) else {
            throw reader.place(of: "api_type").error(
                "unknown api_type on jira_config, must be auto, cloud or datacenter")
        }
        if apiURL.isEmpty { throw place.error("no global Jira Cloud URL set") }
    }
}

extension JiraConfig.Field {
    /// Reads a template alone, or a mapping with one.
    init(_ reader: MappingReader, _ key: String, _ node: YAMLNode?) throws(ConfigError) {
        guard let node, node.members != nil else {
            template = try reader.template(key, named: "jira.default.\(key)")
            return
        }
        let section = try reader.child(node, "config.JiraFieldConfig")
        template = try section.template("template", named: "jira.default.\(key)")
        enableUpdate = try section.bool("enable_update") ?? true
        section.finish()
    }
}
