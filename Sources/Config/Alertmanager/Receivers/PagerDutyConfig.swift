import Model

/// One `pagerduty_configs` entry, with what it inherits from `global`.
package struct PagerDutyConfig: Sendable {
    package struct Image: Sendable {
        package var source: TemplateText
        package var alt: TemplateText
        package var href: TemplateText
    }

    package struct Link: Sendable {
        package var href: TemplateText
        package var text: TemplateText
    }

    package var place: ConfigPlace
    package var sendResolved: Bool
    package var client: HTTPClientConfig
    /// The key of Events API v2; its text is a template, and so is that of the other key.
    package var routingKey: SecretSource
    /// The key of Events API v1, which is used if it is there.
    package var serviceKey: SecretSource
    package var url: String
    package var clientName: TemplateText
    package var clientURL: TemplateText
    package var description: TemplateText
    package var severity: TemplateText
    package var source: TemplateText
    package var className: TemplateText
    package var component: TemplateText
    package var group: TemplateText
    /// With the four members that are always there.
    package var details: [TemplateTree.Member]
    package var images: [Image]
    package var links: [Link]
    /// Milliseconds; 0 for none.
    package var timeout: Int64

    private static let standardDetails = [
        ("firing", "{{ .Alerts.Firing | toJson }}"), ("resolved", "{{ .Alerts.Resolved | toJson }}"),
        ("num_firing", "{{ .Alerts.Firing | len }}"), ("num_resolved", "{{ .Alerts.Resolved | len }}"),
    ]

    init(_ node: YAMLNode, _ context: ReceiverContext) throws(ConfigError) {
        let reader = try context.reader(node, "config.PagerdutyConfig")
        place = node.place
        sendResolved = try reader.bool("send_resolved", true)
        client = try context.client(reader)
        routingKey = SecretSource(
            text: try reader.string("routing_key", ""), file: try reader.string("routing_key_file", ""))
        serviceKey = SecretSource(
            text: try reader.string("service_key", ""), file: try reader.string("service_key_file", ""))
        url = try reader.httpURL("url") ?? context.globals.pagerDutyURL
        clientName = try reader.template("client", named: "pagerduty.default.client")
        clientURL = try reader.template("client_url", named: "pagerduty.default.clientURL")
        description = try reader.template("description", named: "pagerduty.default.description")
        severity = try reader.template("severity")
        if severity.isEmpty { severity.text = "error" }
        source = try reader.template("source")
        if source.isEmpty { source = clientName }
        className = try reader.template("class")
        component = try reader.template("component")
        group = try reader.template("group")
        details = try reader.templateTree("details")
        for (name, text) in Self.standardDetails where !details.contains(where: { $0.key.text == name }) {
            details.append(
                TemplateTree.Member(key: TemplateText(name, place), value: .text(TemplateText(text, place))))
        }
        images = try context.parts(reader, try reader.list("images"), "config.PagerdutyImage", Image.init)
        links = try context.parts(reader, try reader.list("links"), "config.PagerdutyLink", Link.init)
        timeout = try reader.goDuration("timeout") ?? 0
        reader.finish()
        if routingKey.isEmpty, serviceKey.isEmpty {
            throw place.error("missing service or routing key in PagerDuty config")
        }
        try reader.exclude(routingKey, "routing_key", "routing_key_file")
        try reader.exclude(serviceKey, "service_key", "service_key_file")
        if url.isEmpty { throw place.error("no global PagerDuty URL set") }
    }
}

extension PagerDutyConfig.Image {
    init(_ reader: MappingReader) throws(ConfigError) {
        source = try reader.template("src")
        alt = try reader.template("alt")
        href = try reader.template("href")
        reader.finish()
    }
}

extension PagerDutyConfig.Link {
    init(_ reader: MappingReader) throws(ConfigError) {
        href = try reader.template("href")
        text = try reader.template("text")
        reader.finish()
    }
}
