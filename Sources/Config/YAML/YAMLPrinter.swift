import Model

/// Prints nodes as block-style YAML.
package struct YAMLPrinter {
    /// Keys whose values nobody may see.
    private static let secrets: Set<String> = [
        "password", "credentials", "bearer_token", "client_secret", "secrets", "secret_key", "api_key", "routing_key",
        "service_key", "auth_password", "auth_secret", "bot_token", "api_url_secret", "token", "client_certificate_key",
        "proxy_connect_header",
    ]

    /// - Parameter hidesSecrets: Whether `<secret>` stands for passwords and the like; without them two texts that
    ///   differ in a password are the same.
    package static func print(_ node: YAMLNode, hidesSecrets: Bool = true) -> String {
        var out = ""
        YAMLPrinter(hidesSecrets: hidesSecrets).append(node, indent: 0, to: &out, isSecret: false)
        return out
    }

    private let hidesSecrets: Bool

    private func append(
        _ node: YAMLNode, indent: Int, to out: inout String, isSecret: Bool, parent: String = ""
    ) {
        let space = String(repeating: "  ", count: indent)
        switch node.content {
        case .scalar: out += space + scalar(node, isSecret: isSecret) + "\n"
        case .sequence(let elements):
            for element in elements {
                var inner = ""
                append(element, indent: indent + 1, to: &inner, isSecret: isSecret)
                out += space + "- " + inner.drop { $0 == " " }
            }
        case .mapping(let members):
            for (key, value) in members {
                let name = key.text ?? ""
                out += space + Self.quote(name) + ":"
                // A `key` is a secret only in TLS settings: labels may be called so.
                let hidden =
                    isSecret
                    || (hidesSecrets && (Self.secrets.contains(name) || (name == "key" && parent == "tls_config")))
                switch value.content {
                case .scalar: out += " " + scalar(value, isSecret: hidden) + "\n"
                case .sequence(let elements) where elements.isEmpty: out += " []\n"
                case .mapping(let members) where members.isEmpty: out += " {}\n"
                case .sequence:
                    out += "\n"
                    append(value, indent: indent, to: &out, isSecret: hidden)
                case .mapping:
                    out += "\n"
                    append(value, indent: indent + 1, to: &out, isSecret: hidden, parent: name)
                }
            }
        }
    }

    private func scalar(_ node: YAMLNode, isSecret: Bool) -> String {
        guard case .scalar(let text, let isPlain) = node.content else { return "" }
        if isSecret, !node.isNull { return "<secret>" }
        let shown = hidesSecrets ? URLSecret.hidden(text) : text
        if isPlain { return node.isNull ? "null" : shown }
        return Self.quote(shown)
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
