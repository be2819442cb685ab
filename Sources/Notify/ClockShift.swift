import Model

/// What happens to times when the wall clock is set: what waits for a length of time goes on waiting for the rest of it,
/// and what was notified was notified as long ago as before. Silences and time intervals are wall time and stay.
extension Notifier.State {
    /// Follows a wall clock that was set by `step` ms.
    mutating func shift(by step: Int64) {
        nextMaintenance = nextMaintenance.addingReportingOverflow(step).partialValue
        dispatcher.shift(by: step)
        memory.shift(by: step)
        shifted = shifted.addingReportingOverflow(step).partialValue
    }

    /// By how many ms the wall clock was set since ``shifted`` was `before`.
    func shift(since before: Int64) -> Int64 { shifted.subtractingReportingOverflow(before).partialValue }
}

extension Dispatcher {
    /// Moves the times of all groups and of their alerts by `step` ms.
    mutating func shift(by step: Int64) {
        change { group in
            group.nextFlush = group.nextFlush.addingReportingOverflow(step).partialValue
            for (fingerprint, alert) in group.alerts { group.alerts[fingerprint] = alert.shifted(by: step) }
        }
    }
}

extension NotifiedAlert {
    /// The alert with its times moved by `step` ms; what is 0 is not known.
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
