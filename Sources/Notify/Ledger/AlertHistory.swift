import Model

/// A state of alerts in a group, as the ledger records its beginning.
package struct AlertChange: Sendable, Hashable {
    package enum State: UInt8, Sendable, CaseIterable {
        /// A receiver was notified that the alert fires.
        case notified = 1
        /// A delivery failed.
        case failed = 2
        /// A receiver was notified that the alert is resolved.
        case resolutionNotified = 3
        case silenced = 4
        case inhibited = 5
        /// A mute time interval of the route contains the time.
        case muted = 6
        /// No active time interval of the route contains the time.
        case inactive = 7
        /// The receiver has no integrations.
        case unread = 8
        /// The alert ended before a receiver was notified of it.
        case endedUnnotified = 9
        /// The alert ended, and the receiver is not notified of resolved alerts.
        case endedSilently = 10

        package var name: String {
            switch self {
            case .notified: "notified"
            case .failed: "failed"
            case .resolutionNotified: "resolution_notified"
            case .silenced: "silenced"
            case .inhibited: "inhibited"
            case .muted: "muted"
            case .inactive: "outside_active_time"
            case .unread: "no_integrations"
            case .endedUnnotified: "resolved_before_notified"
            case .endedSilently: "resolution_not_sent"
            }
        }

        /// Whether it is the result of a delivery, which differs between the integrations of a receiver.
        fileprivate var isDelivery: Bool { self == .notified || self == .failed || self == .resolutionNotified }
    }

    /// ms since the epoch.
    package var time: Int64
    package var state: State
    @Exact package var groupKey: String
    /// The receiver, or for the result of a delivery the integration: `receiver/webhook/0`.
    @Exact package var target: String
    /// The ids of silences, fingerprints of alerts or names of time intervals that cause the state.
    @Exact package var causes: [String]

    package init(time: Int64, state: State, groupKey: String, target: String, causes: [String] = []) {
        self.time = time
        self.state = state
        self.groupKey = groupKey
        self.target = target
        // A change has few causes; more would not help a reader.
        self.causes = Array(causes.prefix(Self.causesKept))
    }

    private static let causesKept = 8

    /// Whether `later` is no news after this one.
    func isRepeated(by later: AlertChange) -> Bool {
        guard state == later.state, groupKey.isExactly(later.groupKey), target.isExactly(later.target) else {
            return false
        }
        // Of several alerts that inhibit one, any may be named.
        return state == .inhibited || causes.elementsEqual(later.causes) { $0.isExactly($1) }
    }

    func write(to out: inout LedgerWriter) {
        out.integer(time)
        out.byte(state.rawValue)
        out.string(groupKey)
        out.string(target)
        out.integer(Int64(causes.count))
        for cause in causes { out.string(cause) }
    }

    init?(_ input: inout LedgerReader) {
        guard let time = input.integer(), let state = input.byte().flatMap(State.init), let group = input.string(),
            let target = input.string(), let count = input.integer(), count >= 0, count <= Int64(Self.causesKept)
        else { return nil }
        var causes: [String] = []
        for _ in 0..<count {
            guard let cause = input.string() else { return nil }
            causes.append(cause)
        }
        self.init(time: time, state: state, groupKey: group, target: target, causes: causes)
    }

    /// The bytes of memory that the change takes, about.
    fileprivate var size: Int { 100 + causes.reduce(0) { $0 + 16 + $1.utf8.count } }
}

