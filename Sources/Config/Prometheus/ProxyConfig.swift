/// The proxy of requests; the keys are inline in the section of their client.
package struct ProxyConfig: Sendable, Hashable {
    /// The proxy's URL; empty for none.
    package var url = ""
    /// The hosts that are connected to directly, in the format of `NO_PROXY`.
    package var exceptions = ""
    package var isFromEnvironment = false
    /// The headers that only the proxy receives.
    package var connectHeaders: [HTTPClientConfig.Header] = []

    package init() {}

    init(_ reader: MappingReader) throws(ConfigError) {
        url = try reader.url("proxy_url") ?? ""
        if url.utf8.starts(with: "//".utf8) {
            throw reader.place(of: "proxy_url").error("proxy_url is no valid URL: the scheme is missing")
        }
        exceptions = try reader.string("no_proxy", "")
        isFromEnvironment = try reader.bool("proxy_from_environment", false)
        connectHeaders = try Self.multiHeaders(reader, "proxy_connect_header")
        if !exceptions.isEmpty, url.isEmpty, !isFromEnvironment {
            throw reader.place(of: "no_proxy").error("if no_proxy is configured, proxy_url must also be configured")
        }
        if isFromEnvironment, !url.isEmpty {
            throw reader.place(of: "proxy_url").error(
                "if proxy_from_environment is configured, proxy_url must not be configured")
        }
        if isFromEnvironment, !exceptions.isEmpty {
            throw reader.place(of: "no_proxy").error(
                "if proxy_from_environment is configured, no_proxy must not be configured")
        }
        if !connectHeaders.isEmpty, url.isEmpty, !isFromEnvironment {
            throw reader.place(of: "proxy_connect_header").error(
                "if proxy_connect_header is configured, proxy_url or proxy_from_environment must also be configured")
        }
    }

    private static func multiHeaders(
        _ reader: MappingReader, _ key: String
    ) throws(ConfigError) -> [HTTPClientConfig.Header] {
        guard let node = reader.node(key), !node.isNull else { return [] }
        guard let members = node.members else {
            throw node.place.error("cannot unmarshal \(node.kind) into headers (\(key))")
        }
        return members.map { name, value in
            HTTPClientConfig.Header(
                name: name.text ?? "", secrets: value.elements?.compactMap(\.text) ?? value.text.map { [$0] } ?? [])
        }
    }
}
