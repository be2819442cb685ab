import Model
import Platform
import Synchronization

/// A question for the deliveries in the ledger; nil asks for all.
package struct DeliveryQuery: Sendable {
    /// Only those with an alert that matches.
    package var matchers: [Matcher] = []
    package var fingerprint: Fingerprint?
    package var receiver: String?
    package var outcome: Delivery.Outcome?
    /// ms.
    package var since = Int64.min
    /// ms.
    package var until = Int64.max
    package var limit = 100

    package init() {}
}

extension Notifier {
    /// Deliveries, the newest first.
    package func deliveries(_ query: DeliveryQuery) -> [Delivery] {
        let memory = state.withLock { $0.memory }
        var wanted: Set<Fingerprint>?
        if !query.matchers.isEmpty {
            func isMatching(_ labels: Labels) -> Bool { query.matchers.allSatisfy { $0.matches(labels) } }
            let known = memory.alerts.byFingerprint.filter { isMatching($0.value.alert.labels) }.keys
            let past = memory.histories.byFingerprint.filter { isMatching($0.value.labels) }.keys
            wanted = Set(known).union(past)
        }
        let matching = memory.deliveries.lazy.reversed().filter { delivery in
            guard (query.since...max(query.since, query.until)).contains(delivery.time),
                query.receiver.map(delivery.receiver.isExactly) ?? true,
                query.outcome.map({ $0 == delivery.outcome }) ?? true
            else { return false }
            if let one = query.fingerprint, !delivery.firing.contains(one), !delivery.resolved.contains(one) {
                return false
            }
            guard let wanted else { return true }
            return delivery.firing.contains(where: wanted.contains)
                || delivery.resolved.contains(where: wanted.contains)
        }
        return Array(matching.prefix(max(0, query.limit)))
    }

    /// The reasons why receivers were or were not notified of the alerts that match, at most `limit` of them.
    package func explanations(of matchers: [Matcher], limit: Int) -> [AlertExplanation] {
        let now = clock.now()
        let state = state.withLock { state in
            _ = state.inhibitor(at: now)
            return state
        }
        return AlertExplainer(state, at: now).explanations(of: matchers, limit: limit)
    }
}
