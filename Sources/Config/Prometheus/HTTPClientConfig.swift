import Model

/// How to talk HTTP to somebody: authentication, TLS, proxies (section `<http_config>` of Prometheus's documentation).
package struct HTTPClientConfig: Sendable, Hashable {
    package struct BasicAuth: Sendable, Hashable {
        package var username = ""
        package var usernameFile = ""
        package var password = ""
        package var passwordFile = ""
    }

    /// The `Authorization` header: `type credentials`.
    package struct Authorization: Sendable, Hashable {
        package var type = "Bearer"
        package var credentials = ""
        package var credentialsFile = ""
    }

    package struct Header: Sendable, Hashable {
        package var name: String
        package var values: [String] = []
        package var secrets: [String] = []
        package var files: [String] = []
    }

    package struct OAuth2: Sendable, Hashable {
        package var clientID = ""
        package var clientSecret = ""
        package var clientSecretFile = ""
        package var tokenURL = ""
        package var scopes: [String] = []
    }

    package var basicAuth: BasicAuth?
    package var authorization: Authorization?
    package var oauth2: OAuth2?
    package var tls = TLSClientConfig()
    package var followRedirects = true
    package var enableHTTP2 = true
    package var proxyURL = ""
    package var noProxy = ""
    package var proxyFromEnvironment = false
    package var proxyConnectHeaders: [Header] = []
    package var headers: [Header] = []

    package init() {}

    private static let reserved: Set<String> = [
        "authorization", "host", "content-encoding", "content-length", "content-type", "user-agent", "connection",
        "keep-alive", "proxy-authenticate", "proxy-authorization", "www-authenticate", "accept-encoding",
        "x-prometheus-remote-write-version", "x-prometheus-remote-read-version", "x-prometheus-scrape-timeout-seconds",
        "x-amz-date", "x-amz-security-token", "x-amz-content-sha256",
    ]

    /// Reads the keys from the mapping they are inlined in.
    init(_ reader: MappingReader, loading: LoadingContext) throws(ConfigError) {
        let methods = ["basic_auth", "authorization", "oauth2", "bearer_token", "bearer_token_file"].filter {
            reader.has($0)
        }
        if reader.has("bearer_token"), reader.has("bearer_token_file") {
            throw reader.place(of: "bearer_token").error(
                "at most one of bearer_token & bearer_token_file must be configured")
        }
        if methods.count > 1 {
            throw reader.place(of: methods[1]).error(
                "at most one of basic_auth, authorization, oauth2, bearer_token & bearer_token_file must be configured")
        }
        basicAuth = try Self.basicAuth(reader, loading)
        authorization = try Self.authorization(reader, loading)
        if let token = try reader.string("bearer_token") { authorization = Authorization(credentials: token) }
        if let file = try reader.string("bearer_token_file") {
            authorization = Authorization(credentialsFile: loading.resolve(file))
        }
        oauth2 = try Self.oauth2(reader, loading)
        tls = try TLSClientConfig(reader, loading: loading)
        followRedirects = try reader.bool("follow_redirects", true)
        enableHTTP2 = try reader.bool("enable_http2", true)
        try readProxy(reader)
        try readHeaders(reader, loading)
    }

    private static func basicAuth(_ reader: MappingReader, _ loading: LoadingContext) throws(ConfigError) -> BasicAuth?
    {
        guard let auth = try reader.mapping("basic_auth", "config.BasicAuth") else { return nil }
        var result = BasicAuth()
        result.username = try auth.string("username", "")
        result.usernameFile = loading.resolve(try auth.string("username_file", ""))
        result.password = try auth.string("password", "")
        result.passwordFile = loading.resolve(try auth.string("password_file", ""))
        try noReferences(auth, ["username_ref", "password_ref"])
        auth.finish()
        if !result.username.isEmpty, !result.usernameFile.isEmpty {
            throw auth.place.error(
                "at most one of basic_auth username, username_file & username_ref must be configured")
        }
        if !result.password.isEmpty, !result.passwordFile.isEmpty {
            throw auth.place.error(
                "at most one of basic_auth password, password_file & password_ref must be configured")
        }
        return result
    }

    private static func authorization(
        _ reader: MappingReader, _ loading: LoadingContext
    ) throws(ConfigError) -> Authorization? {
        guard let auth = try reader.mapping("authorization", "config.Authorization") else { return nil }
        var result = Authorization()
        let type = try auth.string("type", "Bearer").trimmingSpace()
        result.type = type.isEmpty ? "Bearer" : type
        result.credentials = try auth.string("credentials", "")
        result.credentialsFile = loading.resolve(try auth.string("credentials_file", ""))
        try noReferences(auth, ["credentials_ref"])
        auth.finish()
        if result.type.lowercased() == "basic" {
            throw auth.place(of: "type").error(
                "authorization type cannot be set to \"basic\", use \"basic_auth\" instead")
        }
        if !result.credentials.isEmpty, !result.credentialsFile.isEmpty {
            throw auth.place.error("at most one of authorization credentials & credentials_file must be configured")
        }
        return result
    }

    private static func oauth2(_ reader: MappingReader, _ loading: LoadingContext) throws(ConfigError) -> OAuth2? {
        guard let auth = try reader.mapping("oauth2", "config.OAuth2") else { return nil }
        var result = OAuth2()
        result.clientID = try auth.string("client_id", "")
        result.clientSecret = try auth.string("client_secret", "")
        result.clientSecretFile = loading.resolve(try auth.string("client_secret_file", ""))
        result.tokenURL = try auth.string("token_url", "")
        result.scopes = try auth.strings("scopes") ?? []
        for key in [
            "endpoint_params", "tls_config", "proxy_url", "no_proxy", "proxy_from_environment", "proxy_connect_header",
            "grant_type", "client_certificate_key_id", "client_certificate_key", "client_certificate_key_file",
            "signature_algorithm", "iss", "audience", "claims",
        ] { _ = auth.node(key) }
        try noReferences(auth, ["client_secret_ref", "client_certificate_key_ref"])
        auth.finish()
        if result.clientID.isEmpty { throw auth.place.error("oauth2 client_id must be configured") }
        if result.tokenURL.isEmpty { throw auth.place.error("oauth2 token_url must be configured") }
        if !result.clientSecret.isEmpty, !result.clientSecretFile.isEmpty {
            throw auth.place.error(
                "at most one of oauth2 client_secret, client_secret_file & client_secret_ref must be configured using grant-type=client_credentials"
            )
        }
        loading.unsupported("oauth2", at: reader.place(of: "oauth2"))
        return result
    }

    static func noReferences(_ reader: MappingReader, _ keys: [String]) throws(ConfigError) {
        for key in keys where try reader.string(key) != nil {
            throw reader.place(of: key).error("cannot use secret ref without manager")
        }
    }

    private mutating func readProxy(_ reader: MappingReader) throws(ConfigError) {
        proxyURL = try reader.string("proxy_url", "")
        _ = try reader.goURL("proxy_url")
        noProxy = try reader.string("no_proxy", "")
        proxyFromEnvironment = try reader.bool("proxy_from_environment", false)
        proxyConnectHeaders = try Self.multiHeaders(reader, "proxy_connect_header")
        if !noProxy.isEmpty, proxyURL.isEmpty, !proxyFromEnvironment {
            throw reader.place(of: "no_proxy").error("if no_proxy is configured, proxy_url must also be configured")
        }
        if proxyFromEnvironment, !proxyURL.isEmpty {
            throw reader.place(of: "proxy_url").error(
                "if proxy_from_environment is configured, proxy_url must not be configured")
        }
        if proxyFromEnvironment, !noProxy.isEmpty {
            throw reader.place(of: "no_proxy").error(
                "if proxy_from_environment is configured, no_proxy must not be configured")
        }
        if !proxyConnectHeaders.isEmpty, proxyURL.isEmpty, !proxyFromEnvironment {
            throw reader.place(of: "proxy_connect_header").error(
                "if proxy_connect_header is configured, proxy_url or proxy_from_environment must also be configured")
        }
    }

    private static func multiHeaders(_ reader: MappingReader, _ key: String) throws(ConfigError) -> [Header] {
        guard let node = reader.node(key), !node.isNull else { return [] }
        guard let members = node.members else {
            throw node.place.error("cannot unmarshal \(node.kind) into headers (\(key))")
        }
        return members.map { name, value in
            Header(name: name.text ?? "", secrets: value.elements?.compactMap(\.text) ?? value.text.map { [$0] } ?? [])
        }
    }

    private mutating func readHeaders(_ reader: MappingReader, _ loading: LoadingContext) throws(ConfigError) {
        guard let node = reader.node("http_headers"), !node.isNull else { return }
        guard let members = node.members else {
            throw node.place.error("cannot unmarshal \(node.kind) into config.Headers")
        }
        for (name, value) in members {
            var header = Header(name: name.text ?? "")
            if Self.reserved.contains(header.name.lowercased()) {
                throw name.place.error("setting header \(GoQuote.quote(header.name)) is not allowed")
            }
            let fields = try reader.child(value, "config.Header")
            header.values = try fields.strings("values") ?? []
            header.secrets = try fields.strings("secrets") ?? []
            header.files = (try fields.strings("files") ?? []).map(loading.resolve)
            fields.finish()
            headers.append(header)
        }
    }
}

