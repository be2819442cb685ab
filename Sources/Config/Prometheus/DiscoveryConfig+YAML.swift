import GoCompatibility
import Model

extension FileDiscoveryConfig {
    static func list(_ reader: MappingReader, _ loading: LoadingContext) throws(ConfigError) -> [FileDiscoveryConfig] {
        var result: [FileDiscoveryConfig] = []
        for node in try reader.list("file_sd_configs", empty: "empty or null section in file_sd_configs") {
            let reader = try reader.child(node, "file.plain")
            let files = try reader.strings("files") ?? []
            let interval = try reader.duration("refresh_interval", 300_000)
            reader.finish()
            if files.isEmpty {
                throw node.place.error("file service discovery config must contain at least one path name")
            }
            for file in files {
                let hasType = [".json", ".yml", ".yaml", ".JSON", ".YML", ".YAML"].contains { file.hasSuffix($0) }
                guard hasType, GoGlob.hasStarsInLastPartOnly(file) else {
                    throw reader.place(of: "files").error(
                        "path name \(GoQuote.quote(file)) is not valid for file discovery")
                }
            }
            result.append(FileDiscoveryConfig(files: files.map(loading.resolve), refreshInterval: interval))
        }
        return result
    }
}

extension HTTPDiscoveryConfig {
    static func list(_ reader: MappingReader, _ loading: LoadingContext) throws(ConfigError) -> [HTTPDiscoveryConfig] {
        var result: [HTTPDiscoveryConfig] = []
        for node in try reader.list("http_sd_configs", empty: "empty or null section in http_sd_configs") {
            let reader = try reader.child(node, "http.plain")
            let url = try reader.url("url") ?? ""
            let interval = try reader.duration("refresh_interval", 60_000)
            let client = try HTTPClientConfig(reader, loading: loading)
            reader.finish()
            if url.isEmpty { throw node.place.error("URL is missing") }
            let parts = try reader.urlParts(url, "url")
            guard parts.scheme == "http" || parts.scheme == "https" else {
                throw reader.place(of: "url").error("URL scheme must be 'http' or 'https'")
            }
            if parts.host.isEmpty || parts.host.hasPrefix(":") {
                throw reader.place(of: "url").error("host is missing in URL")
            }
            result.append(HTTPDiscoveryConfig(url: url, refreshInterval: interval, client: client))
        }
        return result
    }
}

extension DNSDiscoveryConfig {
    static func list(_ reader: MappingReader) throws(ConfigError) -> [DNSDiscoveryConfig] {
        var result: [DNSDiscoveryConfig] = []
        for node in try reader.list("dns_sd_configs", empty: "empty or null section in dns_sd_configs") {
            result.append(try DNSDiscoveryConfig(try reader.child(node, "dns.plain")))
        }
        return result
    }

    private init(_ reader: MappingReader) throws(ConfigError) {
        self.init(names: try reader.strings("names") ?? [])
        refreshInterval = try reader.duration("refresh_interval", 30_000)
        let type = try reader.string("type", RecordType.srv.rawValue)
        port = try reader.integer("port") ?? 0
        reader.finish()
        if names.isEmpty { throw reader.place.error("DNS-SD config must contain at least one SRV record name") }
        guard let known = RecordType(rawValue: GoCase.upper(type)) else {
            throw reader.place(of: "type").error("invalid DNS-SD records type \(type)")
        }
        self.type = known
        if known != .srv, port == 0 {
            throw reader.place.error("a port is required in DNS-SD configs for all record types except SRV")
        }
    }
}

/// The discovery mechanisms of Prometheus that martlet does not support yet.
enum OtherDiscovery {
    static let kinds = [
        "aws", "azure", "consul", "digitalocean", "docker", "dockerswarm", "ec2", "elasticache", "ecs", "eureka",
        "gce", "hetzner", "ionos", "kubernetes", "kuma", "lightsail", "linode", "marathon", "msk", "nerve", "nomad",
        "oci", "openstack", "outscale", "ovhcloud", "puppetdb", "rds", "scaleway", "serverset", "stackit", "triton",
        "uyuni", "vultr",
    ].map { $0 + "_sd_configs" }

    static func note(_ reader: MappingReader, _ loading: LoadingContext) {
        for key in kinds where reader.node(key) != nil { loading.unsupported(key, at: reader.place(of: key)) }
    }
}
