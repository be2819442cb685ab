import Model

/// All silences that are pending, active or recently expired.
package struct Silences: Sendable {
    /// The time for which an expired silence is kept, ms.
    package static let retention: Int64 = 5 * 86_400_000
    /// The most silences, with expired ones.
    package static let most = 10_000
    /// The most bytes of all silences, as ``Silence/cost`` counts them.
    static let mostCost = 256 << 20

    package private(set) var byID: [String: Silence] = [:]
    private var index: SilenceIndex?
    /// The approximate bytes of all silences.
    private(set) var cost = 0
    /// The number of times that all silences were looked at for an index.
    private(set) var builds = 0
    /// A number of the silences that are active: it grows with each change of them.
    private(set) var changes = 0

    package init() {}

    /// The silences that are active at `now`.
    ///
    /// It looks at all silences only if one began or ended by time since the last call.
    package mutating func active(at now: Int64) -> SilenceIndex {
        if let index, index.period.contains(now) { return index }
        let new = SilenceIndex(byID.values, at: now)
        builds += 1
        changes += 1
        index = new
        return new
    }

    /// Sets or removes a silence; every change is made here, so that ``index`` is right.
    private mutating func put(_ id: String, _ silence: Silence?) {
        cost += (silence?.cost ?? 0) - (byID[id]?.cost ?? 0)
        byID[id] = silence
        changes += 1
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
        try silence.check(at: now)
        if silence.startsAt == 0 { silence.startsAt = now }
        var changed: [Silence] = []
        if !silence.id.isEmpty {
            guard let old = byID[silence.id] else { throw .unknown }
            if old.mayBecome(silence, at: now) { return [silence] }
            changed = try expiring(silence.id, now: now)
        }
        guard byID.count < Self.most else {
            throw SilenceError(
                description: "exceeded maximum number of silences: \(byID.count) (limit: \(Self.most))")
        }
        silence.id = newID
        silence.startsAt = max(silence.startsAt, now)
        guard silence.cost <= Self.mostCost - cost else {
            throw SilenceError(
                description: "exceeded maximum memory of silences: \(cost) bytes (limit: \(Self.mostCost) bytes)")
        }
        return [silence] + changed
    }

    /// The change that ends a silence now; none if it has expired.
    package func expiring(_ id: String, now: Int64) throws(SilenceError) -> [Silence] {
        guard let silence = byID[id] else { throw .unknown }
        return silence.state(at: now) == .expired ? [] : [silence.ended(at: now)]
    }

    /// All silences: active ones with the next end first, then pending ones with the next start first, then expired
    /// ones with the latest end first.
    package func listed(at now: Int64) -> [Silence] {
        func rank(_ silence: Silence) -> (state: Int, time: Int64, id: String) {
            switch silence.state(at: now) {
            case .active: (0, silence.endsAt, silence.id)
            case .pending: (1, silence.startsAt, silence.id)
            case .expired: (2, -max(silence.endsAt, -.max), silence.id)
            }
        }
        return byID.values.sorted { rank($0) < rank($1) }
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
