import Model

/// Values with matchers, found by the labels of an alert.
///
/// A value whose matchers have `instance="a"` is looked up by this label, so that an alert is compared with few values.
/// Of several such labels the one with the fewest values is taken.
struct MatcherIndex<Value: Sendable>: Sendable {
    /// The place of a value.
    struct Place: Sendable {
        /// The labels of which the matchers require one; empty if no label is known.
        fileprivate var labels: [Labels] = []
    }

    /// Values by a label that their matchers require.
    private var byLabel: [Labels: [Value]] = [:]
    /// Values whose matchers require no known label: each alert is compared with them.
    private var others: [Value] = []

    /// Adds a value, and returns its place.
    @discardableResult
    mutating func add(_ value: Value, _ matchers: [Matcher]) -> Place {
        let labels = matchers.compactMap(\.requiredLabels).min { weight($0) < weight($1) } ?? []
        if labels.isEmpty { others.append(value) }
        for label in labels { byLabel[label, default: []].append(value) }
        return Place(labels: labels)
    }

    /// Removes the values at a place for which `isGone` is true.
    mutating func remove(at place: Place, where isGone: (Value) -> Bool) {
        if place.labels.isEmpty { others.removeAll(where: isGone) }
        for label in place.labels {
            byLabel[label]?.removeAll(where: isGone)
            if byLabel[label]?.isEmpty == true { byLabel[label] = nil }
        }
    }

    private func weight(_ labels: [Labels]) -> Int { labels.reduce(labels.count) { $0 + (byLabel[$1]?.count ?? 0) } }

    /// The values whose matchers may accept `labels`: those of all others do not.
    func candidates(of labels: Labels) -> [[Value]] {
        var found = others.isEmpty ? [] : [others]
        if byLabel.isEmpty { return found }
        labels.forEachBytes { name, value in
            var label: [UInt8] = []
            label.reserveCapacity(name.count + value.count + 2)
            Labels.appendRun(name, to: &label)
            Labels.appendRun(value, to: &label)
            if let values = byLabel[Labels(packed: label)] { found.append(values) }
        }
        return found
    }
}

extension Matcher {
    /// The most values of a regular expression that are looked up.
    private static let mostValues = 64

    /// The labels of which the matcher requires one; nil if there are too many, or if it accepts an absent label.
    fileprivate var requiredLabels: [Labels]? {
        var values: [String] = []
        switch (kind, pattern?.shape) {
        case (.equal, _): values = [value]
        case (.regex, .literals(let list)) where list.count <= Self.mostValues: values = list.map(\.text)
        default: break
        }
        if values.isEmpty || values.contains(where: \.isEmpty) { return nil }
        return values.map { Labels([(name, $0)]) }
    }
}
