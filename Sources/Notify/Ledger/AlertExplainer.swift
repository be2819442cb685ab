import GoCompatibility
import JSON
import Model

/// Finds the reasons why receivers were or were not notified of an alert, from a copy of the notifier's state.
struct AlertExplainer {
    private let state: Notifier.State
    private let now: Int64
    private let inhibitor: Inhibitor
    private let silences: SilenceIndex
    private let deliveries: ArraySlice<Delivery>

    init(_ state: Notifier.State, at now: Int64) {
        var state = state
        self.now = now
        inhibitor = state.inhibitor(at: now)
        silences = state.memory.silences.active(at: now)
        deliveries = state.memory.deliveries
        self.state = state
    }

    /// The alerts that match, at most `limit`: those that fire, then resolved ones, then those that only the ledger
    /// knows, the last that changed first.
    func explanations(of matchers: [Matcher], limit: Int) -> [AlertExplanation] {
        func isMatching(_ labels: Labels) -> Bool { matchers.allSatisfy { $0.matches(labels) } }
        let alerts = state.memory.alerts
        let known = alerts.byFingerprint.values.filter { isMatching($0.alert.labels) }.sorted {
            let (first, second) = ($0.isResolved(at: now), $1.isResolved(at: now))
            return first != second ? second : $0.alert.labels < $1.alert.labels
        }
        let past = state.memory.histories.byFingerprint.filter { fingerprint, history in
            alerts.byFingerprint[fingerprint] == nil && isMatching(history.labels)
        }.values.sorted { ($1.lastTime, $0.labels) < ($0.lastTime, $1.labels) }
        let shown = known.prefix(max(0, limit))
        return shown.map(explanation) + past.prefix(max(0, limit - shown.count)).map(explanation)
    }

    // MARK: Known alerts

    private func explanation(_ alert: NotifiedAlert) -> AlertExplanation {
        let isResolved = alert.isResolved(at: now)
        let (labels, start, end) = (alert.alert.labels, alert.alert.startsAt, alert.alert.endsAt)
        var steps = [
            isResolved
                ? ExplanationStep(.resolved, "The alert is resolved since \(time(end)).", [at(end)])
                : ExplanationStep(.firing, "The alert fires since \(time(start)).", [at(start)])
        ]
        let routes = state.dispatcher.routes(of: labels)
        for route in routes { steps += self.steps(of: alert, in: route, isResolved) }
        return AlertExplanation(
            labels: labels, state: isResolved ? .resolved : .firing, startsAt: start, endsAt: isResolved ? end : 0,
            steps: steps, changes: state.memory.histories.byFingerprint[alert.fingerprint]?.changes ?? [])
    }

    private func steps(of alert: NotifiedAlert, in route: Route, _ isResolved: Bool) -> [ExplanationStep] {
        let groupLabels = route.groupLabels(of: alert.alert.labels)
        let groupKey = route.key + ":" + groupLabels.description
        let group = state.dispatcher.groups[ExactText(route.groupID(groupLabels))]
        let receiver: (String, JSONValue) = ("receiver", .string(route.receiver))
        let isRoot = route.key == "{}"
        let place =
            isRoot
            ? "No route but the root matches; its receiver is \(route.receiver)."
            : "The route \(route.key) matches; its receiver is \(route.receiver)."
        var steps = [
            ExplanationStep(isRoot ? .defaultRoute : .route, place, [text("route", route.key), receiver]),
            ExplanationStep(
                .group,
                "The group is \(groupKey), with \(group?.alerts.count ?? 0) alerts; group_wait is "
                    + "\(DurationText.format(route.groupWait)), group_interval \(DurationText.format(route.groupInterval)), "
                    + "repeat_interval \(DurationText.format(route.repeatInterval)).",
                [text("groupKey", groupKey), receiver, number("alerts", group?.alerts.count ?? 0)]),
        ]
        let integrations = state.settings.pipeline.receivers[ExactText(route.receiver)] ?? []
        if integrations.isEmpty {
            steps.append(
                ExplanationStep(
                    .noIntegrations,
                    "The receiver \(route.receiver) has no integrations: nobody gets its notifications.",
                    [receiver]))
            return steps
        }
        let muting = isResolved ? [] : mutingSteps(of: alert, route)
        steps += muting
        for placed in integrations {
            let part = IntegrationPart(
                alert: alert, route: route, groupKey: groupKey, name: placed.name(in: route.receiver),
                sendsResolved: placed.integration.sendsResolved, group: group, isMuted: !muting.isEmpty)
            steps += isResolved ? resolvedSteps(part) : firingSteps(part)
        }
        return steps
    }

