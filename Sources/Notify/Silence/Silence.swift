import GoCompatibility
import Model

/// A user's request not to be notified of some alerts for some time.
package struct Silence: Sendable, Hashable {
    @Exact package var id: String
    /// All must accept an alert.
    package var matchers: [Matcher]
    /// ms; 0 of a new silence means now.
    package var startsAt: Int64
    /// The last ms of its time.
    package var endsAt: Int64
    /// ms.
    package var updatedAt: Int64
    @Exact package var createdBy: String
    @Exact package var comment: String
    /// Texts for tools, by name; they may be empty.
    package var annotations = Labels.empty

    package enum State: String, Sendable { case active, pending, expired }

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

    package func state(at now: Int64) -> State { now < startsAt ? .pending : now <= endsAt ? .active : .expired }

    package func matches(_ labels: Labels) -> Bool { matchers.allSatisfy { $0.matches(labels) } }

    /// The times at which the state changes.
    var edges: [Int64] { [startsAt, endsAt == .max ? .max : endsAt + 1] }

    /// The silence as it ends at `now`.
    ///
    /// Its last ms is the one before, so that it mutes nothing from now on.
    func ended(at now: Int64) -> Silence {
        var silence = self
        silence.endsAt = now &- 1
        silence.startsAt = min(silence.startsAt, silence.endsAt)
        silence.updatedAt = now
        return silence
    }
}

/// The reason why a silence is refused, in Alertmanager's words.
package struct SilenceError: Error, CustomStringConvertible, Sendable {
    package var description: String

    static let unknown = SilenceError(description: "silence not found")

    /// Whether there is no silence with the id.
    package var isUnknown: Bool { description == Self.unknown.description }

    static func invalid(_ reason: String) -> SilenceError { SilenceError(description: "invalid silence: " + reason) }
}

// MARK: Checks

extension Silence {
    /// The most bytes of a silence in the ledger.
    package static let mostBytes = 32 << 10

    /// A matcher of a request, whose expression is not compiled yet.
    package struct MatcherDraft: Sendable {
        package var name: String
        package var kind: Matcher.Kind
        package var value: String

        package init(name: String, kind: Matcher.Kind, value: String) {
            self.name = name
            self.kind = kind
            self.value = value
        }
    }

    /// Makes the matchers of a request.
    package static func matchers(
        _ drafts: [MatcherDraft], _ budget: SyntaxBudget = SyntaxBudget()
    ) throws(SilenceError) -> [Matcher] {
        var matchers: [Matcher] = []
        for (index, draft) in drafts.enumerated() {
            func wrong(_ reason: String) -> SilenceError {
                .invalid("invalid label matcher \(index) in set 0: \(reason)")
            }
            guard !draft.name.isEmpty else { throw wrong("invalid label name \(GoQuote.quote(draft.name))") }
            do throws(AnchoredRegex.SyntaxError) {
                matchers.append(try Matcher(draft.name, draft.kind, draft.value, dot: .noLineFeed, budget: budget))
            } catch {
                throw wrong("invalid regular expression \(GoQuote.quote(draft.value)): \(error)")
            }
        }
        return matchers
    }

    /// Refuses times that are not possible at `now`.
    package func checkTimes(at now: Int64) throws(SilenceError) {
        guard startsAt < endsAt else {
            throw SilenceError(description: "Failed to create silence: start time must be before end time")
        }
        guard endsAt >= now else {
            throw SilenceError(description: "Failed to create silence: end time can't be in the past")
        }
    }

    /// Refuses a silence that is not possible at `now`.
    func check(at now: Int64) throws(SilenceError) {
        try checkTimes(at: now)
        guard !matchers.isEmpty else { throw .invalid("matcher set 0 is empty") }
        let isSpecific = matchers.contains { $0.kind == .notEqual || $0.kind == .notRegex || !$0.matchesEmpty }
        guard isSpecific else {
            throw .invalid("matcher set 0: at least one matcher must not match the empty string")
        }
        let bytes = LedgerRecord.silence(self).encode().count
        if bytes > Self.mostBytes {
            throw SilenceError(
                description: "silence exceeded maximum size: \(bytes) bytes (limit: \(Self.mostBytes) bytes)")
        }
    }

    /// Whether `new` only changes what may change in place.
    func mayBecome(_ new: Silence, at now: Int64) -> Bool {
        guard matchers == new.matchers else { return false }
        func second(_ time: Int64) -> Int64 { CivilTime.floorDivide(time, 1000) }
        switch state(at: now) {
        case .active: return second(startsAt) == second(new.startsAt) && new.endsAt >= now
        case .pending: return new.startsAt >= now
        case .expired: return false
        }
    }

    /// The approximate bytes of the silence in memory, most of which may be its regular expressions.
    var cost: Int {
        let texts = [id, createdBy, comment].reduce(annotations.bytes.count) { $0 + $1.utf8.count }
        return matchers.reduce(256 + texts) { sum, matcher in
            let program = matcher.pattern.map { (4 << 10) + 16 * min($0.steps(1), 1 << 24) } ?? 0
            return sum + 64 + matcher.name.utf8.count + matcher.value.utf8.count + program
        }
    }

    /// A random UUID of version 4.
    static func newID() -> String {
        func hex(_ digits: Int) -> String {
            UInt64.random(in: 0..<(1 << (4 * UInt64(digits)))).zeroPadded(digits, radix: 16)
        }
        let variant = UInt64.random(in: 8..<12).zeroPadded(1, radix: 16)
        return "\(hex(8))-\(hex(4))-4\(hex(3))-\(variant)\(hex(3))-\(hex(12))"
    }
}
