import Model

/// The settings with which a client gets tokens with its own credentials (RFC 6749, section 4.4).
package struct OAuth2Config: Sendable, Hashable {
    /// A parameter that is added to the request for a token.
    package struct Parameter: Sendable, Hashable {
        @Exact package var name: String
        @Exact package var value: String

        package init(name: String, value: String) {
            self.name = name
            self.value = value
        }
    }

    @Exact package var clientID = ""
    @Exact package var clientSecret = ""
    @Exact package var clientSecretFile = ""
    @Exact package var tokenURL = ""
    @Exact package var scopes: [String] = []
    package var endpointParameters: [Parameter] = []
    package var tls = TLSClientConfig()
    package var proxy = ProxyConfig()

    package init() {}

    /// The keys of the grant that signs a claim with the client's key (RFC 7523).
    private static let signingKeys = [
        "client_certificate_key_id", "client_certificate_key", "client_certificate_key_file", "signature_algorithm",
        "iss", "audience", "claims",
    ]

    init(_ reader: MappingReader, _ loading: LoadingContext) throws(ConfigError) {
        clientID = try reader.string("client_id", "")
        clientSecret = try reader.string("client_secret", "")
        clientSecretFile = loading.resolve(try reader.string("client_secret_file", ""))
        tokenURL = try reader.url("token_url") ?? ""
        scopes = try reader.strings("scopes") ?? []
        endpointParameters = (try reader.stringMap("endpoint_params") ?? []).map { Parameter(name: $0, value: $1) }
        tls = try TLSClientConfig(reader, loading: loading)
        proxy = try ProxyConfig(reader)
        try HTTPClientConfig.noReferences(reader, ["client_secret_ref", "client_certificate_key_ref"])
        try noteUnsupported(reader, loading)
        reader.finish()
        if clientID.isEmpty { throw reader.place.error("oauth2 client_id must be configured") }
        if tokenURL.isEmpty { throw reader.place.error("oauth2 token_url must be configured") }
        if !clientSecret.isEmpty, !clientSecretFile.isEmpty {
            throw reader.place.error(
                "at most one of oauth2 client_secret, client_secret_file & client_secret_ref must be configured using grant-type=client_credentials"
            )
        }
    }

    /// Records settings of grants other than that of the client's credentials.
    private func noteUnsupported(_ reader: MappingReader, _ loading: LoadingContext) throws(ConfigError) {
        let grant = try reader.string("grant_type", "")
        if !grant.isEmpty, grant != "client_credentials" {
            loading.unsupported("oauth2 grant_type", at: reader.place(of: "grant_type"))
        }
        for key in Self.signingKeys {
            guard let node = reader.node(key), !node.isNull, node.text != "" else { continue }
            loading.unsupported("oauth2 \(key)", at: reader.place(of: key))
        }
    }
}

extension OAuth2Config {
    var effective: YAMLText {
        var out = EffectiveMap()
        // Prometheus shows the first keys even if they are empty.
        out.add("client_id", .string(clientID))
        out.add("client_secret", clientSecret.isEmpty ? .plain("null") : EffectiveMap.hidden)
        out.add("client_secret_file", .string(clientSecretFile))
        for key in ["client_secret_ref", "client_certificate_key_id"] { out.add(key, .string("")) }
        out.add("client_certificate_key", .plain("null"))
        for key in ["client_certificate_key_file", "client_certificate_key_ref", "grant_type"] {
            out.add(key, .string(""))
        }
        out.unlessEmpty("scopes", .strings(scopes))
        out.add("token_url", .string(ConfigURL.shown(tokenURL)))
        out.unlessEmpty("endpoint_params", .sorted(endpointParameters.map { ($0.name, .string($0.value)) }))
        out.unlessEmpty("tls_config", tls.effective)
        out.add(proxy.effective)
        return .map(out.members)
    }
}