    private func mutingSteps(of alert: NotifiedAlert, _ route: Route) -> [ExplanationStep] {
        let labels = alert.alert.labels
        var steps: [ExplanationStep] = []
        let sources = inhibitor.inhibitors(of: labels)
        if let first = sources.first {
            let source = state.memory.alerts.byFingerprint[first].map { " \($0.alert.labels)" } ?? ""
            steps.append(
                ExplanationStep(
                    .inhibited, "It is inhibited by the alert\(source) (\(first)).",
                    [texts("inhibitedBy", sources.map(\.description))]))
        }
        if let muting = state.settings.pipeline.timeMuting(of: route, at: now) {
            let names = muting.names.joined(separator: ", ")
            steps.append(
                muting.isInactive
                    ? ExplanationStep(
                        .outsideActiveTime,
                        "The route notifies only within the active time intervals \(names), and it is outside of them.",
                        [texts("intervals", muting.names)])
                    : ExplanationStep(
                        .muted, "The route is muted by the time intervals \(names).", [texts("intervals", muting.names)]
                    ))
        }
        let ids = silences.silencers(of: labels)
        for id in ids {
            guard let silence = state.memory.silences.byID[id] else { continue }
            let comment = silence.comment.isEmpty ? "" : ": \(silence.comment)"
            steps.append(
                ExplanationStep(
                    .silenced,
                    "It is silenced until \(time(silence.endsAt)) by the silence \(id) of \(silence.createdBy)\(comment).",
                    [
                        text("silence", id), text("createdBy", silence.createdBy), text("comment", silence.comment),
                        (key: "endsAt", value: .string(time(silence.endsAt))),
                    ]))
        }
        return steps
    }

    // MARK: Integrations

    /// An alert in a group, and one integration of the receiver.
    private struct IntegrationPart {
        var alert: NotifiedAlert
        var route: Route
        var groupKey: String
        var name: String
        var sendsResolved: Bool
        var group: Dispatcher.Group?
        var isMuted: Bool

        var nextFlush: Int64? { group?.nextFlush }
        var detail: (key: String, value: JSONValue) { (key: "integration", value: .string(name)) }
    }

    private func entry(_ part: IntegrationPart) -> NotificationEntry? {
        state.memory.log.entry(
            groupKey: part.groupKey, groupID: part.group?.id ?? part.groupKey, receiver: part.name)
    }

    /// The last delivery of the group by the integration that has the alert.
    private func lastDelivery(_ part: IntegrationPart) -> Delivery? {
        let fingerprint = part.alert.fingerprint
        return deliveries.last {
            $0.integration.isExactly(part.name) && $0.groupKey.isExactly(part.groupKey)
                && ($0.firing.contains(fingerprint) || $0.resolved.contains(fingerprint))
        }
    }

    private func firingSteps(_ part: IntegrationPart) -> [ExplanationStep] {
        let entry = entry(part)
        let last = lastDelivery(part)
        var steps: [ExplanationStep] = []
        let isNotified = entry?.firing.contains(part.alert.fingerprint) ?? false
        if let entry, isNotified {
            let reason = last.map { " (\($0.reason))" } ?? ""
            steps.append(
                ExplanationStep(
                    .notified, "\(part.name) was notified at \(time(entry.time))\(reason).",
                    [part.detail, at(entry.time), text("reason", last?.reason ?? "")]))
        }
        steps += attemptSteps(part, last)
        if part.isMuted { return steps }
        if let entry, isNotified, last?.outcome != .failed {
            if let next = nextRepeat(part, entry) {
                steps.append(
                    ExplanationStep(
                        .repeats, "Unless something changes, the next notification is a repetition at \(time(next)).",
                        [part.detail, at(next)]))
            }
        } else if state.repeated[NotificationEntry.Key(groupKey: part.groupKey, receiver: part.name)] == nil {
            steps += waitingSteps(part)
        }
        return steps
    }

    private func resolvedSteps(_ part: IntegrationPart) -> [ExplanationStep] {
        let entry = entry(part)
        let last = lastDelivery(part)
        let fingerprint = part.alert.fingerprint
        if entry?.firing.contains(fingerprint) ?? false {
            if !part.sendsResolved { return [notSent(part.name)] }
            return attemptSteps(part, last) + waitingSteps(part)
        }
        if let last, last.outcome == .delivered, last.resolved.contains(fingerprint) {
            return [resolutionNotified(part.name, last.time)] + attemptSteps(part, last)
        }
        if entry?.resolved.contains(fingerprint) ?? false, last != nil { return [notSent(part.name)] }
        return attemptSteps(part, last) + [
            ExplanationStep(
                .resolvedBeforeNotified,
                "It was resolved before \(part.name) was notified of it, so it is not notified at all.", [part.detail])
        ]
    }

    private func notSent(_ integration: String) -> ExplanationStep {
        ExplanationStep(
            .resolutionNotSent, "\(integration) is not notified of resolved alerts (send_resolved is false).",
            [text("integration", integration)])
    }

    private func resolutionNotified(_ integration: String, _ moment: Int64) -> ExplanationStep {
        ExplanationStep(
            .resolutionNotified, "\(integration) was notified of the resolution at \(time(moment)).",
            [text("integration", integration), at(moment)])
    }

