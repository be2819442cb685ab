import Model
import Platform
import Synchronization

/// An alert in Alertmanager's v2 API.
package struct AlertStatus: Sendable {
    package enum State: String, Sendable {
        case active
        case suppressed
    }

    package var alert: NotifiedAlert
    /// One for each route or group with the alert.
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
    /// The alerts that are counted for the metrics, and what may mute them.
    private typealias JudgedState = (
        alerts: [Fingerprint: NotifiedAlert].Values, muters: (inhibitor: Inhibitor, silences: SilenceIndex)
    )

    /// The alerts of a request that are accepted, and why the others are not.
    func admit(_ alerts: [Alert], at now: Int64) -> (accepted: [Alert], refusals: [AlertIntake.Refusal]) {
        let fingerprints = alerts.map { Fingerprint($0.labels) }
        var (intake, isKnown) = state.withLock { state in
            let known = state.memory.alerts.byFingerprint
            return (
                AlertIntake(state.memory.alerts, now: now, resolveTimeout: state.settings.resolveTimeout),
                fingerprints.map { known[$0] != nil }
            )
        }
        var accepted: [Alert] = []
        var refusals: [AlertIntake.Refusal] = []
        for (alert, isKnown) in zip(alerts, isKnown) {
            do throws(AlertIntake.Refusal) {
                try intake.accept(alert, isKnown: isKnown)
                accepted.append(alert)
            } catch {
                refusals.append(error)
            }
        }
        return (accepted, refusals)
    }

    /// All alerts that fire, by fingerprint; resolved ones are omitted, and time intervals mute none here.
    package func alerts() -> [AlertStatus] {
        let now = clock.now()
        let (state, muters) = state.withLock { state in
            let muters = (state.inhibitor(at: now), state.memory.silences.active(at: now))
            return (state, muters)
        }
        return state.memory.alerts.byFingerprint.values.filter { !$0.isResolved(at: now) }
            .sorted { $0.fingerprint < $1.fingerprint }
            .map {
                let receivers = state.dispatcher.routes(of: $0.alert.labels).map(\.receiver)
                return Self.status(of: $0, receivers, route: nil, state, muters, now)
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

    /// The groups with their alerts that fire, by labels and receiver.
    ///
    /// - Parameter isWanted: Called with the name of a receiver: only its groups and their receivers count.
    package func groups(of isWanted: (String) -> Bool = { _ in true }) -> [AlertGroupStatus] {
        let now = clock.now()
        let (state, muters) = state.withLock { state in
            let muters = (state.inhibitor(at: now), state.memory.silences.active(at: now))
            return (state, muters)
        }
        let groups = state.dispatcher.status.filter { isWanted($0.receiver) }
        var receivers: [Fingerprint: Set<ExactText>] = [:]
        for group in groups {
            for alert in group.alerts { receivers[alert.fingerprint, default: []].insert(ExactText(group.receiver)) }
        }
        return groups.map { group in
            AlertGroupStatus(
                id: group.id, labels: group.labels, receiver: group.receiver,
                alerts: group.alerts.filter { !$0.isResolved(at: now) }.map {
                    let names = (receivers[$0.fingerprint] ?? []).sorted().map(\.text)
                    return Self.status(of: $0, names, route: group.route, state, muters, now)
                }, nextFlush: group.nextFlush)
        }
    }

    /// The values for the metrics.
    func gauges() -> NotifierMetrics.Gauges {
        let now = clock.now()
        var gauges = NotifierMetrics.Gauges()
        if let status = ledger?.status {
            (gauges.ledgerBytes, gauges.snapshotBytes) = (status.size, status.replacedSize)
        }
        let (counted, judged) = state.withLock { state in
            let pipeline = state.settings.pipeline
            gauges.unprocessed = state.incoming.count
            gauges.groups = state.dispatcher.groups.count
            gauges.receivers = pipeline.receivers.count
            gauges.integrations = pipeline.receivers.values.reduce(0) { $0 + $1.count }
            gauges.inhibitRules = pipeline.inhibitRules.count
            gauges.configHash = state.settings.configHash
            for silence in state.memory.silences.byID.values {
                gauges.silences[silence.state(at: now), default: 0] += 1
            }
            let muters = (inhibitor: state.inhibitor(at: now), silences: state.memory.silences.active(at: now))
            let version = CountedAlerts.Version(
                firing: state.inhibition.changes, silences: state.memory.silences.changes)
            if let last = state.counted, last.version == version { return (last, nil as JudgedState?) }
            let looks = (state.counted?.looks ?? 0) + 1
            return (CountedAlerts(version: version, looks: looks), (state.memory.alerts.byFingerprint.values, muters))
        }
        (gauges.active, gauges.suppressed) = (counted.active, counted.suppressed)
        guard let (alerts, muters) = judged else { return gauges }
        var new = counted
        // Many alerts are compared with many rules, so the state is free meanwhile.
        for alert in alerts where !alert.isResolved(at: now) {
            let labels = alert.alert.labels
            if muters.silences.mutes(labels) || muters.inhibitor.inhibits(labels) {
                new.suppressed += 1
            } else {
                new.active += 1
            }
        }
        state.withLock { $0.counted = new }
        (gauges.active, gauges.suppressed) = (new.active, new.suppressed)
        return gauges
    }

    /// All silences in the order of ``Silences/listed(at:)``.
    package func silences() -> [Silence] {
        let silences = state.withLock { $0.memory.silences }
        return silences.listed(at: clock.now())
    }

    package func silence(_ id: String) -> Silence? { state.withLock { $0.memory.silences.byID[id] } }

    /// Adds or changes a silence, and returns its id.
    ///
    /// If it throws, no silence has changed, now and after a restart; after a ``LedgerError``, both have the change
    /// partly or completely, because it could not be reversed.
    package func setSilence(_ silence: Silence) throws -> String {
        let id = Silence.newID()
        let changed = try changeSilences { silences, now in try silences.setting(silence, now: now, newID: id) }
        return changed.first?.id ?? id
    }

    /// Ends a silence now if it has not ended; throws as ``setSilence(_:)`` does.
    package func expireSilence(_ id: String) throws {
        _ = try changeSilences { silences, now in try silences.expiring(id, now: now) }
    }

    /// The configuration as it is shown.
    package var shown: NotifierSettings.Shown { state.withLock { $0.settings.shown } }

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
        var query = DeliveryQuery()
        (query.fingerprint, query.receiver, query.since, query.limit) = (fingerprint, receiver, since, limit)
        return deliveries(query)
    }

    private static func status(
        of alert: NotifiedAlert, _ receivers: [String], route: Route?, _ state: State,
        _ muters: (inhibitor: Inhibitor, silences: SilenceIndex), _ now: Int64
    ) -> AlertStatus {
        let muting = state.settings.pipeline.muting(
            of: alert, route: route, inhibitor: muters.inhibitor, silences: muters.silences, now: now)
        let isMuted = !muting.inhibitedBy.isEmpty || !muting.silencedBy.isEmpty || !muting.mutedBy.isEmpty
        return AlertStatus(
            alert: alert, receivers: receivers, state: isMuted ? .suppressed : .active, muting: muting)
    }
}
