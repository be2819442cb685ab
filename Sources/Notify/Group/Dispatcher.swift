import Model

/// A group whose alerts are to be notified now.
package struct GroupFlush: Sendable {
    /// Tells the group from all others; also of routes with equal matchers.
    package var groupID: String
    /// `{}/{severity="page"}:{alertname="Down"}`: what receivers see.
    package var groupKey: String
    package var groupLabels: Labels
    package var route: Route
    /// As they were when the flush began, in the order of payloads; a firing one has no end.
    package var alerts: [NotifiedAlert]
    /// When the flush began, ms.
    package var time: Int64
    /// Until when it may be retried, ms.
    package var deadline: Int64

    package init(
        groupID: String, groupKey: String, groupLabels: Labels, route: Route, alerts: [NotifiedAlert], time: Int64,
        deadline: Int64
    ) {
        self.groupID = groupID
        self.groupKey = groupKey
        self.groupLabels = groupLabels
        self.route = route
        self.alerts = alerts
        self.time = time
        self.deadline = deadline
    }
}

/// Sorts alerts into groups and says when each group is to be flushed: a state machine without clock or tasks.
package struct Dispatcher: Sendable {
    /// A flush may take at least this long, ms.
    static let shortestFlush: Int64 = 10_000

    struct Group: Sendable {
        let id: String
        let route: Route
        let labels: Labels
        var alerts: [Fingerprint: NotifiedAlert] = [:]
        var nextFlush: Int64
        var hasFlushed = false
        /// A flush has begun and not finished.
        var isFlushing = false

        var key: String { route.key + ":" + labels.description }
    }

    private let root: Route
    private(set) var groups: [ExactText: Group] = [:]

    package init(root: Route) { self.root = root.numbered() }

    /// Puts an alert into one group per route that takes it.
    ///
    /// - Parameter isWanted: Asked with the group's identity, its key and its route; says no for a resolved alert that
    ///   nobody there has heard of, after a restart.
    package mutating func insert(
        _ alert: NotifiedAlert, now: Int64, where isWanted: (String, String, Route) -> Bool = { _, _, _ in true }
    ) {
        for route in root.match(alert.alert.labels) {
            let labels = route.groupLabels(of: alert.alert.labels)
            let id = route.id + ":" + labels.description
            guard isWanted(id, route.key + ":" + labels.description, route) else { continue }
            var group =
                groups[ExactText(id)]
                ?? Group(id: id, route: route, labels: labels, nextFlush: now &+ route.groupWait)
            group.alerts[alert.fingerprint] = alert
            // Older than the wait: it has been waiting elsewhere, before a restart for instance.
            if !group.hasFlushed, alert.alert.startsAt &+ route.groupWait < now {
                group.nextFlush = min(group.nextFlush, now)
            }
            groups[ExactText(id)] = group
        }
    }

    /// Puts a repeated resolution into those groups of the alert that exist.
    ///
    /// It is no news for them, but the next notification lists it.
    mutating func repeatResolution(_ alert: NotifiedAlert) {
        for route in root.match(alert.alert.labels) {
            let id = route.id + ":" + route.groupLabels(of: alert.alert.labels).description
            groups[ExactText(id)]?.alerts[alert.fingerprint] = alert
        }
    }

    /// When ``takeDue(at:)`` has something to do; nil if there are no groups.
    package var nextDeadline: Int64? {
        groups.values.filter { !$0.isFlushing }.map(\.nextFlush).min()
    }

    /// Begins the flushes that are due, in order of their times.
    package mutating func takeDue(at now: Int64) -> [GroupFlush] {
        let due = groups.values.filter { $0.nextFlush <= now && !$0.isFlushing }
            .sorted { ($0.nextFlush, $0.id) < ($1.nextFlush, $1.id) }
        return due.map { group in
            groups[ExactText(group.id)]?.hasFlushed = true
            groups[ExactText(group.id)]?.isFlushing = true
            // The next one counts from the beginning of this one.
            groups[ExactText(group.id)]?.nextFlush = now &+ group.route.groupInterval
            var alerts = Array(group.alerts.values)
            for index in alerts.indices where !alerts[index].isResolved(at: now) { alerts[index].alert.endsAt = 0 }
            alerts.sort { PayloadOrder.isBefore($0.alert.labels, $1.alert.labels) }
            return GroupFlush(
                groupID: group.id, groupKey: group.key, groupLabels: group.labels, route: group.route, alerts: alerts,
                time: now, deadline: now &+ max(group.route.groupInterval, Self.shortestFlush))
        }
    }

    /// Ends a flush.
    ///
    /// After a successful one, alerts that it told as resolved leave the group, unless they have come back in the
    /// meantime; a group without alerts disappears.
    ///
    /// - Parameter step: By how many ms the wall clock was set since it began.
    package mutating func finish(_ flush: GroupFlush, succeeded: Bool, shiftedBy step: Int64 = 0) {
        guard var group = groups[ExactText(flush.groupID)] else { return }
        group.isFlushing = false
        if succeeded {
            for told in flush.alerts where told.alert.endsAt != 0 {
                let updatedAt = told.shifted(by: step).alert.updatedAt
                if group.alerts[told.fingerprint]?.alert.updatedAt == updatedAt {
                    group.alerts[told.fingerprint] = nil
                }
            }
        }
        groups[ExactText(flush.groupID)] = group.alerts.isEmpty ? nil : group
    }

    /// Takes over when groups of the same identity are to be flushed, and which are being flushed, after a reload.
    package mutating func adopt(_ old: Dispatcher) {
        for id in Array(groups.keys) {
            guard let before = old.groups[id] else { continue }
            groups[id]?.nextFlush = before.nextFlush
            groups[id]?.hasFlushed = before.hasFlushed
            groups[id]?.isFlushing = before.isFlushing
        }
    }

    /// Changes every group.
    mutating func change(_ body: (inout Group) -> Void) {
        for id in Array(groups.keys) {
            guard var group = groups[id] else { continue }
            body(&group)
            groups[id] = group
        }
    }

    /// Whether an alert is in some group.
    package func holds(_ fingerprint: Fingerprint) -> Bool {
        groups.values.contains { $0.alerts[fingerprint] != nil }
    }

    /// A group as the API shows it.
    package struct GroupStatus: Sendable {
        package var id: String
        package var receiver: String
        package var route: Route
        package var labels: Labels
        package var alerts: [NotifiedAlert]
        /// ms.
        package var nextFlush: Int64
    }

    /// All groups, by labels and receiver.
    package var status: [GroupStatus] {
        groups.values.map {
            GroupStatus(
                id: $0.id, receiver: $0.route.receiver, route: $0.route, labels: $0.labels,
                alerts: $0.alerts.values.sorted { $0.alert.labels < $1.alert.labels }, nextFlush: $0.nextFlush)
        }.sorted { ($0.labels, ExactText($0.receiver)) < ($1.labels, ExactText($1.receiver)) }
    }

    /// The routes that take an alert.
    package func routes(of labels: Labels) -> [Route] { root.match(labels) }

    /// The receivers of an alert, without repetition.
    package func receivers(of labels: Labels) -> [String] {
        var seen = Set<ExactText>()
        return root.match(labels).map(\.receiver).filter { seen.insert(ExactText($0)).inserted }
    }
}
