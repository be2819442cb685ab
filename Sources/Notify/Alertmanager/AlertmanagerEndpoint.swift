import Config
import Discovery
import GoCompatibility
import Model
import Telemetry

/// One external Alertmanager.
package struct AlertmanagerEndpoint: Sendable {
    /// `http://host:9093/api/v2/alerts`.
    package var url: String
    /// ms.
    package var timeout: Int64
    /// The `alert_relabel_configs` of its entry.
    package var relabelRules: [RelabelRule]
    package var transport: any NotificationTransport
    /// Whether relabelling has dropped it, so that it receives no alerts.
    package var isDropped = false

    package init(
        url: String, timeout: Int64 = 10_000, relabelRules: [RelabelRule] = [], transport: any NotificationTransport
    ) {
        self.url = url
        self.timeout = timeout
        self.relabelRules = relabelRules
        self.transport = transport
    }
}

/// An entry of `alertmanagers`, with what sends its requests: it makes Alertmanagers of targets.
package struct AlertmanagerEntry: Sendable {
    private static let log = Log("notifier")

    package let config: AlertmanagerEndpointConfig
    private let transport: any NotificationTransport

    package init(_ config: AlertmanagerEndpointConfig, _ transport: any NotificationTransport) {
        self.config = config
        self.transport = transport
    }

    /// Makes the entries of the configuration's `alerting` block.
    ///
    /// - Parameter transport: Makes the transport of an entry.
    package static func all(
        _ config: AlertingConfig, transport: (AlertmanagerEndpointConfig) throws -> any NotificationTransport
    ) rethrows -> [AlertmanagerEntry] {
        try config.alertmanagers.map { AlertmanagerEntry($0, try transport($0)) }
    }

    /// The discovery of the entry's targets.
    ///
    /// - Parameter index: The number of the entry in its block.
    package func job(_ index: Int) -> DiscoveryJob {
        DiscoveryJob(
            name: "config-\(index)", staticConfigs: config.staticConfigs, fileDiscovery: config.fileDiscovery,
            httpDiscovery: config.httpDiscovery, dnsDiscovery: config.dnsDiscovery)
    }

    /// The Alertmanagers of targets; of several with the same URL the first one.
    package func endpoints(_ groups: [TargetGroup]) -> [AlertmanagerEndpoint] {
        var active = Set<ExactText>()
        var dropped = Set<ExactText>()
        var result: [AlertmanagerEndpoint] = []
        for group in groups {
            for target in group.targets {
                let place = Place(target, group.labels, config)
                if let mistake = place.mistake {
                    Self.log.error("Creating alertmanagers failed", about: [mistake], ["err": mistake])
                }
                guard !place.url.isEmpty else { continue }
                let isNew =
                    place.isDropped
                    ? dropped.insert(ExactText(place.url)).inserted : active.insert(ExactText(place.url)).inserted
                guard isNew else { continue }
                var endpoint = AlertmanagerEndpoint(
                    url: place.url, timeout: config.timeout, relabelRules: config.alertRelabelRules,
                    transport: transport)
                endpoint.isDropped = place.isDropped
                result.append(endpoint)
            }
        }
        return result
    }

    /// The first static target of the block whose address after relabelling is not a host, with its place.
    package static func problem(_ config: AlertingConfig) -> ConfigError? {
        for entry in config.alertmanagers {
            for (group, places) in zip(entry.staticConfigs, entry.targetPlaces) {
                let group = TargetGroup(group, source: "")
                for (target, place) in zip(group.targets, places) {
                    if let mistake = Place(target, group.labels, entry).mistake { return place.error(mistake) }
                }
            }
        }
        return nil
    }

    /// The mistakes in the addresses of a group's targets.
    package static func mistakes(_ group: TargetGroup, _ config: AlertmanagerEndpointConfig) -> [String] {
        group.targets.compactMap { Place($0, group.labels, config).mistake }
    }

    /// The URL of a target after relabelling.
    private struct Place {
        /// Empty if the target has none.
        ///
        /// A dropped target has the URL of its labels before relabelling.
        var url = ""
        var isDropped = false
        /// The reason why the address is not a host; nil if it is one.
        var mistake: String?

        init(_ target: [Label], _ labels: [Label], _ entry: AlertmanagerEndpointConfig) {
            var builder = LabelsBuilder()
            builder.set(labels)
            builder.set(target)
            func setIfMissing(_ name: String, _ value: String) {
                if builder.get(name).isEmpty { builder.set(name, value) }
            }
            setIfMissing("__scheme__", entry.scheme)
            let parts = (entry.pathPrefix + "/api/v2/alerts").split(separator: "/")
            setIfMissing("__alerts_path__", "/" + parts.joined(separator: "/"))
            let before = Self.url(builder)
            isDropped = !Relabel.apply(entry.relabelRules, to: &builder)
            url = isDropped ? before : Self.url(builder)
            let address = builder.get("__address__")
            if !isDropped, address.contains("/") {
                mistake = "\(GoQuote.quote(ConfigURL.shown(address))) is not a valid hostname"
            }
        }

        private static func url(_ labels: LabelsBuilder) -> String {
            let (address, path) = (labels.get("__address__"), labels.get("__alerts_path__"))
            guard !address.isEmpty, !address.contains("/") else { return "" }
            return "\(labels.get("__scheme__"))://\(address)\(path.isEmpty || path.hasPrefix("/") ? path : "/" + path)"
        }
    }
}