/// The last changes of one alert's state in its groups.
package struct AlertHistory: Sendable, Hashable {
    /// The most changes of one alert that are kept.
    static let changesKept = 16

    package var labels: Labels
    /// ms since the epoch.
    package var startsAt: Int64
    /// ms since the epoch; 0 while the alert is known.
    package var endsAt: Int64
    /// The oldest first.
    package private(set) var changes: [AlertChange]

    package init(labels: Labels, startsAt: Int64, endsAt: Int64 = 0, changes: [AlertChange] = []) {
        self.labels = labels
        self.startsAt = startsAt
        self.endsAt = endsAt
        self.changes = Array(changes.suffix(Self.changesKept))
    }

    /// Whether a change is no repetition of the state that the alert has in the group.
    ///
    /// The results of deliveries by several integrations stand side by side.
    func isNew(_ change: AlertChange) -> Bool {
        for old in changes.reversed() where old.groupKey.isExactly(change.groupKey) {
            if old.isRepeated(by: change) { return false }
            let isOther = old.state.isDelivery && change.state.isDelivery && !old.target.isExactly(change.target)
            if !isOther { return true }
        }
        return true
    }

    mutating func add(_ change: AlertChange) {
        if changes.count >= Self.changesKept { changes.removeFirst() }
        changes.append(change)
    }

    var size: Int { 200 + labels.bytes.count + changes.reduce(0) { $0 + $1.size } }
    var lastTime: Int64 { changes.last?.time ?? startsAt }

    func write(to out: inout LedgerWriter) {
        out.bytes(labels.bytes)
        out.integer(startsAt)
        out.integer(endsAt)
        out.integer(Int64(changes.count))
        for change in changes { change.write(to: &out) }
    }

    init?(_ input: inout LedgerReader) {
        guard let labels = input.bytes(), let startsAt = input.integer(), let endsAt = input.integer(),
            let count = input.integer(), count >= 0, count <= Int64(Self.changesKept)
        else { return nil }
        var changes: [AlertChange] = []
        for _ in 0..<count {
            guard let change = AlertChange(&input) else { return nil }
            changes.append(change)
        }
        self.init(labels: Labels(packed: labels), startsAt: startsAt, endsAt: endsAt, changes: changes)
    }
}

/// The histories of alerts, of which those that changed last are kept, limited in number and in bytes.
package struct AlertHistories: Sendable {
    /// The number of alerts.
    static let kept = 20_000
    /// The bytes that their histories may take.
    static let bytes = 16 << 20

    package private(set) var byFingerprint: [Fingerprint: AlertHistory] = [:]
    /// The size of all histories, bytes.
    private var size = 0

    package init() {}

    /// The alerts of `fingerprints` for which a change is news.
    func news(_ change: AlertChange, of fingerprints: [Fingerprint]) -> [Fingerprint] {
        fingerprints.filter { byFingerprint[$0]?.isNew(change) ?? true }
    }

    /// Adds a change of alerts; those that are in neither list are unknown.
    mutating func add(_ change: AlertChange, of fingerprints: [Fingerprint], _ alerts: ActiveAlerts) {
        for fingerprint in fingerprints {
            let alert = alerts.byFingerprint[fingerprint]?.alert
            // It is taken out, so that it is changed in place.
            let old = byFingerprint.removeValue(forKey: fingerprint)
            guard
                var history = old ?? alert.map({ AlertHistory(labels: $0.labels, startsAt: $0.startsAt) })
            else { continue }
            size -= old?.size ?? 0
            if let alert { (history.startsAt, history.endsAt) = (alert.startsAt, 0) }
            history.add(change)
            put(fingerprint, history)
        }
        trim()
    }

    /// Sets a history as it was stored.
    mutating func restore(_ history: AlertHistory) {
        let fingerprint = Fingerprint(history.labels)
        size -= byFingerprint.removeValue(forKey: fingerprint)?.size ?? 0
        put(fingerprint, history)
        trim()
    }

    private mutating func put(_ fingerprint: Fingerprint, _ history: AlertHistory) {
        size += history.size
        byFingerprint[fingerprint] = history
    }

    /// Notes the times of an alert that is not known any more.
    mutating func end(_ alert: NotifiedAlert) {
        byFingerprint[alert.fingerprint]?.startsAt = alert.alert.startsAt
        byFingerprint[alert.fingerprint]?.endsAt = alert.alert.endsAt
    }

    /// Removes the histories that changed longest ago.
    private mutating func trim() {
        // Not each change sorts all alerts.
        guard byFingerprint.count > Self.kept * 2 || size > Self.bytes * 2 else { return }
        byFingerprint = Dictionary(uniqueKeysWithValues: limited.map { (Fingerprint($0.labels), $0) })
        size = byFingerprint.values.reduce(0) { $0 + $1.size }
    }

    /// The histories within the limits.
    var limited: [AlertHistory] {
        if byFingerprint.count <= Self.kept, size <= Self.bytes { return Array(byFingerprint.values) }
        var left = Self.bytes
        let newest = byFingerprint.values.sorted { ($0.lastTime, $0.labels) > ($1.lastTime, $1.labels) }
        return Array(
            newest.prefix(Self.kept).prefix { history in
                left -= history.size
                return left >= 0
            })
    }
}
