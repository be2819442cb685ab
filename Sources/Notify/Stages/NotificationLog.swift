import Model

/// What one receiver was last told of one group.
package struct NotificationEntry: Sendable, Hashable {
    package var groupID: String
    /// Receiver, kind of integration and its place: `team/webhook/0`.
    package var receiver: String
    /// ms.
    package var time: Int64
    package var firing: Set<Fingerprint>
    package var resolved: Set<Fingerprint>
    /// When the entry may be forgotten, ms.
    package var expiresAt: Int64

    package init(
        groupID: String, receiver: String, time: Int64, firing: Set<Fingerprint>, resolved: Set<Fingerprint>,
        expiresAt: Int64
    ) {
        self.groupID = groupID
        self.receiver = receiver
        self.time = time
        self.firing = firing
        self.resolved = resolved
        self.expiresAt = expiresAt
    }

    struct Key: Hashable, Sendable {
        var groupID: ExactText
        var receiver: ExactText

        init(groupID: String, receiver: String) {
            self.groupID = ExactText(groupID)
            self.receiver = ExactText(receiver)
        }
    }
    var key: Key { Key(groupID: groupID, receiver: receiver) }
}

/// Why a group is notified.
package enum NotificationReason: String, Sendable {
    case firstNotification = "first notification"
    case newAlertsInGroup = "new alerts in group"
    case newResolvedAlerts = "new resolved alerts"
    case allAlertsResolved = "all alerts resolved"
    case repeatIntervalElapsed = "repeat interval elapsed"
}

/// The last notification per group and receiver, against which new ones are compared.
package struct NotificationLog: Sendable {
    private(set) var entries: [NotificationEntry.Key: NotificationEntry] = [:]

    package init() {}

    package func entry(groupID: String, receiver: String) -> NotificationEntry? {
        entries[NotificationEntry.Key(groupID: groupID, receiver: receiver)]
    }

    package mutating func record(_ entry: NotificationEntry) { entries[entry.key] = entry }

    package mutating func removeExpired(now: Int64) {
        entries = entries.filter { $0.value.expiresAt > now }
    }

    /// Why a group in this state is to be notified, or nil if nothing is new.
    package static func reason(
        last: NotificationEntry?, firing: Set<Fingerprint>, resolved: Set<Fingerprint>, sendsResolved: Bool,
        repeatInterval: Int64, now: Int64
    ) -> NotificationReason? {
        guard let last else { return firing.isEmpty ? nil : .firstNotification }
        if !firing.isSubset(of: last.firing) { return .newAlertsInGroup }
        // Independent of `send_resolved`, so that the log forgets what was firing.
        if firing.isEmpty { return last.firing.isEmpty ? nil : .allAlertsResolved }
        if sendsResolved, !resolved.isSubset(of: last.resolved) { return .newResolvedAlerts }
        return last.time < now &- repeatInterval ? .repeatIntervalElapsed : nil
    }
}
