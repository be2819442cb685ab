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

    func isSource(_ labels: Labels) -> Bool { sourceMatchers.allSatisfy { $0.matches(labels) } }

    func isTarget(_ labels: Labels) -> Bool { targetMatchers.allSatisfy { $0.matches(labels) } }
}

/// The inhibition rules, applied to a set of alerts.
package struct Inhibitor: Sendable {
    /// The sources of a rule with the same values of the `equal` labels: only one of them is named.
    private struct Sources {
        let first: Fingerprint
        /// The first one that is no target of the rule.
        var firstNoTarget: Fingerprint?
    }

    /// The rules with one list of `equal` labels.
    private struct EqualLabels {
        let names: [String]
        /// The positions of the rules that have a source with these values, by their target matchers.
        var rules: [Labels: MatcherIndex<Int>] = [:]
    }

    /// The sources of each rule by their values of the `equal` labels.
    private var sources: [[Labels: Sources]]
    private let rules: [InhibitRule]
    private var equalLabels: [EqualLabels] = []

    /// Finds the firing sources of every rule.
    package init(rules: [InhibitRule], alerts: some Sequence<NotifiedAlert>, now: Int64) {
        self.rules = rules
        sources = rules.map { _ in [:] }
        guard !rules.isEmpty else { return }
        var sourceRules = MatcherIndex<Int>()
        var lists: [[ExactText]: Int] = [:]
        /// The position of each rule's labels in `equalLabels`.
        var places: [Int] = []
        for (index, rule) in rules.enumerated() {
            sourceRules.add(index, rule.sourceMatchers)
            let list = rule.equal.map { ExactText($0) }
            let place = lists[list] ?? equalLabels.count
            if place == equalLabels.count { equalLabels.append(EqualLabels(names: rule.equal)) }
            lists[list] = place
            places.append(place)
        }
        for alert in alerts where !alert.isResolved(at: now) {
            for index in sourceRules.candidates(of: alert.alert.labels).joined() {
                let rule = rules[index]
                guard rule.isSource(alert.alert.labels) else { continue }
                let key = alert.alert.labels.keeping(rule.equal)
                if sources[index][key]?.firstNoTarget != nil { continue }
                if sources[index][key] == nil {
                    equalLabels[places[index]].rules[key, default: MatcherIndex()].add(index, rule.targetMatchers)
                }
                sources[index][key, default: Sources(first: alert.fingerprint)].firstNoTarget =
                    rule.isTarget(alert.alert.labels) ? nil : alert.fingerprint
            }
        }
    }

    /// The alerts that mute `labels`, at most `limit`; empty if there are none.
    ///
    /// An alert that is source and target of a rule is not muted by alerts that are both, too, nor by itself.
    package func inhibitors(of labels: Labels, atMost limit: Int = .max) -> [Fingerprint] {
        var found: [Fingerprint] = []
        for index in tried(for: labels) where found.count < limit {
            let rule = rules[index]
            guard rule.isTarget(labels) else { continue }
            guard let known = sources[index][labels.keeping(rule.equal)] else { continue }
            if let source = rule.isSource(labels) ? known.firstNoTarget : known.first { found.append(source) }
        }
        return found
    }

    /// Whether an alert mutes `labels`.
    package func inhibits(_ labels: Labels) -> Bool { !inhibitors(of: labels, atMost: 1).isEmpty }

    /// The positions of the rules that have a source with the same `equal` labels and that may mute `labels`, in order.
    func tried(for labels: Labels) -> [Int] {
        var found: [Int] = []
        for list in equalLabels {
            guard let index = list.rules[labels.keeping(list.names)] else { continue }
            for rules in index.candidates(of: labels) { found += rules }
        }
        return found.sorted()
    }
}

/// The inhibition rules, applied to the alerts that fire; it is applied again when others fire.
struct KeptInhibitor: Sendable {
    private var kept: (firingSet: Int, inhibitor: Inhibitor)?
    /// The number of times that the rules were applied.
    private(set) var builds = 0

    /// The inhibitor of the alerts that fire at `now`.
    ///
    /// The rules and the owner of `alerts` must be the same at each call.
    mutating func inhibitor(_ rules: [InhibitRule], _ alerts: inout ActiveAlerts, at now: Int64) -> Inhibitor {
        let firingSet = rules.isEmpty ? 0 : alerts.firingSet(at: now)
        if let kept, kept.firingSet == firingSet { return kept.inhibitor }
        let inhibitor = Inhibitor(rules: rules, alerts: alerts.byFingerprint.values, now: now)
        builds += 1
        kept = (firingSet, inhibitor)
        return inhibitor
    }
}
