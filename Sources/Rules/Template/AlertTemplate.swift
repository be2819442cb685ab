import GoTemplate
import Model

/// A label or annotation of an alert, parsed once and expanded for every series.
package struct AlertTemplate: Sendable {
    /// Prometheus's text before every template of an alert; it counts in the columns of errors.
    private static let definitions =
        "{{$labels := .Labels}}{{$externalLabels := .ExternalLabels}}{{$externalURL := .ExternalURL}}"
        + "{{$value := .Value}}"

    /// The text as it is written in the rule.
    package let text: String
    private let name: String
    /// The template; nil if there is nothing to expand.
    private let template: Template?

    /// Parses a template.
    ///
    /// - Throws: Go's reason, without a prefix.
    package init(_ text: String, alert: String) throws(TemplateError) {
        self.text = text
        name = "__alert_" + alert
        let isPlain = !text.utf8.contains(UInt8(ascii: "{"))
        do {
            template =
                isPlain
                ? nil : try Template(Self.definitions + text, name: name, functions: AlertTemplateFunctions.names)
        } catch {
            throw TemplateError("error parsing template \(name): \(error.description)")
        }
    }

    /// The expanded text for one series.
    package func expand(_ data: TemplateData, _ functions: AlertTemplateFunctions) throws(TemplateError) -> String {
        guard let template else { return text }
        do {
            return try template.execute(data.object, functions: functions)
        } catch {
            throw TemplateError("error executing template \(name): \(error.description)")
        }
    }
}
