import GoCompatibility
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
    /// The label names that it may set.
    package var nameValidation = NameValidation.utf8

    package init(pattern: AnchoredRegex) { self.pattern = pattern }

    static let standardPattern = "(.*)"

    /// Reads a rule and checks it as Prometheus does.
    private init(_ reader: MappingReader, _ scheme: NameValidation) throws(ConfigError) {
        nameValidation = scheme
        // A null means the empty text here, not the default.
        func text(_ key: String, _ standard: String) throws(ConfigError) -> String {
            reader.has(key) ? try reader.string(key, "") : standard
        }
        let actionText = GoCase.lower(try text("action", "replace"))
        if actionText.isEmpty { throw reader.place(of: "action").error("relabel action cannot be empty") }
        guard let action = Action(rawValue: actionText) else {
            throw reader.place(of: "action").error("unknown relabel action \(GoQuote.quote(actionText))")
        }
        self.action = action
        sourceLabels = try reader.strings("source_labels") ?? []
        separator = try text("separator", ";")
        targetLabel = try reader.string("target_label", "")
        modulus = try reader.unsigned("modulus") ?? 0
        replacement = try text("replacement", "$1")
        let regex = try text("regex", Self.standardPattern)
        do throws(AnchoredRegex.SyntaxError) {
            pattern = try AnchoredRegex(regex)
        } catch {
            throw reader.place(of: "regex").error("\(error)")
        }
        reader.finish()
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
        for source in reader.node("source_labels")?.elements ?? [] where source.text?.isEmpty == true && !source.isNull
        {
            throw reader.place(of: "source_labels").error("\"\" is not a valid label name")
        }
        let namesTarget: [Action] = [.hashmod, .lowercase, .uppercase, .keepequal, .dropequal]
        if namesTarget.contains(action), !isLabelName(targetLabel) {
            throw reader.place(of: "target_label").error(
                "\(GoQuote.quote(targetLabel)) is invalid 'target_label' for \(name) action")
        }
        if action == .replace, !isTemplateOfName(targetLabel) {
            throw reader.place(of: "target_label").error(
                "\(GoQuote.quote(targetLabel)) is invalid 'target_label' for \(name) action")
        }
        if action == .lowercase || action == .uppercase || action == .keepequal || action == .dropequal,
            reader.has("replacement"), replacement != "$1"
        {
            throw reader.place(of: "replacement").error("'replacement' can not be set for \(name) action")
        }
        if action == .labelmap, !isTemplateOfName(replacement) {
            throw reader.place(of: "replacement").error(
                "\(GoQuote.quote(replacement)) is invalid 'replacement' for \(name) action")
        }
        if action == .keepequal || action == .dropequal,
            reader.has("regex") || modulus != 0 || separator != ";" || replacement != "$1"
        {
            throw reader.place.error(
                "\(name) action requires only 'source_labels' and `target_label`, and no other fields")
        }
        if action == .labeldrop || action == .labelkeep,
            reader.node("source_labels")?.isNull == false || !targetLabel.isEmpty || modulus != 0 || separator != ";"
                || replacement != "$1"
        {
            throw reader.place.error("\(name) action requires only 'regex', and no other fields")
        }
    }

    /// Whether a name is valid: with `utf8` any text except the empty one; the parser has checked that it is UTF-8.
    func isLabelName(_ name: String) -> Bool {
        nameValidation == .utf8 ? !name.isEmpty : LabelName.isLegacy(name)
    }

    /// Whether a text with references to groups may result in a valid name: with `legacy`
    /// `^(?:(?:[a-zA-Z_]|\\$(?:\\{\\w+\\}|\\w+))+\\w*)+$`.
    private func isTemplateOfName(_ text: String) -> Bool {
        guard nameValidation == .legacy, text.contains("$") else { return isLabelName(text) }
        let bytes = Array(text.utf8)
        func isWord(_ at: Int) -> Bool {
            at < bytes.count && LabelName.isLegacy("_" + String(UnicodeScalar(bytes[at])))
        }
        var at = 0
        while at < bytes.count {
            if bytes[at] != UInt8(ascii: "$") {
                // The first character must not be a digit.
                guard isWord(at), at > 0 || LabelName.isLegacy(String(UnicodeScalar(bytes[at]))) else { return false }
                at += 1
                continue
            }
            let isBraced = at + 1 < bytes.count && bytes[at + 1] == UInt8(ascii: "{")
            at += isBraced ? 2 : 1
            guard isWord(at) else { return false }
            while isWord(at) { at += 1 }
            if isBraced {
                guard at < bytes.count, bytes[at] == UInt8(ascii: "}") else { return false }
                at += 1
            }
        }
        return true
    }

    /// Reads a list of rules under `key`.
    static func list(
        _ reader: MappingReader, _ key: String, empty: String, _ scheme: NameValidation = .utf8
    ) throws(ConfigError) -> [RelabelRule] {
        var rules: [RelabelRule] = []
        for node in try reader.list(key, empty: empty) {
            rules.append(try RelabelRule(try reader.child(node, "relabel.Config"), scheme))
        }
        return rules
    }
}
