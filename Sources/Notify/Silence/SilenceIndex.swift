import Model

/// The silences that are active in a period.
package struct SilenceIndex: Sendable {
    /// The times at which exactly these silences are active.
    private(set) var period: Range<Int64> = .min ..< .max
    private var index = MatcherIndex<Silence>()
    /// The place of each silence in ``index``, by its id.
    private var places: [ExactText: MatcherIndex<Silence>.Place] = [:]

    /// Finds the silences that are active at `now`.
    init(_ silences: some Sequence<Silence>, at now: Int64) {
        for silence in silences { add(silence, at: now) }
    }

    /// Adds a silence if it is active at `now`, which is in ``period``, and ends the period at its next change.
    mutating func add(_ silence: Silence, at now: Int64) {
        for edge in silence.edges {
            period =
                edge <= now
                ? max(edge, period.lowerBound)..<period.upperBound : period.lowerBound..<min(edge, period.upperBound)
        }
        guard silence.state(at: now) == .active else { return }
        places[ExactText(silence.id)] = index.add(silence, silence.matchers)
    }

    /// Removes a silence if it is here.
    mutating func remove(_ id: String) {
        guard let place = places.removeValue(forKey: ExactText(id)) else { return }
        index.remove(at: place) { $0.id.isExactly(id) }
    }

    /// The silences that may mute `labels`: all others do not.
    func candidates(of labels: Labels) -> [[Silence]] { index.candidates(of: labels) }

    /// The ids of the silences that mute `labels`.
    package func silencers(of labels: Labels) -> [String] {
        candidates(of: labels).joined().filter { $0.matches(labels) }.map(\.id).sorted()
    }

    /// Whether a silence mutes `labels`.
    package func mutes(_ labels: Labels) -> Bool {
        candidates(of: labels).contains { $0.contains { $0.matches(labels) } }
    }
}
