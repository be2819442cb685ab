import GoCompatibility
import Model

/// Applies relabelling rules.
package enum Relabel {
    /// Changes `labels` by the rules in order.
    ///
    /// - Returns: False if a rule drops the set; the further rules are then not applied.
    package static func apply(_ rules: [RelabelRule], to labels: inout LabelsBuilder) -> Bool {
        for rule in rules where !apply(rule, to: &labels) { return false }
        return true
    }

    private static func value(_ rule: RelabelRule, _ labels: LabelsBuilder) -> String {
        if rule.sourceLabels.count == 1 { return labels.get(rule.sourceLabels[0]) }
        return rule.sourceLabels.map { labels.get($0) }.joined(separator: rule.separator)
    }

    private static func apply(_ rule: RelabelRule, to labels: inout LabelsBuilder) -> Bool {
        switch rule.action {
        case .keep: return rule.pattern.matches(value(rule, labels))
        case .drop: return !rule.pattern.matches(value(rule, labels))
        case .keepequal: return labels.get(rule.targetLabel).isExactly(value(rule, labels))
        case .dropequal: return !labels.get(rule.targetLabel).isExactly(value(rule, labels))
        case .replace: replace(rule, &labels)
        case .hashmod:
            let digest = MD5.hash(Array(value(rule, labels).utf8))
            let number = digest[8..<16].reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
            labels.set(rule.targetLabel, String(rule.modulus > 0 ? number % rule.modulus : 0))
        case .labelmap:
            labels.set(
                labels.current.compactMap { label in
                    rule.pattern.expand(rule.replacement, matching: label.name).map {
                        Label(name: $0, value: label.value)
                    }
                })
        case .labeldrop: labels.removeAll { rule.pattern.matches($0) }
        case .labelkeep: labels.removeAll { !rule.pattern.matches($0) }
        case .lowercase: labels.set(rule.targetLabel, GoCase.lower(value(rule, labels)))
        case .uppercase: labels.set(rule.targetLabel, GoCase.upper(value(rule, labels)))
        }
        return true
    }

    private static func replace(_ rule: RelabelRule, _ labels: inout LabelsBuilder) {
        let value = value(rule, labels)
        // The common assignment of a constant needs no regular expression.
        if value.isEmpty, rule.pattern.source == RelabelRule.standardPattern, !rule.replacement.contains("$"),
            !rule.targetLabel.contains("$")
        {
            labels.set(rule.targetLabel, rule.replacement)
            return
        }
        guard let replacement = rule.pattern.expand(rule.replacement, matching: value) else { return }
        let target =
            rule.targetLabel.contains("$")
            ? rule.pattern.expand(rule.targetLabel, matching: value) ?? "" : rule.targetLabel
        if rule.isLabelName(target) { labels.set(target, replacement) }
    }
}
