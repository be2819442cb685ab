import Config
import GoTemplate
import HTTP
import JSON

/// The content of a notification, from which an integration makes its requests.
package struct ReceiverMessage: Sendable {
    /// With the first alerts, if the integration has a limit.
    package var data: NotificationData
    /// The alerts above that limit.
    package var truncatedAlerts: Int
    package var groupKey: String
    package var templates: NotificationTemplates
    /// The time of the flush, ms.
    package var time: Int64

    package init(
        data: NotificationData, truncatedAlerts: Int = 0, groupKey: String, templates: NotificationTemplates,
        time: Int64
    ) {
        self.data = data
        self.truncatedAlerts = truncatedAlerts
        self.groupKey = groupKey
        self.templates = templates
        self.time = time
    }

    init(_ notification: Notification, externalURL: String) {
        let limit = notification.integration.maxAlerts
        data = NotificationData(notification, externalURL: externalURL, maxAlerts: limit)
        truncatedAlerts = notification.alerts.count - data.alerts.count
        groupKey = notification.flush.groupKey
        templates = notification.templates
        time = notification.flush.time
    }

    package var isFiring: Bool { data.isFiring }

    /// The group's identity for services that have limits for it: the SHA-256 in hexadecimal digits.
    package var groupKeyHash: String { Digest.hex(Digest.sha256(Array(groupKey.utf8))) }

    /// The output of a template as plain text.
    package func text(_ template: TemplateText) throws(TemplateError) -> String { try text(template.text) }

    /// The output of a template as plain text.
    package func text(_ template: String) throws(TemplateError) -> String {
        template.contains("{{") ? try templates.text(template, data) : template
    }

    /// The output of a template whose values are escaped for HTML.
    package func html(_ template: TemplateText) throws(TemplateError) -> String {
        try templates.html(template.text, data)
    }

    /// The value of a structured template.
    package func json(_ tree: TemplateTree) throws(TemplateError) -> JSONValue {
        try templates.json(StructuredTemplate(tree), data)
    }
}

extension StructuredTemplate {
    package init(_ tree: TemplateTree) {
        switch tree {
        case .null: self = .constant(.null)
        case .bool(let value): self = .constant(.bool(value))
        case .integer(let value): self = .constant(.number(Double(value)))
        case .unsigned(let value): self = .constant(.number(Double(value)))
        case .number(let value): self = .constant(.number(value))
        case .text(let text): self = .text(text.text)
        case .list(let elements): self = .list(elements.map { StructuredTemplate($0) })
        case .map(let members): self = .map(members.map { ($0.key.text, StructuredTemplate($0.value)) })
        }
    }
}
