import Model
import Rules
import Scrape

/// What is scraped.
package protocol TargetOverview: Sendable {
    /// The names of the jobs, sorted.
    func pools() -> [String]
    /// All active targets, by pool and labels.
    func targets() -> [TargetStatus]
    func droppedTargets() -> (targets: [DroppedTarget], counts: [ExactText: Int])
    /// The metadata of a metric, or of all, by target.
    func metadata(metric: String?) -> [TargetMetadata]
}

/// Which rules are evaluated.
package protocol RuleOverview: Sendable {
    /// All groups as they are after their last evaluations, in the order of their files and names.
    func status() -> [RuleGroupStatus]
}

/// Which Alertmanagers get alerts.
package protocol AlertmanagerOverview: Sendable {
    func activeURLs() -> [String]
    /// The URLs that relabelling dropped.
    func droppedURLs() -> [String]
}
