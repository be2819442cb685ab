import Config
import JSON

/// A JSON value whose texts, and names of members, are templates: `payload` of a webhook, `details` of PagerDuty and
/// `fields` of Jira.
package indirect enum StructuredTemplate: Sendable {
    /// A template; a result that is YAML of something else than a text becomes that.
    case text(String)
    /// A value without templates.
    case constant(JSONValue)
    case list([StructuredTemplate])
    case map([(name: String, value: StructuredTemplate)])

    /// The template that a part of a configuration is; members whose name is no text are left out.
    package init(_ node: YAMLNode) {
        switch node.content {
        case .scalar(let text, _):
            if let value = node.json(atMost: 1), value.string == nil {
                self = .constant(value)
            } else {
                self = .text(text)
            }
        case .sequence(let elements): self = .list(elements.map { StructuredTemplate($0) })
        case .mapping(let members):
            self = .map(
                members.compactMap { member in
                    member.key.json(atMost: 1)?.string.map { ($0, StructuredTemplate(member.value)) }
                })
        }
    }
}
