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

/// The inhibition rules with the alerts that are their sources.
///
/// It is a value: a flush keeps a copy while sources come and go. The sources lie in many small tables, so that a change
/// copies few of them.
package struct Inhibitor: Sendable {
    /// A rule of which an alert is a source.
    struct Use: Sendable {
        fileprivate var rule: Int
        /// Whether the alert is a target of the rule, too.
        fileprivate var isTarget: Bool
    }

    /// Sources of one rule with the same values of the `equal` labels: only one of them is named, as long as it fires.
    private struct Side {
        private var orders: [Fingerprint: Int] = [:]
        private(set) var named: (fingerprint: Fingerprint, order: Int)?

        mutating func add(_ fingerprint: Fingerprint, _ order: Int) {
            orders[fingerprint] = order
            if named == nil { named = (fingerprint, order) }
        }

        mutating func remove(_ fingerprint: Fingerprint) {
            orders[fingerprint] = nil
            if named?.fingerprint == fingerprint { named = orders.first.map { ($0.key, $0.value) } }
        }
    }

    private struct Sources {
        /// The sources that are no targets of the rule.
        var pure = Side()
        /// The sources that are targets, too.
        var both = Side()
        let place: MatcherIndex<Int>.Place

        func named(pureOnly: Bool) -> Fingerprint? {
            guard !pureOnly, let other = both.named else { return pure.named?.fingerprint }
            guard let first = pure.named else { return other.fingerprint }
            return first.order < other.order ? first.fingerprint : other.fingerprint
        }
    }

    /// The sources with the same values of one list of `equal` labels.
    private struct SameValues {
        /// The positions of the rules that have such a source, by their target matchers.
        var rules = MatcherIndex<Int>()
        /// By the positions of the rules.
        var sources: [Int: Sources] = [:]
    }

    /// The rules with one list of `equal` labels.
    private struct EqualLabels {
        static let tableCount = 64

        let names: [String]
        /// By the values of the labels; the tables divide them by hash.
        private var tables = [[Labels: SameValues]](repeating: [:], count: Self.tableCount)

        init(names: [String]) { self.names = names }

        private static func table(of key: Labels) -> Int { key.hashValue & (tableCount - 1) }

        subscript(key: Labels) -> SameValues? { tables[Self.table(of: key)][key] }

        mutating func change(_ key: Labels, _ body: (inout SameValues) -> Void) {
            let table = Self.table(of: key)
            body(&tables[table][key, default: SameValues()])
            if tables[table][key]?.sources.isEmpty == true { tables[table][key] = nil }
        }
    }

    private let rules: [InhibitRule]
    private var sourceRules = MatcherIndex<Int>()
    private var equalLabels: [EqualLabels] = []
    /// The position of each rule's labels in ``equalLabels``.
    private var places: [Int] = []
    private var nextOrder = 0

    init(rules: [InhibitRule]) {
        self.rules = rules
        var lists: [[ExactText]: Int] = [:]
        for (index, rule) in rules.enumerated() {
            sourceRules.add(index, rule.sourceMatchers)
            let list = rule.equal.map { ExactText($0) }
            let place = lists[list] ?? equalLabels.count
            if place == equalLabels.count { equalLabels.append(EqualLabels(names: rule.equal)) }
            lists[list] = place
            places.append(place)
        }
    }

    /// Finds the firing sources of every rule.
    package init(rules: [InhibitRule], alerts: some Sequence<NotifiedAlert>, now: Int64) {
        self.init(rules: rules)
        for alert in alerts where !alert.isResolved(at: now) {
            add(alert.fingerprint, alert.alert.labels, uses(of: alert.alert.labels).found)
        }
    }

    // MARK: Sources

    /// The rules of which an alert with these labels is a source, and the number of rules that were compared.
    func uses(of labels: Labels) -> (found: [Use], compared: Int) {
        var found: [Use] = []
        var compared = 0
        for index in sourceRules.candidates(of: labels).joined() {
            compared += 1
            let rule = rules[index]
            if rule.isSource(labels) { found.append(Use(rule: index, isTarget: rule.isTarget(labels))) }
        }
        return (found, compared)
    }

    /// Adds an alert that fires, with its ``uses(of:)``.
    mutating func add(_ fingerprint: Fingerprint, _ labels: Labels, _ uses: [Use]) {
        for use in uses {
            let rule = rules[use.rule]
            let order = nextOrder
            nextOrder += 1
            equalLabels[places[use.rule]].change(labels.keeping(rule.equal)) { same in
                if same.sources[use.rule] == nil {
                    same.sources[use.rule] = Sources(place: same.rules.add(use.rule, rule.targetMatchers))
                }
                if use.isTarget {
                    same.sources[use.rule]?.both.add(fingerprint, order)
                } else {
                    same.sources[use.rule]?.pure.add(fingerprint, order)
                }
            }
        }
    }

    /// Removes an alert that was added with these uses.
    mutating func remove(_ fingerprint: Fingerprint, _ labels: Labels, _ uses: [Use]) {
        for use in uses {
            equalLabels[places[use.rule]].change(labels.keeping(rules[use.rule].equal)) { same in
                if use.isTarget {
                    same.sources[use.rule]?.both.remove(fingerprint)
                } else {
                    same.sources[use.rule]?.pure.remove(fingerprint)
                }
                guard let left = same.sources[use.rule], left.named(pureOnly: false) == nil else { return }
                same.rules.remove(at: left.place) { $0 == use.rule }
                same.sources[use.rule] = nil
            }
        }
    }

    // MARK: Targets

    /// The alerts that mute `labels`, at most `limit`; empty if there are none.
    ///
    /// An alert that is source and target of a rule is not muted by alerts that are both, too, nor by itself.
    package func inhibitors(of labels: Labels, atMost limit: Int = .max) -> [Fingerprint] {
        var found: [Fingerprint] = []
        for (index, sources) in candidates(for: labels) where found.count < limit {
            let rule = rules[index]
            guard rule.isTarget(labels) else { continue }
            if let source = sources.named(pureOnly: rule.isSource(labels)) { found.append(source) }
        }
        return found
    }

    /// Whether an alert mutes `labels`.
    package func inhibits(_ labels: Labels) -> Bool { !inhibitors(of: labels, atMost: 1).isEmpty }

    /// The positions of the rules that have a source with the same `equal` labels and that may mute `labels`, in order.
    func tried(for labels: Labels) -> [Int] { candidates(for: labels).map(\.rule) }

    private func candidates(for labels: Labels) -> [(rule: Int, sources: Sources)] {
        var found: [(rule: Int, sources: Sources)] = []
        for list in equalLabels {
            guard let same = list[labels.keeping(list.names)] else { continue }
            for rule in same.rules.candidates(of: labels).joined() {
                if let sources = same.sources[rule] { found.append((rule, sources)) }
            }
        }
        return found.sorted { $0.rule < $1.rule }
    }
}
