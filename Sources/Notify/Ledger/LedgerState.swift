import Model

/// The state that survives a restart: the result of all records of a ledger.
package struct LedgerState: Sendable {
    package var alerts = ActiveAlerts()
    package var log = NotificationLog()
    package var silences = Silences()
    private var recentDeliveries = RecentDeliveries()
    package private(set) var histories = AlertHistories()
    /// The last deliveries, the oldest first.
    package var deliveries: ArraySlice<Delivery> { recentDeliveries.list }
    /// The newest time in the records, when the daemon was last running, ms.
    var lastSeen: Int64 = 0

    /// Applies one record.
    mutating func apply(_ record: LedgerRecord) {
        switch record {
        case .alert(let alert):
            alerts.restore(alert)
            lastSeen = max(lastSeen, alert.alert.updatedAt)
        case .extended(let fingerprint, let endsAt, let updatedAt):
            guard var alert = alerts.byFingerprint[fingerprint] else { return }
            alert.alert.endsAt = endsAt
            alert.alert.updatedAt = updatedAt
            alerts.restore(alert)
            lastSeen = max(lastSeen, updatedAt)
        case .alertRemoved(let fingerprint):
            if let alert = alerts.byFingerprint[fingerprint] { histories.end(alert) }
            alerts.remove(fingerprint)
        case .notified(let entry):
            log.record(entry)
            lastSeen = max(lastSeen, entry.time)
        case .delivery(let delivery): recentDeliveries.append(delivery)
        case .silence(let silence): silences.restore(silence)
        case .silenceRemoved(let id): silences.remove(id)
        case .changed(let change, let fingerprints): histories.add(change, of: fingerprints, alerts)
        case .history(let history): histories.restore(history)
        }
    }

    /// The records of those changes that are news.
    func news(_ changes: [(change: AlertChange, alerts: [Fingerprint])]) -> [LedgerRecord] {
        changes.compactMap { change, alerts in
            let new = histories.news(change, of: alerts)
            return new.isEmpty ? nil : .changed(change, new)
        }
    }

    /// The fewest records that give this state.
    var records: [LedgerRecord] {
        alerts.sorted.map { .alert($0) } + log.entries.values.map { .notified($0) }
            + silences.byID.values.map { .silence($0) }
            + deliveries.map { .delivery($0) } + histories.limited.map { .history($0) }
    }

    /// The state after the daemon was not running.
    ///
    /// Alerts that were firing keep their remaining time, so that their rules can be evaluated again before they count
    /// as resolved.
    ///
    /// Times in the future are those of a wall clock that was ahead: they count as now.
    func resumed(at now: Int64) -> LedgerState {
        var state = self
        state.lastSeen = min(lastSeen, now)
        for alert in alerts.byFingerprint.values where alert.alert.updatedAt > now {
            state.alerts.restore(
                alert.shifted(by: now.subtractingReportingOverflow(alert.alert.updatedAt).partialValue))
        }
        for entry in log.entries.values where entry.time > now {
            state.log.record(entry.shifted(by: now.subtractingReportingOverflow(entry.time).partialValue))
        }
        let lastSeen = state.lastSeen
        for alert in state.alerts.byFingerprint.values where alert.alert.endsAt > lastSeen {
            var alert = alert
            alert.alert.endsAt = max(alert.alert.endsAt, now &+ (alert.alert.endsAt &- lastSeen))
            state.alerts.restore(alert)
        }
        return state
    }
}
