import Model

/// A user's request not to be notified of some alerts for some time.
package struct Silence: Sendable, Hashable {
    @Exact package var id: String
    /// All must accept an alert.
    package var matchers: [Matcher]
    /// ms.
    package var startsAt: Int64
    /// ms.
    package var endsAt: Int64
    /// ms.
    package var updatedAt: Int64
    @Exact package var createdBy: String
    @Exact package var comment: String

    package enum State: String, Sendable { case pending, active, expired }

    package init(
        id: String = "", matchers: [Matcher], startsAt: Int64, endsAt: Int64, updatedAt: Int64 = 0,
        createdBy: String = "", comment: String = ""
    ) {
        self.id = id
        self.matchers = matchers
        self.startsAt = startsAt
        self.endsAt = endsAt
        self.updatedAt = updatedAt
        self.createdBy = createdBy
        self.comment = comment
    }

    package func state(at now: Int64) -> State { now < startsAt ? .pending : now < endsAt ? .active : .expired }

    package func matches(_ labels: Labels) -> Bool { matchers.allSatisfy { $0.matches(labels) } }
}

/// The reason why a silence is refused, in Alertmanager's words.
package struct SilenceError: Error, CustomStringConvertible, Sendable {
    package var description: String
}

/// All silences that are pending, active or recently expired.
package struct Silences: Sendable {
    /// The time for which an expired silence is kept, ms.
    package static let retention: Int64 = 5 * 86_400_000

    package private(set) var byID: [String: Silence] = [:]
    private var index: SilenceIndex?
    /// The number of times that all silences were looked at for an index.
    private(set) var builds = 0

    package init() {}

    /// The silences that are active at `now`.
    ///
    /// It looks at all silences only if one began or ended by time since the last call.
    package mutating func active(at now: Int64) -> SilenceIndex {
        if let index, index.period.contains(now) { return index }
        let new = SilenceIndex(byID.values, at: now)
        builds += 1
        index = new
        return new
    }

    /// Sets or removes a silence; every change is made here, so that ``index`` is right.
    private mutating func put(_ id: String, _ silence: Silence?) {
        byID[id] = silence
        // It is taken out, so that it is not copied.
        guard var changed = index.take() else { return }
        changed.remove(id)
        if let silence {
            guard changed.period.contains(silence.updatedAt) else { return }
            changed.add(silence, at: silence.updatedAt)
        }
        index = changed
    }

    /// The changes that add a silence, or change one with the same id.
    ///
    /// A change of the matchers or of a past start makes a new silence and expires the old one.
    ///
    /// - Parameter newID: The id of a new silence.
    /// - Returns: All changed silences; the resulting one is first.
    package func setting(_ silence: Silence, now: Int64, newID: String) throws(SilenceError) -> [Silence] {
        var silence = silence
        silence.updatedAt = now
        guard !silence.matchers.isEmpty else { throw SilenceError(description: "at least one matcher required") }
        guard silence.matchers.contains(where: { !$0.matchesEmpty }) else {
            throw SilenceError(description: "at least one matcher must not match the empty string")
        }
        guard silence.endsAt >= silence.startsAt else {
            throw SilenceError(description: "end time must not be before start time")
        }
        guard silence.endsAt > now else { throw SilenceError(description: "end time can't be in the past") }
        var changed: [Silence] = []
        if !silence.id.isEmpty {
            guard let old = byID[silence.id] else { throw SilenceError(description: "silence not found") }
            if old.matchers == silence.matchers, old.state(at: now) != .expired,
                old.startsAt == silence.startsAt || old.state(at: now) == .pending
            {
                return [silence]
            }
            if old.state(at: now) != .expired { changed = try expiring(silence.id, now: now) }
        }
        silence.id = newID
        silence.startsAt = max(silence.startsAt, now)
        return [silence] + changed
    }

    /// The change that ends a silence now.
    package func expiring(_ id: String, now: Int64) throws(SilenceError) -> [Silence] {
        guard var silence = byID[id] else { throw SilenceError(description: "silence \(id) not found") }
        guard silence.state(at: now) != .expired else {
            throw SilenceError(description: "silence \(id) already expired")
        }
        if silence.state(at: now) == .pending { silence.startsAt = now }
        silence.endsAt = now
        silence.updatedAt = now
        return [silence]
    }

    /// Sets a silence as it was stored or as a change returned it.
    package mutating func restore(_ silence: Silence) { put(silence.id, silence) }

    mutating func remove(_ id: String) { put(id, nil) }

    /// Removes silences that expired before the retention, and returns their ids.
    package mutating func removeExpired(now: Int64) -> [String] {
        let gone = byID.values.filter { $0.endsAt < now - Self.retention }.map(\.id)
        for id in gone { put(id, nil) }
        return gone
    }
}
