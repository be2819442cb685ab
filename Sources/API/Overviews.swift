import JSON
import Model
import Rules
import Scrape

/// The scrape targets, as the API shows them.
package protocol TargetOverview: Sendable {
    /// The names of the jobs, sorted.
    func pools() -> [String]
    /// All active targets, by pool and labels.
    func targets() -> [TargetStatus]
    func droppedTargets() -> (targets: [DroppedTarget], counts: [ExactText: Int])
    /// The metadata of a metric, or of all, by target.
    func metadata(metric: String?) -> [TargetMetadata]
}

/// The rules, as the API shows them.
package protocol RuleOverview: Sendable {
    /// All groups after their last evaluations, in the order of their files and names.
    func status() -> [RuleGroupStatus]
}

/// The heartbeats that others send.
package protocol HeartbeatInput: Sendable {
    /// Notes a heartbeat; returns the ms until the next one is due, or nil if nobody expects one of this name.
    func call(_ name: String) throws -> Int64?
}

/// The Alertmanagers that receive alerts.
package protocol AlertmanagerOverview: Sendable {
    func activeURLs() -> [String]
    /// The URLs that relabelling has dropped.
    func droppedURLs() -> [String]
}

/// The ledger of the built-in notifier, as the API shows it.
package protocol NotificationOverview: Sendable {
    /// The matchers of `filter` parameters.
    func matchers(_ filters: [String]) throws(NotificationQueryError) -> [Matcher]
    /// Deliveries with their attempts, the newest first.
    func deliveries(_ query: NotificationQuery) throws(NotificationQueryError) -> [JSONValue]
    /// The reasons why receivers were or were not notified of the alerts that match, at most `limit` of them.
    func explanations(of matchers: [Matcher], limit: Int) -> [ExplainedAlert]
}

/// A question for deliveries; nil asks for all.
package struct NotificationQuery: Sendable {
    package var matchers: [Matcher] = []
    package var fingerprint: String?
    package var receiver: String?
    package var outcome: String?
    /// ms.
    package var since = Int64.min
    /// ms.
    package var until = Int64.max
    package var limit = 100
}

/// The reason why a parameter is refused.
package struct NotificationQueryError: Error {
    package var parameter: String
    package var reason: String

    package init(_ parameter: String, _ reason: String) {
        self.parameter = parameter
        self.reason = reason
    }
}

/// An alert with the reasons why receivers were or were not notified of it.
package struct ExplainedAlert: Sendable {
    /// One fact, in the form of a program and as a sentence.
    package struct Step: Sendable {
        package var kind: String
        package var sentence: String
        package var details: [(key: String, value: JSONValue)]

        package init(_ kind: String, _ sentence: String, _ details: [(key: String, value: JSONValue)] = []) {
            self.kind = kind
            self.sentence = sentence
            self.details = details
        }
    }

    package var labels: Labels
    /// The members besides labels, rule and steps.
    package var members: [(key: String, value: JSONValue)]
    package var steps: [Step]

    package init(labels: Labels, members: [(key: String, value: JSONValue)], steps: [Step]) {
        self.labels = labels
        self.members = members
        self.steps = steps
    }
}
