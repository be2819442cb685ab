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
}
