import Config
import GoCompatibility
import Model

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

    /// The Alertmanagers of the configuration's `alerting` block; the first is used if URLs are equal.
    ///
    /// - Parameter transport: Makes the transport for an entry's client settings.
    package static func all(
        _ config: AlertingConfig, transport: (HTTPClientConfig) throws -> any NotificationTransport
    ) rethrows -> [AlertmanagerEndpoint] {
        var seen = Set<ExactText>()
        var result: [AlertmanagerEndpoint] = []
        for entry in config.alertmanagers {
            let carrier = try transport(entry.client)
            for group in entry.staticConfigs {
                for target in group.targets {
                    let (url, _, isDropped) = url(of: target, group.labels, entry)
                    guard !url.isEmpty, seen.insert(ExactText(url)).inserted else { continue }
                    var endpoint = AlertmanagerEndpoint(
                        url: url, timeout: entry.timeout, relabelRules: entry.alertRelabelRules, transport: carrier)
                    endpoint.isDropped = isDropped
                    result.append(endpoint)
                }
            }
        }
        return result
    }

    /// The first target of the block whose address after relabelling is not a host, with its place.
    package static func problem(_ config: AlertingConfig) -> ConfigError? {
        for entry in config.alertmanagers {
            for (group, places) in zip(entry.staticConfigs, entry.targetPlaces) {
                for (target, place) in zip(group.targets, places) {
                    let (_, address, isDropped) = url(of: target, group.labels, entry)
                    if !isDropped, address.contains("/") {
                        return place.error("\(GoQuote.quote(ConfigURL.shown(address))) is not a valid hostname")
                    }
                }
            }
        }
        return nil
    }

    /// The URL and the address of a target after relabelling, and whether the rules dropped it.
    ///
    /// The URL is empty if the target has none.
    ///
    /// A dropped target has the URL of its labels before relabelling.
    private static func url(
        of target: String, _ labels: [Label], _ entry: AlertmanagerEndpointConfig
    ) -> (url: String, address: String, isDropped: Bool) {
        var builder = LabelsBuilder()
        for label in labels { builder.set(label.name, label.value) }
        builder.set("__address__", target)
        func setIfMissing(_ name: String, _ value: String) {
            if builder.get(name).isEmpty { builder.set(name, value) }
        }
        setIfMissing("__scheme__", entry.scheme)
        let parts = (entry.pathPrefix + "/api/v2/alerts").split(separator: "/")
        setIfMissing("__alerts_path__", "/" + parts.joined(separator: "/"))
        func url(_ builder: LabelsBuilder) -> String {
            let (address, path) = (builder.get("__address__"), builder.get("__alerts_path__"))
            guard !address.isEmpty, !address.contains("/") else { return "" }
            return "\(builder.get("__scheme__"))://\(address)\(path.isEmpty || path.hasPrefix("/") ? path : "/" + path)"
        }
        let before = url(builder)
        guard Relabel.apply(entry.relabelRules, to: &builder) else { return (before, target, true) }
        return (url(builder), builder.get("__address__"), false)
    }
}
