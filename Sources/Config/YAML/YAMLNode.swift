import Model

/// A YAML node with its place in the file.
package struct YAMLNode: Sendable {
    package indirect enum Content: Sendable {
        /// A text, and whether it was written without quotes (only then it can be null, a boolean or a number).
        case scalar(String, isPlain: Bool)
        case sequence([YAMLNode])
        case mapping([(key: YAMLNode, value: YAMLNode)])
    }

    package var content: Content
    package var place: ConfigPlace

    package init(_ content: Content, _ place: ConfigPlace) {
        self.content = content
        self.place = place
    }

    /// Whether the node is nothing, `~` or `null`.
    package var isNull: Bool {
        guard case .scalar(let text, isPlain: true) = content else { return false }
        return ["", "~", "null", "Null", "NULL"].contains(text)
    }

    /// The value of a scalar; nil for lists and mappings.
    var scalar: YAMLScalar? {
        if case .scalar(let text, let isPlain) = content { YAMLScalar(text, isPlain: isPlain) } else { nil }
    }

    /// The text of a scalar.
    package var text: String? { if case .scalar(let text, _) = content { text } else { nil } }

    package var elements: [YAMLNode]? { if case .sequence(let elements) = content { elements } else { nil } }

    package var members: [(key: YAMLNode, value: YAMLNode)]? {
        if case .mapping(let members) = content { members } else { nil }
    }

    /// The value of a key.
    package subscript(_ key: String) -> YAMLNode? { members?.first { $0.key.isText(key) }?.value }

    /// Whether the node is a scalar of this text, byte for byte.
    func isText(_ other: String) -> Bool { text?.isExactly(other) ?? false }

    /// The kind of the node in yaml.v2's words, for messages; without its text, which may be a secret.
    package var kind: String {
        switch content {
        case .scalar(let text, let isPlain): isNull ? "!!null" : YAMLScalar(text, isPlain: isPlain).tag
        case .sequence: "!!seq"
        case .mapping: "!!map"
        }
    }

    /// The kind of the node with the text of a scalar.
    var kindAndText: String {
        guard let text, !isNull else { return kind }
        return "\(kind) `\(text)`"
    }
}
