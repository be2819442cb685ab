import Model

/// Prints nodes as block-style YAML, with their secrets: two texts are equal only if the nodes are.
package enum YAMLPrinter {
    package static func print(_ node: YAMLNode) -> String {
        var out = ""
        append(node, indent: 0, to: &out)
        return out
    }

    private static func append(_ node: YAMLNode, indent: Int, to out: inout String) {
        let space = String(repeating: "  ", count: indent)
        switch node.content {
        case .scalar: out += space + scalar(node) + "\n"
        case .sequence(let elements):
            for element in elements {
                var inner = ""
                append(element, indent: indent + 1, to: &inner)
                out += space + "- " + inner.drop { $0 == " " }
            }
        case .mapping(let members):
            for (key, value) in members {
                out += space + quote(key.text ?? "") + ":"
                switch value.content {
                case .scalar: out += " " + scalar(value) + "\n"
                case .sequence(let elements) where elements.isEmpty: out += " []\n"
                case .mapping(let members) where members.isEmpty: out += " {}\n"
                case .sequence:
                    out += "\n"
                    append(value, indent: indent, to: &out)
                case .mapping:
                    out += "\n"
                    append(value, indent: indent + 1, to: &out)
                }
            }
        }
    }

    private static func scalar(_ node: YAMLNode) -> String {
        guard case .scalar(let text, let isPlain) = node.content else { return "" }
        if isPlain { return node.isNull ? "null" : text }
        return quote(text)
    }

    /// Text as it is if it reads back as itself, else in double quotes.
    private static func quote(_ text: String) -> String {
        let isSafe =
            !text.isEmpty
            && !["~", "null", "Null", "NULL", "true", "false", "yes", "no", "on", "off", "y", "n"].contains(
                text.lowercased())
            && text.utf8.allSatisfy {
                LabelName.isLegacy("_" + String(UnicodeScalar($0))) || [0x2D, 0x2E, 0x2F].contains($0)
            }
            && !text.hasPrefix("-") && Double(text) == nil
        return isSafe ? text : GoQuote.quote(text)
    }
}
