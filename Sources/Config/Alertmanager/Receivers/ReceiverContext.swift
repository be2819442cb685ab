import Model

/// The surroundings of the sections of all receivers: the defaults of `global`, and the state of the file.
struct ReceiverContext {
    let globals: AlertmanagerGlobals
    let loading: LoadingContext

    func reader(_ node: YAMLNode, _ context: String) throws(ConfigError) -> MappingReader {
        try MappingReader(node, context, loading.problems)
    }

    /// The client of a receiver: its own one as a whole, or that of `global`.
    func client(_ reader: MappingReader) throws(ConfigError) -> HTTPClientConfig {
        guard let http = try reader.mapping("http_config", "config.HTTPClientConfig") else { return globals.client }
        let client = try HTTPClientConfig(http, loading: loading)
        http.finish()
        return client
    }

    /// The parts of a list in a section.
    func parts<T>(
        _ reader: MappingReader, _ nodes: [YAMLNode], _ context: String,
        _ read: (MappingReader) throws(ConfigError) -> T
    ) throws(ConfigError) -> [T] {
        var result: [T] = []
        for node in nodes {
            let part = try reader.child(node, context)
            result.append(try read(part))
        }
        return result
    }

    /// A URL whose path ends with a slash.
    static func withSlash(_ url: String) -> String {
        let end = url.firstIndex { $0 == "?" || $0 == "#" } ?? url.endIndex
        return url[..<end].hasSuffix("/") ? url : url[..<end] + "/" + url[end...]
    }
}
