import Model

/// The section `tracing`.
package struct TracingConfig: Sendable {
    package struct Header: Sendable {
        package var name: String
        package var value: String
    }

    /// `grpc` or `http`.
    package var clientType = "grpc"
    package var endpoint = ""
    package var samplingFraction = 0.0
    package var insecure = false
    package var tls = TLSClientConfig()
    package var headers: [Header] = []
    /// `gzip` or empty.
    package var compression = ""
    /// Milliseconds; 0 for none.
    package var timeout: Int64 = 0

    init(_ reader: MappingReader, _ loading: LoadingContext) throws(ConfigError) {
        clientType = try reader.string("client_type", "grpc")
        endpoint = try reader.string("endpoint", "")
        samplingFraction = try reader.number("sampling_fraction") ?? 0
        insecure = try reader.bool("insecure", false)
        tls = try TLSClientConfig(reader, loading: loading)
        headers = (try reader.stringMap("headers") ?? []).map { Header(name: $0, value: $1) }
        compression = try reader.string("compression", "")
        timeout = try reader.duration("timeout", 0)
        reader.finish()
        guard ["grpc", "http"].contains(clientType) else {
            throw reader.place(of: "client_type").error("expected client_type of tracing to be grpc or http")
        }
        guard ["", "gzip"].contains(compression) else {
            throw reader.place(of: "compression").error("expected compression of tracing to be gzip or empty")
        }
        if endpoint.isEmpty { throw reader.place.error("missing endpoint in tracing config") }
    }
}
