import Model
import Platform

extension Notifier {
    /// The numbers of alerts that nothing mutes, and that silences or inhibition mute.
    struct CountedAlerts: Sendable {
        /// The alerts and silences that were counted.
        struct Version: Sendable, Equatable {
            var firing: Int
            var silences: Int
        }

        var version: Version
        /// The number of times that they were counted.
        var looks = 1
        var active = 0
        var suppressed = 0
    }

    /// All that changes in a notifier.
    struct State: Sendable {
        var settings: NotifierSettings
        var dispatcher: Dispatcher
        var memory: LedgerState
        var inhibition = KeptInhibitor()
        /// The alerts of the last look at all of them.
        var counted: CountedAlerts?
        /// The alerts that are not processed yet.
        var incoming: [Alert] = []
        var nextMaintenance: Int64 = 0
        var ledgerPlan = LedgerPlan()
        var running: [Int: Task<Void, Never>] = [:]
        /// The integrations whose last notification failed, with the times of the first failures since a success, ms.
        var failing: [ExactText: Int64] = [:]
        var nextTask = 0
        /// The deliveries of which an attempt failed and which are tried again.
        var repeated: [NotificationEntry.Key: Delivery] = [:]
        var loop: Task<Void, Never>?
        var isStopping = false
        var steps = ClockSteps()
        /// The ms by which the wall clock was set since the start, as far as times are adjusted.
        var shifted: Int64 = 0

        /// The inhibitor of the alerts that fire at `now`.
        ///
        /// It is asked before the state is copied, so that the copy has nothing left to do.
        mutating func inhibitor(at now: Int64) -> Inhibitor {
            inhibition.inhibitor(settings.pipeline.inhibitRules, &memory.alerts, at: now)
        }
    }

    /// A dispatcher with the alerts of `memory`.
    ///
    /// A resolved alert is only added to groups in which it was notified as firing.
    static func dispatcher(_ settings: NotifierSettings, _ memory: LedgerState, now: Int64) -> Dispatcher {
        var dispatcher = Dispatcher(root: settings.route)
        for alert in memory.alerts.sorted {
            let isResolved = alert.isResolved(at: now)
            dispatcher.insert(alert, now: now) { groupID, groupKey, route in
                guard isResolved else { return true }
                return settings.pipeline.integrations(of: route).contains { integration in
                    memory.log.entry(groupKey: groupKey, groupID: groupID, receiver: integration)?
                        .firing.contains(alert.fingerprint) ?? false
                }
            }
        }
        return dispatcher
    }
}
