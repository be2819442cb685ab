import Model

/// Adjusts times after the wall clock was set. Waits keep their remaining length, and notifications keep their age.
/// Silences and time intervals are wall time and do not change.
extension Notifier.State {
    /// Adjusts all times after the wall clock was set by `step` ms.
    mutating func shift(by step: Int64) {
        nextMaintenance = nextMaintenance.addingReportingOverflow(step).partialValue
        dispatcher.shift(by: step)
        memory.shift(by: step)
        shifted = shifted.addingReportingOverflow(step).partialValue
    }

    /// The ms by which the wall clock was set since ``shifted`` was `before`.
    func shift(since before: Int64) -> Int64 { shifted.subtractingReportingOverflow(before).partialValue }
}

extension Dispatcher {
    /// Moves the times of all groups and of their alerts by `step` ms.
    mutating func shift(by step: Int64) {
        if step == 0 { return }
        change { group in
            group.nextFlush = group.nextFlush.addingReportingOverflow(step).partialValue
            for (fingerprint, alert) in group.alerts { group.alerts[fingerprint] = alert.shifted(by: step) }
        }
    }
}

extension NotifiedAlert {
    /// The alert with its times moved by `step` ms; 0 means unknown and stays.
    func shifted(by step: Int64) -> NotifiedAlert {
        var result = self
        func move(_ time: inout Int64) { if time != 0 { time = time.addingReportingOverflow(step).partialValue } }
        move(&result.alert.startsAt)
        move(&result.alert.endsAt)
        move(&result.alert.updatedAt)
        return result
    }
}

extension NotificationEntry {
    /// The entry with its times moved by `step` ms.
    func shifted(by step: Int64) -> NotificationEntry {
        var entry = self
        entry.time = time.addingReportingOverflow(step).partialValue
        entry.expiresAt = expiresAt.addingReportingOverflow(step).partialValue
        return entry
    }
}

extension LedgerState {
    /// Moves the times of alerts and of notifications by `step` ms.
    mutating func shift(by step: Int64) {
        for alert in alerts.byFingerprint.values { alerts.restore(alert.shifted(by: step)) }
        for entry in log.entries.values { log.record(entry.shifted(by: step)) }
    }
}