/// The client's side of TLS.
package struct TLSClientConfig: Sendable, Hashable {
    /// Certificates that are trusted, as PEM text or a file.
    package var ca = ""
    package var caFile = ""
    package var cert = ""
    package var certFile = ""
    package var key = ""
    package var keyFile = ""
    package var serverName = ""
    package var insecureSkipVerify = false
    /// `TLS10` … `TLS13`, or empty.
    package var minVersion = ""
    package var maxVersion = ""

    package init() {}

    init(_ parent: MappingReader, loading: LoadingContext) throws(ConfigError) {
        guard let reader = try parent.mapping("tls_config", "config.TLSConfig") else { return }
        ca = try reader.string("ca", "")
        caFile = loading.resolve(try reader.string("ca_file", ""))
        cert = try reader.string("cert", "")
        certFile = loading.resolve(try reader.string("cert_file", ""))
        key = try reader.string("key", "")
        keyFile = loading.resolve(try reader.string("key_file", ""))
        serverName = try reader.string("server_name", "")
        insecureSkipVerify = try reader.bool("insecure_skip_verify", false)
        minVersion = try reader.string("min_version", "")
        maxVersion = try reader.string("max_version", "")
        try HTTPClientConfig.noReferences(reader, ["ca_ref", "cert_ref", "key_ref"])
        reader.finish()
        for (name, version) in [("min_version", minVersion), ("max_version", maxVersion)]
        where !version.isEmpty && !["TLS10", "TLS11", "TLS12", "TLS13"].contains(version) {
            throw reader.place(of: name).error("unknown TLS version: \(version)")
        }
        for (name, text, file) in [("ca", ca, caFile), ("cert", cert, certFile), ("key", key, keyFile)]
        where !text.isEmpty && !file.isEmpty {
            throw reader.place.error("at most one of \(name) and \(name)_file must be configured")
        }
        let (hasCert, hasKey) = (!cert.isEmpty || !certFile.isEmpty, !key.isEmpty || !keyFile.isEmpty)
        if hasCert, !hasKey {
            throw reader.place.error(
                "exactly one of key or key_file must be configured when a client certificate is configured")
        }
        if hasKey, !hasCert {
            throw reader.place.error(
                "exactly one of cert or cert_file must be configured when a client key is configured")
        }
    }
}

extension String {
    /// Without spaces at both ends.
    func trimmingSpace() -> String {
        let isSpace: (Character) -> Bool = { $0 == " " || $0 == "\t" || $0 == "\n" || $0 == "\r" }
        var rest = self[...]
        while let last = rest.last, isSpace(last) { rest.removeLast() }
        return String(rest.drop(while: isSpace))
    }
}
