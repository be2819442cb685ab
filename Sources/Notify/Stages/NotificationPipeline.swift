import Model

/// The muted alerts with the reasons, for the API.
package struct AlertMuting: Sendable {
    package var inhibitedBy: [Fingerprint] = []
    package var silencedBy: [String] = []
    package var mutedBy: [String] = []
}

/// One notification that has to be sent.
package struct Notification: Sendable {
    package var flush: GroupFlush
    package var receiver: String
    /// `receiver/webhook/0`.
    package var integration: String
    package var webhook: WebhookSettings
    /// The alerts that are sent, in the order of payloads; without `send_resolved`, only firing ones.
    package var alerts: [NotifiedAlert]
    package var reason: NotificationReason
    /// The entry that is recorded after the delivery.
    package var entry: NotificationEntry
    /// Whether a request is sent; otherwise only the log is updated.
    package var isSent: Bool

    package init(
        flush: GroupFlush, receiver: String, integration: String, webhook: WebhookSettings, alerts: [NotifiedAlert],
        reason: NotificationReason, entry: NotificationEntry, isSent: Bool
    ) {
        self.flush = flush
        self.receiver = receiver
        self.integration = integration
        self.webhook = webhook
        self.alerts = alerts
        self.reason = reason
        self.entry = entry
        self.isSent = isSent
    }
}

/// Decides what a flush sends to which receiver: inhibition, time intervals, silences, and the comparison with the last
/// notification, in Alertmanager's order.
///
/// It has no side effects.
package struct NotificationPipeline: Sendable {
    package var receivers: [ExactText: [WebhookSettings]]
    package var inhibitRules: [InhibitRule]
    package var timeIntervals: [ExactText: [TimeInterval]]

    package init(
        receivers: [ExactText: [WebhookSettings]], inhibitRules: [InhibitRule] = [],
        timeIntervals: [ExactText: [TimeInterval]] = [:]
    ) {
        self.receivers = receivers
        self.inhibitRules = inhibitRules
        self.timeIntervals = timeIntervals
    }

    /// The named intervals that contain `now`.
    private func active(_ names: [String], at now: Int64) -> [String] {
        names.filter { name in (timeIntervals[ExactText(name)] ?? []).contains { $0.contains(now) } }
    }

    /// The time intervals that mute a route at `now`; nil if none does.
    package func mutingIntervals(of route: Route, at now: Int64) -> [String]? {
        if !route.activeTimeIntervals.isEmpty, active(route.activeTimeIntervals, at: now).isEmpty {
            return route.activeTimeIntervals
        }
        let muting = active(route.muteTimeIntervals, at: now)
        return muting.isEmpty ? nil : muting
    }

    /// The alerts of a flush that nothing mutes.
    package func unmuted(_ flush: GroupFlush, inhibitor: Inhibitor, silences: SilenceIndex) -> [NotifiedAlert] {
        let left = flush.alerts.filter { !inhibitor.inhibits($0.alert.labels) }
        guard !left.isEmpty, mutingIntervals(of: flush.route, at: flush.time) == nil else { return [] }
        return left.filter { !silences.mutes($0.alert.labels) }
    }

    /// The names of the integrations of a route's receiver: `receiver/webhook/0`.
    package func integrations(of route: Route) -> [String] {
        (receivers[ExactText(route.receiver)] ?? []).indices.map { "\(route.receiver)/webhook/\($0)" }
    }

    /// The notifications of the alerts of a flush that are left; there are none if nothing is new.
    ///
    /// - Parameter last: The last notifications of the group, for each of ``integrations(of:)``.
    package func notifications(
        for flush: GroupFlush, of left: [NotifiedAlert], last: [NotificationEntry?]
    ) -> [Notification] {
        guard !left.isEmpty else { return [] }
        let now = flush.time
        let firing = Set(left.filter { $0.alert.endsAt == 0 }.map(\.fingerprint))
        let resolved = Set(left.filter { $0.alert.endsAt != 0 }.map(\.fingerprint))
        let webhooks = receivers[ExactText(flush.route.receiver)] ?? []
        let news = zip(zip(integrations(of: flush.route), webhooks), last).compactMap { integration, last in
            NotificationLog.reason(
                last: last, firing: firing, resolved: resolved, sendsResolved: integration.1.sendsResolved,
                repeatInterval: flush.route.repeatInterval, now: now
            ).map { (name: integration.0, webhook: integration.1, reason: $0) }
        }
        if news.isEmpty { return [] }
        let sorted = PayloadOrder.sorted(left)
        return news.map { name, webhook, reason in
            let entry = NotificationEntry(
                groupKey: flush.groupKey, receiver: name, time: now, firing: firing, resolved: resolved,
                expiresAt: now &+ 2 &* flush.route.repeatInterval)
            return Notification(
                flush: flush, receiver: flush.route.receiver, integration: name, webhook: webhook,
                alerts: webhook.sendsResolved ? sorted : sorted.filter { $0.alert.endsAt == 0 }, reason: reason,
                entry: entry, isSent: webhook.sendsResolved || !firing.isEmpty)
        }
    }

    /// The reasons that mute an alert in the groups of `routes`, for the API.
    package func muting(
        of alert: NotifiedAlert, route: Route?, inhibitor: Inhibitor, silences: SilenceIndex, now: Int64
    ) -> AlertMuting {
        AlertMuting(
            inhibitedBy: inhibitor.inhibitors(of: alert.alert.labels),
            silencedBy: silences.silencers(of: alert.alert.labels),
            mutedBy: route.flatMap { mutingIntervals(of: $0, at: now) } ?? [])
    }
}
