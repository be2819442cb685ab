import Model

/// The last notification of one group to one receiver.
package struct NotificationEntry: Sendable, Hashable {
    /// The value that receivers see as `groupKey`; in entries of older ledgers, the group's identity.
    @Exact package var groupKey: String
    /// Receiver, kind of integration and its place: `team/webhook/0`.
    @Exact package var receiver: String
    /// ms.
    package var time: Int64
    package var firing: Set<Fingerprint>
    package var resolved: Set<Fingerprint>
    /// The time when the entry may be removed, ms.
    package var expiresAt: Int64

    package init(
        groupKey: String, receiver: String, time: Int64, firing: Set<Fingerprint>, resolved: Set<Fingerprint>,
        expiresAt: Int64
    ) {
        self.groupKey = groupKey
        self.receiver = receiver
        self.time = time
        self.firing = firing
        self.resolved = resolved
        self.expiresAt = expiresAt
    }

    struct Key: Hashable, Sendable {
        var groupKey: ExactText
        var receiver: ExactText

        init(groupKey: String, receiver: String) {
            self.groupKey = ExactText(groupKey)
            self.receiver = ExactText(receiver)
        }
    }
    var key: Key { Key(groupKey: groupKey, receiver: receiver) }
}

/// The reason why a group is notified.
package enum NotificationReason: String, Sendable {
    case firstNotification = "first notification"
    case newAlertsInGroup = "new alerts added"
    case newResolvedAlerts = "some alerts resolved"
    case allAlertsResolved = "all alerts resolved"
    case repeatIntervalElapsed = "repeat interval elapsed"
}

/// The last notification per group and receiver, to which new ones are compared.
package struct NotificationLog: Sendable {
    private(set) var entries: [NotificationEntry.Key: NotificationEntry] = [:]

    package init() {}

    /// The last notification of a group.
    ///
    /// - Parameters:
    ///   - groupKey: The key for receivers; routes with equal matchers have the same key, at any position in the tree.
    ///   - groupID: The key of the entry in ledgers of development builds.
    package func entry(groupKey: String, groupID: String, receiver: String) -> NotificationEntry? {
        entries[NotificationEntry.Key(groupKey: groupKey, receiver: receiver)]
            ?? entries[NotificationEntry.Key(groupKey: groupID, receiver: receiver)]
    }

    package mutating func record(_ entry: NotificationEntry) { entries[entry.key] = entry }

    package mutating func removeExpired(now: Int64) {
        entries = entries.filter { $0.value.expiresAt > now }
    }

    /// The reason why a group in this state has to be notified; nil if nothing is new.
    package static func reason(
        last: NotificationEntry?, firing: Set<Fingerprint>, resolved: Set<Fingerprint>, sendsResolved: Bool,
        repeatInterval: Int64, now: Int64
    ) -> NotificationReason? {
        guard let last else { return firing.isEmpty ? nil : .firstNotification }
        if !firing.isSubset(of: last.firing) { return last.firing.isEmpty ? .firstNotification : .newAlertsInGroup }
        // This does not depend on `send_resolved`, so that the log removes alerts that are not firing any more.
        if firing.isEmpty { return last.firing.isEmpty ? nil : .allAlertsResolved }
        if sendsResolved, !resolved.isSubset(of: last.resolved) { return .newResolvedAlerts }
        return last.time < now &- repeatInterval ? .repeatIntervalElapsed : nil
    }
}
