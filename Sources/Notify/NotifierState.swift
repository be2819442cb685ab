import Model
import Platform

extension Notifier {
    /// All that changes in a notifier.
    struct State: Sendable {
        var settings: NotifierSettings
        var dispatcher: Dispatcher
        var memory: LedgerState
        var inhibition = KeptInhibitor()
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
        mutating func inhibitor(at now: Int64) -> Inhibitor {
            inhibition.inhibitor(settings.pipeline.inhibitRules, &memory.alerts, at: now)
        }
    }
}
