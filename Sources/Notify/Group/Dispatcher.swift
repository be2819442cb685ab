import Model

/// A group whose alerts have to be notified now.
package struct GroupFlush: Sendable {
    /// The identity of the group, which also differs between routes with equal matchers.
    package var groupID: String
    /// `{}/{severity="page"}:{alertname="Down"}`: the key that receivers get.
    package var groupKey: String
    package var groupLabels: Labels
    package var route: Route
    /// The alerts at the start of the flush, in no order; a firing alert has no end.
    package var alerts: [NotifiedAlert]
    /// The start of the flush, ms.
    package var time: Int64
    /// The time until which it may be retried, ms.
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

/// A group that ``Dispatcher/takeDue(at:)`` took, with its alerts as they are stored.
///
/// Taking it costs the same for any number of alerts. While it exists, a change of the group's alerts copies them.
package struct DueGroup: Sendable {
    fileprivate let group: Dispatcher.Group
    fileprivate let time: Int64

    /// The flush of the group.
    package var flush: GroupFlush {
        var alerts = Array(group.alerts.values)
        for index in alerts.indices where !alerts[index].isResolved(at: time) { alerts[index].alert.endsAt = 0 }
        return GroupFlush(
            groupID: group.id, groupKey: group.key, groupLabels: group.labels, route: group.route, alerts: alerts,
            time: time, deadline: time &+ max(group.route.groupInterval, Dispatcher.shortestFlush))
    }
}

/// Sorts alerts into groups, and decides when each group is flushed.
///
/// It is a state machine without clock and tasks.
package struct Dispatcher: Sendable {
    /// The shortest time limit of a flush, ms.
    static let shortestFlush: Int64 = 10_000
    /// The most alerts of the groups that are taken at once, apart from one group.
    static let alertsTaken = 10_000

    struct Group: Sendable {
        let id: String
        let route: Route
        let labels: Labels
        var alerts: [Fingerprint: NotifiedAlert] = [:]
        var nextFlush: Int64
        var hasFlushed = false
        /// Whether a flush has begun and not finished.
        var isFlushing = false

        var key: String { route.key + ":" + labels.description }
    }

    private let root: Route
    private(set) var groups: [ExactText: Group] = [:]
    /// The time when ``takeDue(at:)`` must be called; nil if there are no groups, or all are flushing.
    package private(set) var nextDeadline: Int64?

    package init(root: Route) { self.root = root.numbered() }

    /// Adds an alert to one group per route that matches it.
    ///
    /// - Parameter isWanted: Called with the group's identity, its key and its route. Returns false for a resolved
    ///   alert, after a restart, that was never notified there. Nil adds it to all groups.
    package mutating func insert(
        _ alert: NotifiedAlert, now: Int64, where isWanted: ((String, String, Route) -> Bool)? = nil
    ) {
        for route in root.match(alert.alert.labels) {
            let labels = route.groupLabels(of: alert.alert.labels)
            let id = route.groupID(labels)
            if let isWanted, !isWanted(id, route.key + ":" + labels.description, route) { continue }
            // It is taken out, so that a group of many alerts is not copied for each of them.
            var group =
                groups.removeValue(forKey: ExactText(id))
                ?? Group(id: id, route: route, labels: labels, nextFlush: now &+ route.groupWait)
            group.alerts[alert.fingerprint] = alert
            // An alert that is older than the wait has waited before, for example before a restart.
            if !group.hasFlushed, alert.alert.startsAt &+ route.groupWait < now {
                group.nextFlush = min(group.nextFlush, now)
            }
            groups[ExactText(id)] = group
            awaitFlush(of: group)
        }
    }

    /// Sets ``nextDeadline`` to the flush of a group if that is earlier.
    private mutating func awaitFlush(of group: Group) {
        guard !group.isFlushing else { return }
        nextDeadline = min(nextDeadline ?? .max, group.nextFlush)
    }

    /// Finds the next flush of all groups.
    private mutating func findDeadline() {
        nextDeadline = groups.values.lazy.filter { !$0.isFlushing }.map(\.nextFlush).min()
    }

    /// Adds a repeated resolution to the existing groups of the alert.
    ///
    /// It causes no notification, but the next notification lists it.
    mutating func repeatResolution(_ alert: NotifiedAlert) {
        for route in root.match(alert.alert.labels) {
            let id = route.groupID(route.groupLabels(of: alert.alert.labels))
            groups[ExactText(id)]?.alerts[alert.fingerprint] = alert
        }
    }

    /// Takes groups whose flush is due; small groups are first.
    ///
    /// It leaves groups for the next call if there are very many alerts, so that a group that is due in the meantime
    /// waits for few of them. The group that waits longest is always taken.
    package mutating func takeDue(at now: Int64) -> [DueGroup] {
        guard let nextDeadline, nextDeadline <= now else { return [] }
        defer { findDeadline() }
        let due = groups.values.filter { $0.nextFlush <= now && !$0.isFlushing }
            .sorted { ($0.alerts.count, $0.nextFlush, $0.id) < ($1.alerts.count, $1.nextFlush, $1.id) }
        let oldest = due.indices.min { due[$0].nextFlush < due[$1].nextFlush }
        var left = Self.alertsTaken
        var taken: [DueGroup] = []
        for (index, group) in due.enumerated() {
            if index != oldest {
                left -= group.alerts.count
                if left < 0 { continue }
            }
            groups[ExactText(group.id)]?.hasFlushed = true
            groups[ExactText(group.id)]?.isFlushing = true
            // The next flush counts from the beginning of this one.
            groups[ExactText(group.id)]?.nextFlush = now &+ group.route.groupInterval
            taken.append(DueGroup(group: group, time: now))
        }
        return taken
    }

    /// Ends a flush.
    ///
    /// After a successful flush, the alerts that it notified as resolved leave the group, unless they fire again in the
    /// meantime. A group without alerts is removed.
    ///
    /// - Parameter step: The ms by which the wall clock was set since the flush began.
    package mutating func finish(_ flush: GroupFlush, succeeded: Bool, shiftedBy step: Int64 = 0) {
        guard var group = groups.removeValue(forKey: ExactText(flush.groupID)) else { return }
        group.isFlushing = false
        if succeeded {
            for notified in flush.alerts where notified.alert.endsAt != 0 {
                let updatedAt = notified.shifted(by: step).alert.updatedAt
                if group.alerts[notified.fingerprint]?.alert.updatedAt == updatedAt {
                    group.alerts[notified.fingerprint] = nil
                }
            }
        }
        if group.alerts.isEmpty { return }
        groups[ExactText(flush.groupID)] = group
        awaitFlush(of: group)
    }

    /// Copies the next flush times and the running flushes of groups with the same identity, after a reload.
    package mutating func adopt(_ old: Dispatcher) {
        for id in Array(groups.keys) {
            guard let before = old.groups[id] else { continue }
            groups[id]?.nextFlush = before.nextFlush
            groups[id]?.hasFlushed = before.hasFlushed
            groups[id]?.isFlushing = before.isFlushing
        }
        findDeadline()
    }

    /// Changes every group.
    mutating func change(_ body: (inout Group) -> Void) {
        for id in Array(groups.keys) {
            guard var group = groups[id] else { continue }
            body(&group)
            groups[id] = group
        }
        findDeadline()
    }

    /// Whether an alert is in a group.
    package func holds(_ alert: NotifiedAlert) -> Bool {
        let labels = alert.alert.labels
        return root.match(labels).contains {
            groups[ExactText($0.groupID($0.groupLabels(of: labels)))]?.alerts[alert.fingerprint] != nil
        }
    }

    /// A group in the API.
    package struct GroupStatus: Sendable {
        package var id: String
        package var receiver: String
        package var route: Route
        package var labels: Labels
        package var alerts: [NotifiedAlert]
        /// ms.
        package var nextFlush: Int64
    }

    /// All groups, by labels, receiver and identity; alerts are in the order of payloads.
    package var status: [GroupStatus] {
        groups.values.map { group in
            let status = GroupStatus(
                id: group.id, receiver: group.route.receiver, route: group.route, labels: group.labels,
                alerts: PayloadOrder.sorted(Array(group.alerts.values)), nextFlush: group.nextFlush)
            return (key: PayloadOrder.key(of: group.labels), status: status)
        }.sorted { a, b in
            if a.key != b.key { return a.key.lexicographicallyPrecedes(b.key) }
            let (x, y) = (a.status, b.status)
            return (ExactText(x.receiver), ExactText(x.id)) < (ExactText(y.receiver), ExactText(y.id))
        }.map(\.status)
    }

    /// The routes that match an alert.
    package func routes(of labels: Labels) -> [Route] { root.match(labels) }
}
