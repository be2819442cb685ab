import Config
import Model

/// Targets that were discovered together and share labels.
package struct TargetGroup: Sendable, Hashable {
    /// The origin of the group, stable over refreshes: `static/0`, `/etc/targets.json:2`.
    @Exact package var source: String
    /// Each target's own labels; `__address__` is one of them.
    package var targets: [[Label]]
    /// The labels of all targets; a target's own labels have precedence.
    package var labels: [Label]

    package init(source: String, targets: [[Label]], labels: [Label] = []) {
        self.source = source
        self.targets = targets
        self.labels = labels
    }

    /// A group that is written in a configuration or a file.
    package init(_ config: TargetGroupConfig, source: String, more: [Label] = []) {
        self.source = source
        targets = config.targets.map { [Label(name: "__address__", value: $0)] }
        labels = config.labels + more
    }
}

/// The discovery settings of a consumer, for example of a scrape job.
package struct DiscoveryJob: Sendable {
    package var name: String
    package var staticConfigs: [TargetGroupConfig]
    package var fileDiscovery: [FileDiscoveryConfig]
    package var httpDiscovery: [HTTPDiscoveryConfig]
    package var dnsDiscovery: [DNSDiscoveryConfig]

    package init(
        name: String, staticConfigs: [TargetGroupConfig] = [], fileDiscovery: [FileDiscoveryConfig] = [],
        httpDiscovery: [HTTPDiscoveryConfig] = [], dnsDiscovery: [DNSDiscoveryConfig] = []
    ) {
        self.name = name
        self.staticConfigs = staticConfigs
        self.fileDiscovery = fileDiscovery
        self.httpDiscovery = httpDiscovery
        self.dnsDiscovery = dnsDiscovery
    }

    /// The discovery that is repeated after an interval, in the order of the configuration.
    var refreshed: [RefreshedDiscovery] {
        httpDiscovery.map { .http($0) } + dnsDiscovery.map { .dns($0) }
    }
}
