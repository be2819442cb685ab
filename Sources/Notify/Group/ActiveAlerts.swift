import Model

/// An alert as the notifier stores it.
package struct NotifiedAlert: Sendable, Hashable {
    package var alert: Alert
    package var fingerprint: Fingerprint
    /// Whether its end was not sent but assumed, ``resolve_timeout`` after the last update.
    package var endIsAssumed: Bool

    package init(_ alert: Alert, endIsAssumed: Bool = false) {
        self.alert = alert
        fingerprint = Fingerprint(alert.labels)
        self.endIsAssumed = endIsAssumed
    }

    package func isResolved(at now: Int64) -> Bool { alert.isResolved(at: now) }
}

/// All alerts that are firing or were resolved recently, by identity.
package struct ActiveAlerts: Sendable {
    package private(set) var byFingerprint: [Fingerprint: NotifiedAlert] = [:]
    /// The bytes of the texts of all alerts.
    private(set) var bytes = 0
    /// The alerts that were set or removed since the last ``takeChanges()``; nil means all.
    private var changed: Set<Fingerprint>?

    package init() {}

    /// The alerts that were set or removed since the last call; nil if all may have been.
    mutating func takeChanges() -> Set<Fingerprint>? {
        defer { changed = [] }
        return changed
    }

    /// Sets or removes an alert; every change is made here, so that ``changed`` is complete.
    private mutating func put(_ fingerprint: Fingerprint, _ alert: NotifiedAlert?) {
        let old = byFingerprint[fingerprint]
        byFingerprint[fingerprint] = alert
        bytes += (alert?.alert.bytes ?? 0) - (old?.alert.bytes ?? 0)
        changed?.insert(fingerprint)
        // Without a reader it must not grow.
        if let count = changed?.count, count > 2 * byFingerprint.count + 1024 { changed = nil }
    }

    /// Applies an update, and returns the resulting alert.
    ///
    /// The rules are Alertmanager's: an update whose time overlaps the known alert keeps the earliest start, and an end
    /// that was sent has precedence over an assumed one.
    ///
    /// - Parameter resolveTimeout: The time after an update at which an alert without an end is resolved, ms.
    package mutating func update(_ update: Alert, now: Int64, resolveTimeout: Int64) -> NotifiedAlert {
        var alert = update
        alert.updatedAt = now
        var isAssumed = false
        if alert.startsAt == 0 { alert.startsAt = alert.endsAt == 0 ? now : alert.endsAt }
        if alert.endsAt == 0 {
            isAssumed = true
            alert.endsAt = now &+ resolveTimeout
        }
        var new = NotifiedAlert(alert, endIsAssumed: isAssumed)
        if let old = byFingerprint[new.fingerprint] {
            let (a, b) = (old.alert, new.alert)
            let overlaps =
                (b.endsAt > a.startsAt && b.endsAt < a.endsAt) || (b.startsAt > a.startsAt && b.startsAt < a.endsAt)
            if overlaps { new = Self.merge(old, new, now: now) }
        }
        put(new.fingerprint, new)
        return new
    }

    private static func merge(_ old: NotifiedAlert, _ new: NotifiedAlert, now: Int64) -> NotifiedAlert {
        var result = new
        result.alert.startsAt = min(old.alert.startsAt, new.alert.startsAt)
        if new.isResolved(at: now) {
            if old.isResolved(at: now), old.alert.endsAt > new.alert.endsAt {
                result.alert.endsAt = old.alert.endsAt
            }
        } else if old.alert.endsAt > new.alert.endsAt, !old.endIsAssumed {
            result.alert.endsAt = old.alert.endsAt
        }
        return result
    }

    /// Restores an alert as it was stored.
    package mutating func restore(_ alert: NotifiedAlert) { put(alert.fingerprint, alert) }

    mutating func remove(_ fingerprint: Fingerprint) { put(fingerprint, nil) }

    /// The alerts that were resolved before `horizon`.
    package func resolved(before horizon: Int64) -> [NotifiedAlert] {
        byFingerprint.values.filter { $0.alert.endsAt != 0 && $0.alert.endsAt < horizon }
    }

    /// The alerts by labels, for a stable order.
    package var sorted: [NotifiedAlert] { byFingerprint.values.sorted { $0.alert.labels < $1.alert.labels } }
}
