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
    /// The name of the integration, `receiver/webhook/0`.
    package var name: String
    package var integration: any Integration
    package var templates: NotificationTemplates
    package var redactor = Redactor()
    /// The alerts that are sent, in the order of payloads; without `send_resolved`, only firing ones.
    package var alerts: [NotifiedAlert]
    package var reason: NotificationReason
    /// The entry that is recorded after the delivery.
    package var entry: NotificationEntry
    /// Whether a request is sent; otherwise only the log is updated.
    package var isSent: Bool
}

/// Decides what a flush sends to which receiver: inhibition, time intervals, silences, and the comparison with the last
/// notification, in Alertmanager's order.
///
/// It has no side effects.
package struct NotificationPipeline: Sendable {
    package var receivers: [ExactText: [PlacedIntegration]]
    package var inhibitRules: [InhibitRule]
    package var timeIntervals: [ExactText: [TimeInterval]]
    package var templates: NotificationTemplates
    /// Knows the secrets of the configuration.
    package var redactor = Redactor()

    package init(
        receivers: [ExactText: [PlacedIntegration]], inhibitRules: [InhibitRule] = [],
        timeIntervals: [ExactText: [TimeInterval]] = [:], templates: NotificationTemplates = .standard
    ) {
        self.receivers = receivers
        self.inhibitRules = inhibitRules
        self.timeIntervals = timeIntervals
        self.templates = templates
    }

    /// The named intervals that contain `now`.
    private func active(_ names: [String], at now: Int64) -> [String] {
        names.filter { name in (timeIntervals[ExactText(name)] ?? []).contains { $0.contains(now) } }
    }

    /// The time intervals that mute a route at `now`, and whether they are its active ones, none of which contains the
    /// time; nil if none does.
    func timeMuting(of route: Route, at now: Int64) -> (names: [String], isInactive: Bool)? {
        if !route.activeTimeIntervals.isEmpty, active(route.activeTimeIntervals, at: now).isEmpty {
            return (route.activeTimeIntervals, true)
        }
        let muting = active(route.muteTimeIntervals, at: now)
        return muting.isEmpty ? nil : (muting, false)
    }

    /// The time intervals that mute a route at `now`; nil if none does.
    package func mutingIntervals(of route: Route, at now: Int64) -> [String]? { timeMuting(of: route, at: now)?.names }

    /// The names of the integrations of a route's receiver: `receiver/webhook/0`.
    package func integrations(of route: Route) -> [String] {
        (receivers[ExactText(route.receiver)] ?? []).map { $0.name(in: route.receiver) }
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
        let news = zip(receivers[ExactText(flush.route.receiver)] ?? [], last).compactMap { placed, last in
            NotificationLog.reason(
                last: last, firing: firing, resolved: resolved, sendsResolved: placed.integration.sendsResolved,
                repeatInterval: flush.route.repeatInterval, now: now
            ).map { (name: placed.name(in: flush.route.receiver), integration: placed.integration, reason: $0) }
        }
        if news.isEmpty { return [] }
        let sorted = PayloadOrder.sorted(left)
        return news.map { name, integration, reason in
            let entry = NotificationEntry(
                groupKey: flush.groupKey, receiver: name, time: now, firing: firing, resolved: resolved,
                expiresAt: now &+ 2 &* flush.route.repeatInterval)
            return Notification(
                flush: flush, receiver: flush.route.receiver, name: name, integration: integration,
                templates: templates, redactor: redactor,
                alerts: integration.sendsResolved ? sorted : sorted.filter { $0.alert.endsAt == 0 }, reason: reason,
                entry: entry, isSent: integration.sendsResolved || !firing.isEmpty)
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