    /// The failed attempts of the last delivery and of the running one.
    private func attemptSteps(_ part: IntegrationPart, _ last: Delivery?) -> [ExplanationStep] {
        var steps: [ExplanationStep] = []
        if let last {
            let details = [
                part.detail, number("status", last.status), number("attempts", last.attempts),
                text("error", last.error), at(last.log.last?.time ?? last.time),
            ]
            if last.outcome == .delivered, last.attempts > 1 {
                steps.append(
                    ExplanationStep(
                        .retried, "Attempt \(last.attempts) succeeded; before that: \(last.error).", details))
            } else if last.outcome == .failed {
                let isRefused = last.log.last?.outcome == .refused
                steps.append(
                    ExplanationStep(
                        isRefused ? .refused : .failed,
                        isRefused
                            ? "\(part.name) refused the notification at \(time(last.log.last?.time ?? last.time)): \(last.error)."
                            : "All \(last.attempts) attempts to notify \(part.name) since \(time(last.time)) failed: \(last.error).",
                        details))
            }
        }
        if let running = state.repeated[NotificationEntry.Key(groupKey: part.groupKey, receiver: part.name)] {
            steps.append(
                ExplanationStep(
                    .retrying,
                    "\(running.attempts) attempts to notify \(part.name) since \(time(running.time)) failed, and it is tried "
                        + "again: \(running.error).",
                    [
                        part.detail, number("status", running.status), number("attempts", running.attempts),
                        text("error", running.error),
                    ]))
        }
        return steps
    }

    private func waitingSteps(_ part: IntegrationPart) -> [ExplanationStep] {
        guard let next = part.nextFlush else { return [] }
        return [
            ExplanationStep(
                .waiting, "The group waits to notify \(part.name) until \(time(next)).", [part.detail, at(next)])
        ]
    }

    /// The time of the first flush at which the group is notified again although nothing is new.
    private func nextRepeat(_ part: IntegrationPart, _ entry: NotificationEntry) -> Int64? {
        guard let next = part.nextFlush, part.route.groupInterval > 0 else { return nil }
        let (due, overflows) = entry.time.addingReportingOverflow(part.route.repeatInterval)
        if overflows { return nil }
        if next > due { return next }
        let (distance, isFar) = due.subtractingReportingOverflow(next)
        let (delay, isLater) = (distance / part.route.groupInterval + 1)
            .multipliedReportingOverflow(by: part.route.groupInterval)
        let (time, isLast) = next.addingReportingOverflow(delay)
        return isFar || isLater || isLast ? nil : time
    }

    // MARK: Past alerts

    private func explanation(_ history: AlertHistory) -> AlertExplanation {
        var steps: [ExplanationStep] = []
        if history.endsAt != 0 {
            steps.append(
                ExplanationStep(
                    .resolved,
                    "The alert fired from \(time(history.startsAt)) and was resolved at \(time(history.endsAt)).",
                    [at(history.endsAt)]))
        }
        steps += history.changes.map { change in
            let (kind, sentence) = Self.past(change)
            return ExplanationStep(
                kind, "At \(time(change.time)), \(sentence).",
                [at(change.time), text("target", change.target), texts("causes", change.causes)])
        }
        return AlertExplanation(
            labels: history.labels, state: .past, startsAt: history.startsAt, endsAt: history.endsAt, steps: steps,
            changes: history.changes)
    }

    private static func past(_ change: AlertChange) -> (ExplanationStep.Kind, String) {
        let (target, causes) = (change.target, change.causes.joined(separator: ", "))
        switch change.state {
        case .notified: return (.notified, "\(target) was notified that it fires")
        case .failed: return (.failed, "a delivery to \(target) failed")
        case .resolutionNotified: return (.resolutionNotified, "\(target) was notified that it is resolved")
        case .silenced: return (.silenced, "it was silenced for \(target) by \(causes)")
        case .inhibited: return (.inhibited, "it was inhibited for \(target) by the alert \(causes)")
        case .muted: return (.muted, "\(target) was muted by the time intervals \(causes)")
        case .inactive: return (.outsideActiveTime, "\(target) was outside of the active time intervals \(causes)")
        case .unread: return (.noIntegrations, "the receiver \(target) had no integrations")
        case .endedUnnotified:
            return (
                .resolvedBeforeNotified, "it had been resolved before \(target) was notified, so it was not notified"
            )
        case .endedSilently:
            return (.resolutionNotSent, "\(target) was not notified of the resolution (send_resolved is false)")
        }
    }

    // MARK: Details

    private func time(_ moment: Int64) -> String { RFC3339.text(moment) }

    private func at(_ moment: Int64) -> (key: String, value: JSONValue) {
        (key: "time", value: .string(RFC3339.text(moment)))
    }

    private func text(_ key: String, _ text: String) -> (key: String, value: JSONValue) {
        (key: key, value: .string(text))
    }

    private func texts(_ key: String, _ texts: [String]) -> (key: String, value: JSONValue) {
        (key: key, value: .array(texts.map { .string($0) }))
    }

    private func number(_ key: String, _ number: Int) -> (key: String, value: JSONValue) {
        (key: key, value: .number(Double(number)))
    }
}
