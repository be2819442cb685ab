import GoCompatibility
import Model

/// The settings of an HTTP client: authentication, TLS, proxies (section `<http_config>` of Prometheus's
/// documentation).
package struct HTTPClientConfig: Sendable, Hashable {
    package struct BasicAuth: Sendable, Hashable {
        @Exact package var username = ""
        @Exact package var usernameFile = ""
        @Exact package var password = ""
        @Exact package var passwordFile = ""
    }

    /// The `Authorization` header: `type credentials`.
    package struct Authorization: Sendable, Hashable {
        @Exact package var type = "Bearer"
        @Exact package var credentials = ""
        @Exact package var credentialsFile = ""
    }

    package struct Header: Sendable, Hashable {
        @Exact package var name: String
        @Exact package var values: [String] = []
        @Exact package var secrets: [String] = []
        @Exact package var files: [String] = []
    }

    package var basicAuth: BasicAuth?
    package var authorization: Authorization?
    package var oauth2: OAuth2Config?
    package var tls = TLSClientConfig()
    package var followRedirects = true
    package var enableHTTP2 = true
    package var proxy = ProxyConfig()
    package var headers: [Header] = []

    package init() {}

    private static let reserved: Set<String> = [
        "authorization", "host", "content-encoding", "content-length", "content-type", "user-agent", "connection",
        "keep-alive", "proxy-authenticate", "proxy-authorization", "www-authenticate", "accept-encoding",
        "x-prometheus-remote-write-version", "x-prometheus-remote-read-version", "x-prometheus-scrape-timeout-seconds",
        "x-amz-date", "x-amz-security-token", "x-amz-content-sha256",
    ]

    /// Reads a file with an `http_config` only, as `promtool query --http.config.file` does.
    package static func load(path: String) throws(ConfigError) -> HTTPClientConfig {
        let loading = LoadingContext(file: path, environment: { _ in nil })
        guard let root = try YAMLParser.parse(try ConfigFile.read(path), file: path) else { return HTTPClientConfig() }
        let reader = try MappingReader(root, "config.HTTPClientConfig", loading.problems)
        let config = try HTTPClientConfig(reader, loading: loading)
        reader.finish()
        try loading.problems.check()
        if let missing = loading.missing.first { throw missing }
        return config
    }

    /// Reads the keys from the mapping that contains them inline.
    init(_ reader: MappingReader, loading: LoadingContext) throws(ConfigError) {
        try Self.checkMethods(reader)
        basicAuth = try Self.basicAuth(reader, loading)
        authorization = try Self.authorization(reader, loading)
        if let token = try reader.string("bearer_token"), !token.isEmpty {
            authorization = Authorization(credentials: token)
        }
        if let file = try reader.string("bearer_token_file"), !file.isEmpty {
            authorization = Authorization(credentialsFile: loading.resolve(file))
        }
        if let section = try reader.mapping("oauth2", "config.OAuth2") {
            oauth2 = try OAuth2Config(section, loading)
        }
        tls = try TLSClientConfig(reader, loading: loading)
        followRedirects = try reader.bool("follow_redirects", true)
        enableHTTP2 = try reader.bool("enable_http2", true)
        proxy = try ProxyConfig(reader)
        try readHeaders(reader, loading)
    }

    /// Refuses more than one method of authentication.
    private static func checkMethods(_ reader: MappingReader) throws(ConfigError) {
        func second(_ keys: [String]) -> String? {
            let there = keys.filter { reader.node($0).map { !$0.isNull && $0.text != "" } ?? false }
            return there.count > 1 ? there[1] : nil
        }
        func refuse(_ keys: [String], _ message: String) throws(ConfigError) {
            if let key = second(keys) { throw reader.place(of: key).error(message) }
        }
        let tokens = ["bearer_token", "bearer_token_file"]
        try refuse(tokens, "at most one of bearer_token & bearer_token_file must be configured")
        for method in ["basic_auth", "oauth2"] {
            try refuse(
                [method] + tokens,
                "at most one of basic_auth, oauth2, bearer_token & bearer_token_file must be configured")
        }
        try refuse(
            ["authorization"] + tokens, "authorization is not compatible with bearer_token & bearer_token_file")
        try refuse(
            ["basic_auth", "oauth2", "authorization"],
            "at most one of basic_auth, oauth2 & authorization must be configured")
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
        if GoCase.lower(result.type) == "basic" {
            throw auth.place(of: "type").error(
                "authorization type cannot be set to \"basic\", use \"basic_auth\" instead")
        }
        if !result.credentials.isEmpty, !result.credentialsFile.isEmpty {
            throw auth.place.error("at most one of authorization credentials & credentials_file must be configured")
        }
        return result
    }

    static func noReferences(_ reader: MappingReader, _ keys: [String]) throws(ConfigError) {
        for key in keys where try reader.string(key, "") != "" {
            throw reader.place(of: key).error("cannot use secret ref without manager")
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

/// The TLS settings of a client.
package struct TLSClientConfig: Sendable, Hashable {
    /// Certificates that are trusted, as PEM text or a file.
    @Exact package var ca = ""
    @Exact package var caFile = ""
    @Exact package var cert = ""
    @Exact package var certFile = ""
    @Exact package var key = ""
    @Exact package var keyFile = ""
    @Exact package var serverName = ""
    package var insecureSkipVerify = false
    /// `TLS10` … `TLS13`, or empty.
    @Exact package var minVersion = ""
    @Exact package var maxVersion = ""

    package init() {}

    init(_ parent: MappingReader, loading: LoadingContext) throws(ConfigError) {
        guard let section = try parent.mapping("tls_config", "config.TLSConfig") else {
            self.init()
            return
        }
        try self.init(section: section, loading: loading)
    }

    init(section reader: MappingReader, loading: LoadingContext) throws(ConfigError) {
        ca = try reader.string("ca", "")
        caFile = loading.resolve(try reader.string("ca_file", ""))
        cert = try reader.string("cert", "")
        certFile = loading.resolve(try reader.string("cert_file", ""))
        key = try reader.string("key", "")
        keyFile = loading.resolve(try reader.string("key_file", ""))
        serverName = try reader.string("server_name", "")
        insecureSkipVerify = try reader.bool("insecure_skip_verify", false)
        minVersion = try Self.version(reader, "min_version", try reader.string("min_version"))
        maxVersion = try Self.version(reader, "max_version", try reader.string("max_version"))
        try HTTPClientConfig.noReferences(reader, ["ca_ref", "cert_ref", "key_ref"])
        reader.finish()
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

    /// The version of TLS under a key; an absent one is empty, and an empty one is an error.
    private static func version(_ reader: MappingReader, _ key: String, _ text: String?) throws(ConfigError) -> String {
        guard let text else { return "" }
        guard ["TLS10", "TLS11", "TLS12", "TLS13"].contains(text) else {
            throw reader.place(of: key).error("unknown TLS version (\(key)): expected TLS10, TLS11, TLS12 or TLS13")
        }
        return text
    }
}

extension String {
    /// The text without spaces at both ends.
    func trimmingSpace() -> String {
        let isSpace: (Character) -> Bool = { $0 == " " || $0 == "\t" || $0 == "\n" || $0 == "\r" }
        var rest = self[...]
        while let last = rest.last, isSpace(last) { rest.removeLast() }
        return String(rest.drop(while: isSpace))
    }
}
