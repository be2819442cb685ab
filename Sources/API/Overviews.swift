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
