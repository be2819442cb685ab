import GoCompatibility
import Model

/// The heartbeats that the daemon sends and those that it expects (`--heartbeat.config.file`).
package struct HeartbeatConfig: Sendable {
    /// A URL that is called while the daemon is alive.
    package struct Outgoing: Sendable {
        package var place: ConfigPlace
        package var url: String
        /// ms.
        package var interval: Int64
        /// ms.
        package var timeout: Int64
        package var client: HTTPClientConfig
    }

    /// A heartbeat that others send.
    package struct Incoming: Sendable {
        package var place: ConfigPlace
        package var name: String
        /// ms.
        package var interval: Int64
        /// Further labels of the alert.
        package var labels: [Label]
    }

    package var outgoing: [Outgoing] = []
    package var incoming: [Incoming] = []

    /// The most heartbeats of a direction.
    static let most = 1000

    package init() {}

    package static func load(path: String) throws(ConfigError) -> HeartbeatConfig {
        try parse(text: try ConfigFile.read(path), path: path)
    }

    /// Reads a configuration from text; `path` names it in errors, and is the base of relative paths.
    package static func parse(text: [UInt8], path: String) throws(ConfigError) -> HeartbeatConfig {
        var config = HeartbeatConfig()
        guard let root = try YAMLParser.parse(text, file: path) else { return config }
        let loading = LoadingContext(file: path) { _ in nil }
        let reader = try MappingReader(root, "heartbeat.Config", loading.problems)
        for node in try reader.list("outgoing", empty: "empty or null heartbeat") {
            let one = loading.problems.collect { () throws(ConfigError) in try Outgoing(node, loading) }
            if let one { config.outgoing.append(one) }
        }
        var names: Set<ExactText> = []
        for node in try reader.list("incoming", empty: "empty or null heartbeat") {
            let one = loading.problems.collect { () throws(ConfigError) in try Incoming(node, loading) }
            guard let one else { continue }
            if !names.insert(ExactText(one.name)).inserted {
                loading.problems.add(one.place.error("heartbeat name \(GoQuote.quote(one.name)) is not unique"))
            }
            config.incoming.append(one)
        }
        reader.finish()
        if max(config.outgoing.count, config.incoming.count) > most {
            loading.problems.add(root.place.error("more than \(most) heartbeats"))
        }
        try loading.problems.check()
        if let missing = loading.missing.first { throw missing }
        return config
    }
}

extension HeartbeatConfig.Outgoing {
    fileprivate init(_ node: YAMLNode, _ loading: LoadingContext) throws(ConfigError) {
        let reader = try MappingReader(node, "heartbeat.Outgoing", loading.problems)
        place = node.place
        url = try reader.string("url", "")
        interval = try reader.duration("interval", 60_000)
        timeout = try reader.duration("timeout", 10_000)
        client = HTTPClientConfig()
        if let http = try reader.mapping("http_config", "config.HTTPClientConfig") {
            client = try HTTPClientConfig(http, loading: loading)
            http.finish()
        }
        reader.finish()
        if url.isEmpty { throw place.error("a heartbeat needs a url") }
        try reader.checkHTTPURL(url, "url")
        if interval < 1000 { throw reader.place(of: "interval").error("interval is shorter than 1s") }
        if timeout < 1 { throw reader.place(of: "timeout").error("timeout must be greater than 0") }
    }
}

extension HeartbeatConfig.Incoming {
    fileprivate init(_ node: YAMLNode, _ loading: LoadingContext) throws(ConfigError) {
        let reader = try MappingReader(node, "heartbeat.Incoming", loading.problems)
        place = node.place
        name = try reader.string("name", "")
        interval = try reader.duration("interval", 0)
        labels = []
        for (key, value) in try reader.stringMap("labels") ?? [] {
            if key.isEmpty || ["__name__", "alertname", "heartbeat"].contains(key) {
                throw reader.place(of: "labels").error("invalid label name: \(key)")
            }
            labels.append(Label(name: key, value: value))
        }
        reader.finish()
        let isPart = name.utf8.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "_"), UInt8(ascii: "."):
                true
            default: false
            }
        }
        guard !name.isEmpty, isPart, name.utf8.count <= 128, !name.allSatisfy({ $0 == "." }) else {
            throw reader.place(of: "name").error(
                "a heartbeat needs a name of at most 128 letters, digits, '-', '_' and '.'")
        }
        if interval < 1000 {
            throw reader.place(of: "interval").error("a heartbeat needs an interval of 1s or more")
        }
    }
}
