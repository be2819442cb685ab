import Model

/// One relabelling rule.
package struct RelabelRule: Sendable {
    package enum Action: String, Sendable {
        case replace, keep, drop, keepequal, dropequal, hashmod, labelmap, labeldrop, labelkeep, lowercase, uppercase
    }

    package var action: Action = .replace
    package var sourceLabels: [String] = []
    package var separator = ";"
    package var targetLabel = ""
    package var pattern: AnchoredRegex
    package var modulus: UInt64 = 0
    package var replacement = "$1"

    package init(pattern: AnchoredRegex) { self.pattern = pattern }

    static let standardPattern = "(.*)"

    /// Reads a rule and checks it as Prometheus does.
    init(_ node: YAMLNode) throws(ConfigError) {
        let reader = try MappingReader(node, "relabel.Config")
        let actionText = try reader.string("action", "replace").lowercased()
        guard let action = Action(rawValue: actionText) else {
            throw reader.place(of: "action").error("unknown relabel action \(GoQuote.quote(actionText))")
        }
        self.action = action
        sourceLabels = try reader.strings("source_labels") ?? []
        separator = try reader.string("separator", ";")
        targetLabel = try reader.string("target_label", "")
        let modulus = try reader.integer("modulus") ?? 0
        guard modulus >= 0 else { throw reader.place(of: "modulus").error("modulus must not be negative") }
        self.modulus = UInt64(modulus)
        replacement = reader.has("replacement") ? try reader.string("replacement", "") : "$1"
        let regex = reader.has("regex") ? try reader.string("regex", "") : Self.standardPattern
        do throws(AnchoredRegex.SyntaxError) {
            pattern = try AnchoredRegex(regex)
        } catch {
            throw reader.place(of: "regex").error("\(error)")
        }
        try reader.finish()
        try validate(reader)
    }

    private func validate(_ reader: MappingReader) throws(ConfigError) {
        let name = action.rawValue
        if action == .hashmod, modulus == 0 {
            throw reader.place.error("relabel configuration for hashmod requires non-zero modulus")
        }
        let needsTarget: [Action] = [.replace, .hashmod, .lowercase, .uppercase, .keepequal, .dropequal]
        if needsTarget.contains(action), targetLabel.isEmpty {
            throw reader.place.error("relabel configuration for \(name) action requires 'target_label' value")
        }
        for source in sourceLabels where source.isEmpty {
            throw reader.place(of: "source_labels").error("\"\" is not a valid label name")
        }
        if action == .hashmod || action == .lowercase || action == .uppercase, !Self.isLabelName(targetLabel) {
            throw reader.place(of: "target_label").error(
                "\(GoQuote.quote(targetLabel)) is invalid 'target_label' for \(name) action")
        }
        if action == .replace, !targetLabel.contains("$"), !Self.isLabelName(targetLabel) {
            throw reader.place(of: "target_label").error(
                "\(GoQuote.quote(targetLabel)) is invalid 'target_label' for \(name) action")
        }
        if action == .lowercase || action == .uppercase || action == .keepequal || action == .dropequal,
            reader.has("replacement"), replacement != "$1"
        {
            throw reader.place(of: "replacement").error("'replacement' can not be set for \(name) action")
        }
        if action == .labelmap, !replacement.contains("$"), !Self.isLabelName(replacement) {
            throw reader.place(of: "replacement").error(
                "\(GoQuote.quote(replacement)) is invalid 'replacement' for \(name) action")
        }
        if action == .keepequal || action == .dropequal,
            pattern.source != Self.standardPattern || modulus != 0 || separator != ";" || replacement != "$1"
        {
            throw reader.place.error(
                "\(name) action requires only 'source_labels' and `target_label`, and no other fields")
        }
        if action == .labeldrop || action == .labelkeep,
            !sourceLabels.isEmpty || !targetLabel.isEmpty || modulus != 0 || separator != ";" || replacement != "$1"
        {
            throw reader.place.error("\(name) action requires only 'regex', and no other fields")
        }
    }

    /// Any text but the empty one; the parser has made sure that it is UTF-8.
    static func isLabelName(_ name: String) -> Bool { !name.isEmpty }

    /// Reads a list of rules under `key`.
    static func list(_ reader: MappingReader, _ key: String, empty: String) throws(ConfigError) -> [RelabelRule] {
        var rules: [RelabelRule] = []
        for node in try reader.list(key, empty: empty) { rules.append(try RelabelRule(node)) }
        return rules
    }
}
