import Config
import Model

/// Targets that were found together and share labels.
package struct TargetGroup: Sendable, Hashable {
    /// Where the group comes from, stable over refreshes: `static/0`, `/etc/targets.json:2`.
    package var source: String
    /// Each target's own labels; `__address__` is one of them.
    package var targets: [[Label]]
    /// Labels of all targets, weaker than a target's own.
    package var labels: [Label]

    package init(source: String, targets: [[Label]], labels: [Label] = []) {
        self.source = source
        self.targets = targets
        self.labels = labels
    }

    /// The group that a configuration or a file spells out.
    package init(_ config: TargetGroupConfig, source: String, more: [Label] = []) {
        self.source = source
        targets = config.targets.map { [Label(name: "__address__", value: $0)] }
        labels = config.labels + more
    }
}

/// Finds target groups, again and again.
package protocol Discoverer: AnyObject, Sendable {
    /// The groups as they are now; those of a source that cannot be read stay as they were.
    func refresh() -> [TargetGroup]

    /// Whether ``refresh()`` would find something new, found out cheaply.
    func hasChanged() -> Bool

    /// Milliseconds after which to refresh even if nothing seems to have changed.
    var refreshInterval: Int64 { get }
}

/// What a consumer wants to be discovered: one scrape job, for instance.
package struct DiscoveryJob: Sendable {
    package var name: String
    package var staticConfigs: [TargetGroupConfig]
    package var fileDiscovery: [FileDiscoveryConfig]

    package init(
        name: String, staticConfigs: [TargetGroupConfig] = [], fileDiscovery: [FileDiscoveryConfig] = []
    ) {
        self.name = name
        self.staticConfigs = staticConfigs
        self.fileDiscovery = fileDiscovery
    }
}
