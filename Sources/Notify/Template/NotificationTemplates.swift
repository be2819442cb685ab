import GoTemplate
import JSON
import Model

/// The reason why a template of notifications is refused, with its place.
package struct NotificationTemplateError: Error, CustomStringConvertible, Sendable {
    /// The path; empty for a text of the configuration.
    package var file: String
    /// From 1.
    package var line: Int
    /// From 1; 0 if only the line is known.
    package var column: Int
    package var message: String

    package var description: String {
        (file.isEmpty ? "" : file + ":") + "\(line)" + (column > 0 ? ":\(column)" : "") + ": " + message
    }
}

/// The templates of notifications: the default ones and those of files, which share one space of names.
package struct NotificationTemplates: Sendable {
    /// Parses the files, in their order, after the default templates.
    ///
    /// A later template replaces an earlier one of its name. Each file is a template, too, named by its base name.
    package init(files: [(path: String, text: String)] = []) throws(NotificationTemplateError) {
    }

    /// The output of a text of the configuration, as plain text.
    package func text(_ template: String, _ data: NotificationData) throws(TemplateError) -> String {
        throw TemplateError("")
    }

    /// The output of a text of the configuration, with values escaped for where they are in a HTML page.
    package func html(_ template: String, _ data: NotificationData) throws(TemplateError) -> String {
        throw TemplateError("")
    }

    /// The value of a structured template.
    package func json(
        _ structured: StructuredTemplate, _ data: NotificationData
    ) throws(TemplateError) -> JSONValue {
        throw TemplateError("")
    }

    /// The data with the rendered labels of its route, which may refer to each other.
    package func adding(
        routeLabels: [(name: String, template: String)], to data: NotificationData
    ) throws(TemplateError) -> NotificationData {
        throw TemplateError("")
    }

    /// The first fault of a text of the configuration: of its syntax, or an unknown function; nil if there is none.
    package static func check(_ template: String) -> NotificationTemplateError? { nil }

    /// The first fault of a text of the configuration, also the name of a template that does not exist.
    package func check(_ template: String) -> NotificationTemplateError? { nil }
}
