import Model
import Platform
import Synchronization

/// An alert in Alertmanager's v2 API.
package struct AlertStatus: Sendable {
    package enum State: String, Sendable {
        /// The alert is not in a group yet.
        case unprocessed
        case active
        case suppressed
    }

    package var alert: NotifiedAlert
    package var receivers: [String]
    package var state: State
    package var muting: AlertMuting
}

/// A group in Alertmanager's v2 API.
package struct AlertGroupStatus: Sendable {
    package var id: String
    package var labels: Labels
    package var receiver: String
    package var alerts: [AlertStatus]
    /// The time of the next flush, ms.
    package var nextFlush: Int64
}

extension Notifier {
    /// All alerts that fire, by labels; resolved ones are omitted.
    package func alerts() -> [AlertStatus] {
        let now = clock.now()
        var state = state.withLock { $0 }
        let muters = (state.inhibitor(at: now), state.memory.silences.active(at: now))
        return state.memory.alerts.sorted.filter { !$0.isResolved(at: now) }.map {
            Self.status(
                of: $0, route: state.dispatcher.routes(of: $0.alert.labels).first, state, muters, now)
        }
    }

    /// The health at `now`.
    package func health(at now: Int64) -> NotifierHealth {
        state.withLock { state in
            NotifierHealth(
                isRunning: state.loop != nil && !state.isStopping,
                delay: max(0, now - min(state.dispatcher.nextDeadline ?? now, now)),
                failing: state.failing.map { ($0.key.text, $0.value) }.sorted { $0.0.isExactlyBefore($1.0) })
        }
    }

    /// All groups with their alerts.
    package func groups() -> [AlertGroupStatus] {
        let now = clock.now()
        var state = state.withLock { $0 }
        let muters = (state.inhibitor(at: now), state.memory.silences.active(at: now))
        return state.dispatcher.status.map { group in
            AlertGroupStatus(
                id: group.id, labels: group.labels, receiver: group.receiver,
                alerts: group.alerts.filter { !$0.isResolved(at: now) }.map {
                    Self.status(of: $0, route: group.route, state, muters, now)
                }, nextFlush: group.nextFlush)
        }
    }

    /// The values for the metrics.
    func gauges() -> NotifierMetrics.Gauges {
        let now = clock.now()
        let size = ledger?.size ?? 0
        return state.withLock { state in
            let alerts = state.memory.alerts.byFingerprint.values
            let silences = state.memory.silences.byID.values
            return .init(
                firing: alerts.count { !$0.isResolved(at: now) }, resolved: alerts.count { $0.isResolved(at: now) },
                groups: state.dispatcher.groups.count,
                activeSilences: silences.count { $0.state(at: now) == .active },
                pendingSilences: silences.count { $0.state(at: now) == .pending }, ledgerBytes: size)
        }
    }

    /// All silences; those with the latest end are first.
    package func silences() -> [Silence] {
        state.withLock { Array($0.memory.silences.byID.values) }.sorted { ($0.endsAt, $0.id) > ($1.endsAt, $1.id) }
    }

    /// The names of all receivers.
    package func receivers() -> [String] {
        state.withLock { $0.settings.pipeline.receivers.keys.sorted().map(\.text) }
    }

    /// Deliveries, the newest first.
    ///
    /// - Parameters:
    ///   - fingerprint: Only those with this alert.
    ///   - receiver: Only those to this receiver.
    ///   - since: Only those that began at or after this time, ms.
    ///   - limit: At most so many.
    package func deliveries(
        of fingerprint: Fingerprint? = nil, receiver: String? = nil, since: Int64 = 0, limit: Int = 100
    ) -> [Delivery] {
        let all = state.withLock { $0.memory.deliveries }
        let matching = all.lazy.reversed().filter { delivery in
            delivery.time >= since && (receiver.map(delivery.receiver.isExactly) ?? true)
                && fingerprint.map { delivery.firing.contains($0) || delivery.resolved.contains($0) } ?? true
        }
        return Array(matching.prefix(max(0, limit)))
    }

    private static func status(
        of alert: NotifiedAlert, route: Route?, _ state: State,
        _ muters: (inhibitor: Inhibitor, silences: SilenceIndex), _ now: Int64
    ) -> AlertStatus {
        let muting = state.settings.pipeline.muting(
            of: alert, route: route, inhibitor: muters.inhibitor, silences: muters.silences, now: now)
        let isMuted = !muting.inhibitedBy.isEmpty || !muting.silencedBy.isEmpty || !muting.mutedBy.isEmpty
        return AlertStatus(
            alert: alert, receivers: state.dispatcher.receivers(of: alert.alert.labels),
            state: isMuted ? .suppressed : .active, muting: muting)
    }
}
