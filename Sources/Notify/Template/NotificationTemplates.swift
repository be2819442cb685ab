import Config
import GoCompatibility
import GoTemplate
import JSON
import Model
import Platform

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
    /// The limits of one execution.
    static let limits: TemplateLimits = {
        var limits = TemplateLimits()
        limits.output = 4 << 20
        return limits
    }()
    /// The most values that a text of a structured template may become.
    private static let maximumValues = 100_000

    /// The name of a text of the configuration in errors.
    private static let textName = ""

    private var templates = TemplateSet(functions: NotificationFunctions.names)
    private let clock: any Clock

    /// Parses the files, in their order, after the default templates.
    ///
    /// A later template replaces an earlier one of its name. Each file is a template, too, named by its base name.
    package init(
        files: [(path: String, text: String)] = [], clock: any Clock = SystemClock()
    ) throws(NotificationTemplateError) {
        self.clock = clock
        for (path, text) in DefaultTemplates.files + files {
            let name = path.split(separator: "/").last.map { String($0) } ?? path
            do {
                try templates.add(text, name: name)
            } catch { throw NotificationTemplateError(error, file: path) }
        }
    }

    /// Reads the files that patterns match, in the order of the patterns, for each by name.
    ///
    /// - Throws: The error of a file that cannot be read, or the place of the first fault in one.
    package init(patterns: [String], clock: any Clock = SystemClock()) throws(ConfigError) {
        var files: [(path: String, text: String)] = []
        for pattern in patterns {
            for path in try FileGlob.expand(pattern) {
                files.append((path, String(decoding: try ConfigFile.read(path), as: UTF8.self)))
            }
        }
        do throws(NotificationTemplateError) {
            try self.init(files: files, clock: clock)
        } catch {
            throw ConfigError(
                file: error.file, line: error.line, column: error.column, message: "template: " + error.message)
        }
    }

    /// The default templates alone.
    package static let standard = NotificationTemplates(SystemClock())

    private init(_ clock: any Clock) {
        self.clock = clock
        // That they have no fault is tested.
        for (path, text) in DefaultTemplates.files { try? templates.add(text, name: path) }
    }

    /// The output of a text of the configuration, as plain text.
    package func text(_ template: String, _ data: NotificationData) throws(TemplateError) -> String {
        if !template.contains("{{") { return template }
        return try render(template, data, isHTML: false)
    }

    /// The output of a text of the configuration, with values escaped for where they are in a HTML page.
    package func html(_ template: String, _ data: NotificationData) throws(TemplateError) -> String {
        try render(template, data, isHTML: true)
    }

    private func render(
        _ template: String, _ data: NotificationData, isHTML: Bool
    ) throws(TemplateError) -> String {
        let labels = data.routeLabels
        return try render(template, data, isHTML: isHTML) { .value(.string(labels[$0] ?? "")) }
    }

    /// The output of a text, which takes labels of the route from a function.
    func render(
        _ template: String, _ data: NotificationData, isHTML: Bool,
        routeLabel: @escaping @Sendable (_ name: String) -> TemplateOutcome
    ) throws(TemplateError) -> String {
        try render(template, dot: data.dot, isHTML: isHTML, routeLabel: routeLabel)
    }

    /// The output of a text for data of any origin.
    package func render(_ template: String, _ data: NotificationFields, isHTML: Bool) throws(TemplateError) -> String {
        let labels = data.routeLabels
        return try render(template, dot: data.dot, isHTML: isHTML) {
            .value(.string(labels[ExactText($0)] ?? ""))
        }
    }

    private func render(
        _ template: String, dot: TemplateValue, isHTML: Bool,
        routeLabel: @escaping @Sendable (_ name: String) -> TemplateOutcome
    ) throws(TemplateError) -> String {
        var set = templates
        try set.add(template, name: Self.textName)
        return try set.execute(
            Self.textName, dot, functions: NotificationFunctions(now: clock.now(), routeLabel: routeLabel),
            isHTML: isHTML, limits: Self.limits)
    }

    // MARK: Structured templates

    /// The value of a structured template; members are sorted by name.
    ///
    /// The bytes of all its texts together are limited as those of one.
    package func json(
        _ structured: StructuredTemplate, _ data: NotificationData
    ) throws(TemplateError) -> JSONValue {
        var left = Self.limits.output
        return try json(structured, data, &left)
    }

    private func json(
        _ structured: StructuredTemplate, _ data: NotificationData, _ left: inout Int
    ) throws(TemplateError) -> JSONValue {
        switch structured {
        case .constant(let value): return value
        case .text(let template): return Self.reread(try text(template, data, &left))
        case .list(let elements):
            var values: [JSONValue] = []
            for element in elements { values.append(try json(element, data, &left)) }
            return .array(values)
        case .map(let members):
            var values: [(key: String, value: JSONValue)] = []
            for member in members {
                values.append((try text(member.name, data, &left), try json(member.value, data, &left)))
            }
            return Self.sorted(.object(values))
        }
    }

    private func text(
        _ template: String, _ data: NotificationData, _ left: inout Int
    ) throws(TemplateError) -> String {
        let text = try text(template, data)
        left -= text.utf8.count
        if left < 0 { throw TemplateError("output exceeds \(Self.limits.output) bytes") }
        return text
    }

    /// The value of a text that is YAML of something else than a text; otherwise the text.
    private static func reread(_ text: String) -> JSONValue {
        guard let node = try? YAMLParser.parse(Array(text.utf8), file: "") else {
            // Nothing but white space and comments is null.
            return isBlank(text) ? .null : .string(text)
        }
        guard let value = node.json(atMost: maximumValues) else { return .string(text) }
        if case .string = value { return .string(text) }
        return sorted(value)
    }

    private static func isBlank(_ text: String) -> Bool { text.unicodeScalars.allSatisfy(\.properties.isWhitespace) }

    /// The value with members sorted by name, the last of equal names, as Go encodes maps.
    private static func sorted(_ value: JSONValue) -> JSONValue {
        switch value {
        case .array(let elements): return .array(elements.map(sorted))
        case .object(let members):
            let byName = [ExactText: JSONValue](
                members.map { (ExactText($0.key), sorted($0.value)) }, uniquingKeysWith: { $1 })
            return .object(GoFormat.sorted(byName).map { (key: $0.key, value: $0.value) })
        default: return value
        }
    }

    // MARK: Checks

    /// The first fault of a text of the configuration: of its syntax, or an unknown function; nil if there is none.
    package static func check(_ template: String) -> NotificationTemplateError? {
        var set = TemplateSet(functions: NotificationFunctions.names)
        do {
            try set.add(template, name: textName)
            return nil
        } catch { return NotificationTemplateError(error, file: "") }
    }

    /// The first fault of a text of the configuration, also the name of a template that does not exist.
    package func check(_ template: String) -> NotificationTemplateError? {
        var set = templates
        do {
            try set.add(template, name: Self.textName)
        } catch { return NotificationTemplateError(error, file: "") }
        return set.missingTemplate(in: Self.textName).map { missing in
            NotificationTemplateError(
                file: "", line: missing.line, column: missing.column,
                message: "template \(GoQuote.quote(missing.name)) not defined")
        }
    }
}

extension NotificationTemplateError {
    /// A fault that parsing found.
    fileprivate init(_ error: TemplateError, file: String) {
        self.init(
            file: file, line: error.syntax?.line ?? 1, column: error.syntax?.column ?? 0,
            message: error.syntax?.message ?? error.description)
    }
}
