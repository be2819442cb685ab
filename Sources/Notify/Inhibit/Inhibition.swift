import Model

/// Mutes alerts while others fire.
package struct InhibitRule: Sendable {
    package var sourceMatchers: [Matcher]
    package var targetMatchers: [Matcher]
    /// Labels whose values must be equal in source and target; a missing label equals an empty one.
    package var equal: [String]

    package init(sourceMatchers: [Matcher], targetMatchers: [Matcher], equal: [String]) {
        self.sourceMatchers = sourceMatchers
        self.targetMatchers = targetMatchers
        self.equal = equal
    }
}

/// The inhibition rules, applied to a set of alerts.
package struct Inhibitor: Sendable {
    /// The sources of one rule by their values of the `equal` labels.
    private var sources: [[Labels: [NotifiedAlert]]]
    private let rules: [InhibitRule]

    /// Finds the firing sources of every rule.
    package init(rules: [InhibitRule], alerts: some Sequence<NotifiedAlert>, now: Int64) {
        self.rules = rules
        sources = rules.map { _ in [:] }
        guard !rules.isEmpty else { return }
        for alert in alerts where !alert.isResolved(at: now) {
            for (index, rule) in rules.enumerated()
            where rule.sourceMatchers.allSatisfy({ $0.matches(alert.alert.labels) }) {
                sources[index][alert.alert.labels.keeping(rule.equal), default: []].append(alert)
            }
        }
    }

    /// The alerts that mute `labels`; empty if there are none.
    ///
    /// An alert that is source and target of a rule is not muted by alerts that are both, too, nor by itself.
    package func inhibitors(of labels: Labels) -> [Fingerprint] {
        var found: [Fingerprint] = []
        for (index, rule) in rules.enumerated() where rule.targetMatchers.allSatisfy({ $0.matches(labels) }) {
            let isSource = rule.sourceMatchers.allSatisfy { $0.matches(labels) }
            for source in sources[index][labels.keeping(rule.equal)] ?? [] {
                let isTarget = rule.targetMatchers.allSatisfy { $0.matches(source.alert.labels) }
                if isSource && isTarget { continue }
                found.append(source.fingerprint)
                break
            }
        }
        return found
    }
}
