import Model

/// The silences that are active in a period, found by the labels of an alert.
///
/// A silence with `instance="a"` is looked up by this label, so that an alert is compared with few silences. Of several
/// such labels the one with the fewest silences is taken.
package struct SilenceIndex: Sendable {
    /// The most values of a regular expression that are looked up.
    private static let mostValues = 64

    /// The times at which exactly these silences are active.
    private(set) var period: Range<Int64> = .min ..< .max
    /// Silences by a label that they require.
    private var byLabel: [Labels: [Silence]] = [:]
    /// Silences that require no known value: they are compared with every alert.
    private var others: [Silence] = []
    /// The labels in ``byLabel`` of each silence, by its id; empty for those in ``others``.
    private var places: [ExactText: [Labels]] = [:]

    /// Finds the silences that are active at `now`.
    init(_ silences: some Sequence<Silence>, at now: Int64) {
        for silence in silences { add(silence, at: now) }
    }

    /// Adds a silence if it is active at `now`, which is in ``period``, and ends the period at its next change.
    mutating func add(_ silence: Silence, at now: Int64) {
        for edge in [silence.startsAt, silence.endsAt] {
            period =
                edge <= now
                ? max(edge, period.lowerBound)..<period.upperBound : period.lowerBound..<min(edge, period.upperBound)
        }
        guard silence.state(at: now) == .active else { return }
        let found = silence.matchers.compactMap(Self.labels).min { weight($0) < weight($1) } ?? []
        places[ExactText(silence.id)] = found
        if found.isEmpty { others.append(silence) }
        for label in found { byLabel[label, default: []].append(silence) }
    }

    /// Removes a silence if it is here.
    mutating func remove(_ id: String) {
        guard let labels = places.removeValue(forKey: ExactText(id)) else { return }
        if labels.isEmpty { others.removeAll { $0.id.isExactly(id) } }
        for label in labels {
            byLabel[label]?.removeAll { $0.id.isExactly(id) }
            if byLabel[label]?.isEmpty == true { byLabel[label] = nil }
        }
    }

    private func weight(_ labels: [Labels]) -> Int { labels.reduce(labels.count) { $0 + (byLabel[$1]?.count ?? 0) } }

    /// The labels of which a matcher requires one; nil if there are too many, or if it accepts an absent label.
    private static func labels(_ matcher: Matcher) -> [Labels]? {
        var values: [String] = []
        switch (matcher.kind, matcher.pattern?.shape) {
        case (.equal, _): values = [matcher.value]
        case (.regex, .literals(let list)) where list.count <= mostValues: values = list.map(\.text)
        default: break
        }
        if values.isEmpty || values.contains(where: \.isEmpty) { return nil }
        return values.map { Labels([(matcher.name, $0)]) }
    }

    /// The silences that may mute `labels`: all others do not.
    func candidates(of labels: Labels) -> [[Silence]] {
        var found = others.isEmpty ? [] : [others]
        if byLabel.isEmpty { return found }
        labels.forEachBytes { name, value in
            var label: [UInt8] = []
            label.reserveCapacity(name.count + value.count + 2)
            Labels.appendRun(name, to: &label)
            Labels.appendRun(value, to: &label)
            if let silences = byLabel[Labels(packed: label)] { found.append(silences) }
        }
        return found
    }

    /// The ids of the silences that mute `labels`.
    package func silencers(of labels: Labels) -> [String] {
        candidates(of: labels).joined().filter { $0.matches(labels) }.map(\.id).sorted()
    }

    /// Whether a silence mutes `labels`.
    package func mutes(_ labels: Labels) -> Bool {
        candidates(of: labels).contains { $0.contains { $0.matches(labels) } }
    }
}
