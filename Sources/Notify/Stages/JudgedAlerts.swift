import Model

/// The alerts of a flush: those that nothing mutes, and the others with what mutes them.
struct JudgedAlerts: Sendable {
    /// Alerts that are muted by the same causes.
    struct Muted: Sendable {
        var state: AlertChange.State
        var causes: [String]
        var alerts: [Fingerprint]
    }

    var left: [NotifiedAlert] = []
    var muted: [Muted] = []

    /// Divides alerts by the causes that mute them; without any they are left.
    fileprivate mutating func divide(
        _ alerts: [NotifiedAlert], _ state: AlertChange.State, _ causes: (NotifiedAlert) -> [String]
    ) {
        left = []
        var groups: [[ExactText]: [Fingerprint]] = [:]
        for alert in alerts {
            let causes = causes(alert)
            if causes.isEmpty {
                left.append(alert)
            } else {
                groups[causes.map { ExactText($0) }, default: []].append(alert.fingerprint)
            }
        }
        for (causes, alerts) in groups.sorted(by: { $0.key.lexicographicallyPrecedes($1.key) }) {
            muted.append(Muted(state: state, causes: causes.map(\.text), alerts: alerts.sorted()))
        }
    }
}

extension NotificationPipeline {
    /// Applies inhibition, time intervals and silences to the alerts of a flush, in this order.
    func judged(_ flush: GroupFlush, inhibitor: Inhibitor, silences: SilenceIndex) -> JudgedAlerts {
        var judged = JudgedAlerts()
        judged.divide(flush.alerts, .inhibited) {
            inhibitor.inhibitors(of: $0.alert.labels, atMost: 1).map(\.description)
        }
        guard !judged.left.isEmpty else { return judged }
        if let muting = timeMuting(of: flush.route, at: flush.time) {
            judged.muted.append(
                JudgedAlerts.Muted(
                    state: muting.isInactive ? .inactive : .muted, causes: muting.names,
                    alerts: judged.left.map(\.fingerprint).sorted()))
            judged.left = []
            return judged
        }
        judged.divide(judged.left, .silenced) {
            silences.mutes($0.alert.labels) ? silences.silencers(of: $0.alert.labels) : []
        }
        return judged
    }

    /// The states of those alerts of a flush that no delivery gets.
    func changes(
        of judged: JudgedAlerts, in flush: GroupFlush, last: [NotificationEntry?], _ notifications: [Notification]
    ) -> [(AlertChange, [Fingerprint])] {
        func change(_ state: AlertChange.State, _ causes: [String] = []) -> AlertChange {
            AlertChange(
                time: flush.time, state: state, groupKey: flush.groupKey, target: flush.route.receiver, causes: causes)
        }
        var changes = judged.muted.map { (change($0.state, $0.causes), $0.alerts) }
        let ended = judged.left.filter { $0.alert.endsAt != 0 }.map(\.fingerprint)
        if last.isEmpty {
            let firing = judged.left.filter { $0.alert.endsAt == 0 }.map(\.fingerprint)
            if !firing.isEmpty { changes.append((change(.unread), firing.sorted())) }
        } else if !ended.isEmpty, !notifications.contains(where: { $0.isSent && $0.integration.sendsResolved }) {
            let entries = last.compactMap { $0 }
            let silent = ended.filter { alert in entries.contains { $0.firing.contains(alert) } }
            let unnotified = ended.filter { alert in
                !entries.contains { $0.firing.contains(alert) || $0.resolved.contains(alert) }
            }
            if !silent.isEmpty { changes.append((change(.endedSilently), silent.sorted())) }
            if !unnotified.isEmpty { changes.append((change(.endedUnnotified), unnotified.sorted())) }
        }
        return changes
    }
}

extension Delivery {
    /// The states of its alerts.
    func changes(at time: Int64, _ groupKey: String) -> [(AlertChange, [Fingerprint])] {
        let states: [(AlertChange.State, [Fingerprint])] =
            outcome == .delivered
            ? [(.notified, firing), (.resolutionNotified, resolved)] : [(.failed, firing + resolved)]
        return states.filter { !$0.1.isEmpty }.map { state, alerts in
            (AlertChange(time: time, state: state, groupKey: groupKey, target: integration), alerts.sorted())
        }
    }
}
