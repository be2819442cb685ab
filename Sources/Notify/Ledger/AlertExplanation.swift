import GoCompatibility
import JSON
import Model

/// One fact of the reasons why a receiver was or was not notified of an alert.
package struct ExplanationStep: Sendable {
    package enum Kind: String, Sendable, CaseIterable {
        case firing, resolved
        /// A route other than the root matches.
        case route
        /// No route but the root matches.
        case defaultRoute = "default_route"
        case group
        case inhibited, silenced, muted
        case outsideActiveTime = "outside_active_time"
        case noIntegrations = "no_integrations"
        /// The group waits for its next flush.
        case waiting
        /// An attempt failed, and another one follows before the next flush.
        case retrying
        /// An attempt failed before the one that succeeded.
        case retried
        /// The receiver refused the notification.
        case refused
        /// No attempt succeeded.
        case failed
        case notified
        /// The time of the next repetition.
        case repeats
        case resolutionNotified = "resolution_notified"
        case resolutionNotSent = "resolution_not_sent"
        case resolvedBeforeNotified = "resolved_before_notified"
    }

    package var kind: Kind
    package var sentence: String
    package var details: [(key: String, value: JSONValue)]

    init(_ kind: Kind, _ sentence: String, _ details: [(key: String, value: JSONValue)] = []) {
        self.kind = kind
        self.sentence = sentence
        self.details = details
    }
}

/// An alert with the reasons why receivers were or were not notified of it.
package struct AlertExplanation: Sendable {
    package enum State: String, Sendable {
        case firing, resolved
        /// It was resolved, and only the ledger knows it.
        case past
    }

    package var labels: Labels
    package var state: State
    package var startsAt: Int64
    /// 0 if it is not known.
    package var endsAt: Int64
    package var steps: [ExplanationStep]
    /// The changes of its states in its groups, the oldest first.
    package var changes: [AlertChange]
}

extension AlertExplanation {
    /// The members of the alert in the API, without its labels and steps.
    package var members: [(key: String, value: JSONValue)] {
        var members: [(key: String, value: JSONValue)] = [
            (key: "fingerprint", value: .string(Fingerprint(labels).description)),
            (key: "state", value: .string(state.rawValue)), (key: "startsAt", value: .string(RFC3339.text(startsAt))),
        ]
        if endsAt != 0 { members.append((key: "endsAt", value: .string(RFC3339.text(endsAt)))) }
        members.append((key: "history", value: .array(changes.map(\.json))))
        return members
    }
}

extension AlertChange {
    var json: JSONValue {
        .object([
            (key: "time", value: .string(RFC3339.text(time))), (key: "state", value: .string(state.name)),
            (key: "groupKey", value: .string(groupKey)), (key: "target", value: .string(target)),
            (key: "causes", value: .array(causes.map { .string($0) })),
        ])
    }
}

extension DeliveryAttempt {
    var json: JSONValue {
        .object([
            (key: "time", value: .string(RFC3339.text(time))), (key: "outcome", value: .string(outcome.name)),
            (key: "status", value: .number(Double(status))),
            (key: "latencySeconds", value: .number(Double(latency) / 1000)), (key: "error", value: .string(error)),
            (key: "answer", value: .string(answer)),
        ])
    }
}

extension Delivery {
    /// The delivery in the API.
    package var json: JSONValue {
        func list(_ fingerprints: [Fingerprint]) -> JSONValue {
            .array(fingerprints.prefix(Self.shownAlerts).map { .string($0.description) })
        }
        return .object([
            (key: "time", value: .string(RFC3339.text(time))), (key: "receiver", value: .string(receiver)),
            (key: "integration", value: .string(integration)), (key: "groupKey", value: .string(groupKey)),
            (key: "reason", value: .string(reason)), (key: "outcome", value: .string(outcome.name)),
            (key: "status", value: .number(Double(status))), (key: "attempts", value: .number(Double(attempts))),
            (key: "durationSeconds", value: .number(Double(duration) / 1000)), (key: "error", value: .string(error)),
            (key: "firing", value: list(firing)), (key: "firingCount", value: .number(Double(firing.count))),
            (key: "resolved", value: list(resolved)), (key: "resolvedCount", value: .number(Double(resolved.count))),
            (key: "attemptLog", value: .array(log.map(\.json))),
        ])
    }

    /// The most fingerprints of a list in the API: a group may have very many alerts.
    private static let shownAlerts = 100
}

extension Delivery.Outcome {
    package var name: String { self == .delivered ? "delivered" : "failed" }
}
