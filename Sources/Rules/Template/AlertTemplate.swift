import Model

/// A label or annotation of an alert, parsed once and expanded for every series.
package struct AlertTemplate: Sendable {
    /// What Prometheus puts in front of every template of an alert; it counts in the columns of errors.
    private static let definitions =
        "{{$labels := .Labels}}{{$externalLabels := .ExternalLabels}}{{$externalURL := .ExternalURL}}"
        + "{{$value := .Value}}"

    /// The text as it is written in the rule.
    package let text: String
    private let name: String
    private let source: [UInt8]
    private let templates: [String: [TemplateNode]]
    /// Set if there is nothing to expand.
    private let isPlain: Bool

    /// Parses a template.
    ///
    /// - Throws: Go's reason, without a prefix.
    package init(_ text: String, alert: String) throws(TemplateError) {
        self.text = text
        name = "__alert_" + alert
        isPlain = !text.utf8.contains(UInt8(ascii: "{"))
        let full = Self.definitions + text
        source = isPlain ? [] : Array(full.utf8)
        do {
            templates =
                isPlain
                ? [:] : try TemplateParser.parse(full, name: name, functions: TemplateFunctions.names)
        } catch {
            throw TemplateError("error parsing template \(name): \(error.description)")
        }
    }

    /// The text for one series.
    package func expand(_ data: TemplateData, _ functions: TemplateFunctions) throws(TemplateError) -> String {
        if isPlain { return text }
        do {
            return try TemplateEvaluator.run(
                templates, name: name, source: source, data: .data(data), functions: functions)
        } catch {
            throw TemplateError("error executing template \(name): \(error.description)")
        }
    }
}
