import Model

/// A text that is a template, expanded for each notification, with its place for the errors of its syntax.
package struct TemplateText: Sendable {
    package var text: String
    /// The place of the text; the place of its section, if it is the default.
    package var place: ConfigPlace

    package init(_ text: String, _ place: ConfigPlace) {
        self.text = text
        self.place = place
    }

    package var isEmpty: Bool { text.isEmpty }
    /// Whether the text has an action, and is not the same for all notifications.
    package var hasActions: Bool { text.contains("{{") }
}

/// A name with a template, such as a header.
package struct TemplatePair: Sendable {
    package var name: String
    package var value: TemplateText
}

/// A value of any shape whose texts, and keys of mappings, are templates.
package indirect enum TemplateTree: Sendable {
    package struct Member: Sendable {
        package var key: TemplateText
        package var value: TemplateTree
    }

    case null
    case bool(Bool)
    case integer(Int64)
    case unsigned(UInt64)
    case number(Double)
    case text(TemplateText)
    case list([TemplateTree])
    /// The members in the order of the file.
    case map([Member])

    package init(_ node: YAMLNode) {
        switch node.content {
        case .sequence(let elements): self = .list(elements.map { TemplateTree($0) })
        case .mapping: self = .map(Self.members(node))
        case .scalar(let text, _):
            switch node.scalar {
            case _ where node.isNull: self = .null
            case .bool(let isOn): self = .bool(isOn)
            case .int(let number): self = .integer(number)
            case .uint(let number): self = .unsigned(number)
            case .float(let number): self = .number(number)
            default: self = .text(TemplateText(text, node.place))
            }
        }
    }

    /// The members of a mapping whose keys are texts; other keys are dropped, as in Alertmanager.
    static func members(_ node: YAMLNode) -> [Member] {
        (node.members ?? []).compactMap { key, value in
            guard let name = key.text, !key.isNull else { return nil }
            switch key.scalar {
            case .bool, .int, .uint, .float: return nil
            default: return Member(key: TemplateText(name, key.place), value: TemplateTree(value))
            }
        }
    }
}

/// A secret, as text or in a file that is read when it is needed; empty if there is none.
package struct SecretSource: Sendable {
    package var text = ""
    /// A relative path starts at the working directory, as in Alertmanager.
    package var file = ""

    /// The text of a secret in a configuration that is shown.
    static let hidden = "<secret>"

    package init(text: String = "", file: String = "") {
        self.text = text
        self.file = file
    }

    package var isEmpty: Bool { text.isEmpty && file.isEmpty }

    /// This secret, or another one if there is none.
    func or(_ other: SecretSource) -> SecretSource { isEmpty ? other : self }
}

extension MappingReader {
    /// A template; absent and null are the default.
    func template(_ key: String, _ standard: String = "") throws(ConfigError) -> TemplateText {
        TemplateText(try string(key, standard), node(key)?.place ?? place)
    }

    /// A template of which the default calls a named one.
    func template(_ key: String, named name: String) throws(ConfigError) -> TemplateText {
        try template(key, "{{ template \"\(name)\" . }}")
    }

    /// The templates of a list, of which null is the empty one.
    func templates(_ key: String) throws(ConfigError) -> [TemplateText] {
        let texts = try strings(key) ?? []
        return zip(texts, node(key)?.elements ?? []).map { TemplateText($0, $1.place) }
    }

    /// The templates of a mapping, in the order of the file.
    func templateMap(_ key: String) throws(ConfigError) -> [TemplatePair] {
        let texts = try stringMap(key) ?? []
        return zip(texts, node(key)?.members ?? []).map { text, member in
            TemplatePair(name: text.key, value: TemplateText(text.value, member.value.place))
        }
    }

    /// The members of a mapping of any shape.
    func templateTree(_ key: String) throws(ConfigError) -> [TemplateTree.Member] {
        guard let value = node(key), !value.isNull else { return [] }
        guard value.members != nil else {
            throw value.place.error("cannot unmarshal \(value.kind) into map[string]interface {} (\(key))")
        }
        return TemplateTree.members(value)
    }

    /// An HTTP URL with a host; nil if the key is absent.
    func httpURL(_ key: String) throws(ConfigError) -> String? {
        guard let text = try string(key) else { return nil }
        try checkHTTPURL(text, key)
        return text
    }

    /// Refuses two ways to give the same value.
    func exclude(_ pair: SecretSource, _ key: String, _ fileKey: String) throws(ConfigError) {
        if !pair.text.isEmpty, !pair.file.isEmpty {
            throw place(of: fileKey).error("at most one of \(key) & \(fileKey) must be configured")
        }
    }

    /// Refuses an empty template.
    func require(_ template: TemplateText, _ key: String, _ message: String) throws(ConfigError) {
        if template.isEmpty { throw place(of: key).error(message) }
    }
}
