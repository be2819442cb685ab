import GoCompatibility
import Model

/// The file of `--web.config.file`: TLS, headers, users and a rate limit of requests.
package struct WebConfig: Sendable {
    package struct TLS: Sendable {
        package enum ClientAuth: String, Sendable, CaseIterable {
            case none = "NoClientCert"
            case request = "RequestClientCert"
            case requireAny = "RequireAnyClientCert"
            case verifyIfGiven = "VerifyClientCertIfGiven"
            case requireAndVerify = "RequireAndVerifyClientCert"
        }

        /// PEM texts; empty if a file is named instead.
        package var certificate = ""
        package var key = ""
        package var clientAuthorities = ""
        package var certificateFile = ""
        package var keyFile = ""
        package var clientAuthoritiesFile = ""
        package var clientAuth = ClientAuth.none
        /// The names, one of which a client's certificate must have; nil for any.
        package var allowedNames: [String]?
        package var minVersion = WebConfig.tlsVersions[2]
        package var maxVersion = WebConfig.tlsVersions[3]
        /// The cipher suites by Go's names.
        package var ciphers: [String] = []
        /// The curves by OpenSSL's names.
        package var curves: [String] = []
        package var prefersServerCiphers = true

        /// The files that are read for a handshake.
        package var files: [String] { [certificateFile, keyFile, clientAuthoritiesFile].filter { !$0.isEmpty } }
    }

    /// A version of TLS by Prometheus's name and its number in the protocol.
    package struct TLSVersion: Sendable, Hashable {
        package var name: String
        package var number: Int32
    }

    static let tlsVersions = [
        TLSVersion(name: "TLS10", number: 0x0301), TLSVersion(name: "TLS11", number: 0x0302),
        TLSVersion(name: "TLS12", number: 0x0303), TLSVersion(name: "TLS13", number: 0x0304),
    ]

    /// The TLS settings; nil if the file has no `tls_server_config` that sets something.
    package var tls: TLS?
    /// The place of the TLS settings.
    package var tlsPlace: ConfigPlace?
    package var usesHTTP2 = true
    /// The headers of every answer.
    package var headers: [(name: String, value: String)] = []
    /// The bcrypt hashes by user.
    package var users: [ExactText: String] = [:]
    /// The nanoseconds between two requests; 0 for no limit.
    package var rateInterval: Int64 = 0
    package var rateBurst = 0

    package init() {}

    /// Reads and checks the file at `path`, but not the files that it names.
    package static func load(path: String) throws(ConfigError) -> WebConfig {
        try parse(text: try ConfigFile.read(path), path: path)
    }

    /// Reads a configuration from text.
    ///
    /// `path` names it in errors and is the base of relative paths.
    package static func parse(text: [UInt8], path: String) throws(ConfigError) -> WebConfig {
        var config = WebConfig()
        guard let root = try YAMLParser.parse(text, file: path) else { return config }
        let loading = LoadingContext(file: path) { _ in nil }
        let reader = try MappingReader(root, "web.Config", loading.problems)
        if let tls = try reader.mapping("tls_server_config", "web.TLSConfig") {
            config.tls = try TLS(tls, loading)
            config.tlsPlace = tls.place
        }
        if let http = try reader.mapping("http_server_config", "web.HTTPConfig") {
            config.usesHTTP2 = try http.bool("http2", true)
            config.headers = try readHeaders(http)
            http.finish()
        }
        if let rate = try reader.mapping("rate_limit", "web.RateLimiterConfig") {
            config.rateBurst = try rate.integer("burst") ?? 0
            let interval = try rate.duration("interval") ?? 0
            guard interval < 1_000_000_000 else { throw rate.place(of: "interval").error("interval is too long") }
            config.rateInterval = interval * 1_000_000
            rate.finish()
        }
        let users = reader.node("basic_auth_users")
        for (user, hash) in try reader.stringMap("basic_auth_users") ?? [] {
            if let reason = BcryptHash.mistake(hash) {
                let place = users?[user]?.place ?? reader.place
                loading.problems.add(place.error("\(reason) (user \(GoQuote.quote(user)))"))
            }
            config.users[ExactText(user)] = hash
        }
        reader.finish()
        try loading.problems.check()
        return config
    }

    /// The headers that may be set, with their allowed values if these are restricted.
    private static let allowedHeaders: [String: [String]] = [
        "Strict-Transport-Security": [], "X-Content-Type-Options": ["nosniff"],
        "X-Frame-Options": ["deny", "sameorigin"], "X-XSS-Protection": [], "Content-Security-Policy": [],
    ]

    private static func readHeaders(_ http: MappingReader) throws(ConfigError) -> [(name: String, value: String)] {
        var headers: [(name: String, value: String)] = []
        let node = http.node("headers")
        for (name, value) in try http.stringMap("headers") ?? [] {
            let place = node?[name]?.place ?? http.place
            guard let values = allowedHeaders[name] else {
                throw place.error("HTTP header \(GoQuote.quote(name)) can not be configured")
            }
            guard values.isEmpty || values.contains(value) else {
                let expected = values.map { GoQuote.quote($0) }.joined(separator: " ")
                throw place.error(
                    "invalid value for \(name). Expected one of: [\(expected)], but got: \(GoQuote.quote(value))")
            }
            guard value.utf8.allSatisfy({ $0 >= 0x20 && $0 != 0x7F }) else {
                throw place.error("invalid value for \(name): control characters")
            }
            headers.append((name, value))
        }
        return headers
    }
}

extension WebConfig.TLS {
    /// The secure cipher suites of Go, by Go's names.
    private static let knownCiphers: Set<String> = [
        "TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256",
        "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA", "TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA",
        "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA", "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA",
        "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256", "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384",
        "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256", "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384",
        "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256", "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256",
    ]

    private static let knownCurves = [
        "CurveP256": "P-256", "CurveP384": "P-384", "CurveP521": "P-521", "X25519": "X25519",
    ]

    /// Reads the TLS settings; nil if nothing enables TLS.
    fileprivate init?(_ reader: MappingReader, _ loading: LoadingContext) throws(ConfigError) {
        self.init()
        certificate = try reader.string("cert", "")
        key = try reader.string("key", "")
        clientAuthorities = try reader.string("client_ca", "")
        certificateFile = loading.resolve(try reader.string("cert_file", ""))
        keyFile = loading.resolve(try reader.string("key_file", ""))
        clientAuthoritiesFile = loading.resolve(try reader.string("client_ca_file", ""))
        allowedNames = try reader.strings("client_allowed_sans")
        prefersServerCiphers = try reader.bool("prefer_server_cipher_suites", true)
        minVersion = try Self.version(reader, "min_version") ?? minVersion
        maxVersion = try Self.version(reader, "max_version") ?? maxVersion
        for name in try reader.strings("cipher_suites") ?? [] {
            guard Self.knownCiphers.contains(name) else {
                throw reader.place(of: "cipher_suites").error("unknown cipher: \(name)")
            }
            ciphers.append(name)
        }
        for name in try reader.strings("curve_preferences") ?? [] {
            guard let curve = Self.knownCurves[name] else {
                throw reader.place(of: "curve_preferences").error("unknown curve: \(name)")
            }
            // OpenSSL refuses a curve that is named twice.
            if !curves.contains(curve) { curves.append(curve) }
        }
        let auth = try reader.string("client_auth_type", "")
        reader.finish()
        let isEnabled =
            !auth.isEmpty || !files.isEmpty || !certificate.isEmpty || !key.isEmpty || !clientAuthorities.isEmpty
        guard isEnabled else { return nil }
        try check(auth, reader)
    }

    private static func version(
        _ reader: MappingReader, _ key: String
    ) throws(ConfigError) -> WebConfig.TLSVersion? {
        guard let name = try reader.string(key) else { return nil }
        guard let version = WebConfig.tlsVersions.first(where: { $0.name == name }) else {
            throw reader.place(of: key).error("unknown TLS version: \(name)")
        }
        return version
    }

    private mutating func check(_ auth: String, _ reader: MappingReader) throws(ConfigError) {
        guard !certificate.isEmpty || !certificateFile.isEmpty else {
            throw reader.place.error("missing one of cert or cert_file")
        }
        guard !key.isEmpty || !keyFile.isEmpty else { throw reader.place.error("missing one of key or key_file") }
        // The second name is from older versions.
        if auth == "RequireClientCert" {
            clientAuth = .requireAny
        } else if !auth.isEmpty {
            guard let known = ClientAuth(rawValue: auth) else {
                throw reader.place(of: "client_auth_type").error("invalid ClientAuth: \(auth)")
            }
            clientAuth = known
        }
        if clientAuth == .none, !clientAuthorities.isEmpty || !clientAuthoritiesFile.isEmpty {
            throw reader.place.error("client CA's have been configured without a Client Auth Policy")
        }
        if allowedNames != nil, clientAuth != .requireAny, clientAuth != .requireAndVerify {
            throw reader.place(of: "client_allowed_sans").error(
                "client_allowed_sans requires client_auth_type to be one of RequireAnyClientCert or "
                    + "RequireAndVerifyClientCert")
        }
        guard minVersion.number <= maxVersion.number else {
            throw reader.place(of: "min_version").error("min_version is above max_version")
        }
    }
}

/// The format of bcrypt's hashes: `$2b$10$` and 53 characters.
package enum BcryptHash {
    /// The error of a hash, in the words of Go's library; nil if it is valid.
    package static func mistake(_ hash: String) -> String? {
        let bytes = Array(hash.utf8)
        guard bytes.count >= 59 else { return "crypto/bcrypt: hashedSecret too short to be a bcrypted password" }
        guard bytes[0] == UInt8(ascii: "$") else {
            return "crypto/bcrypt: bcrypt hashes must start with '$', but hashedSecret started with "
                + "'\(hash.unicodeScalars.first.map(String.init) ?? "")'"
        }
        guard bytes[1] <= UInt8(ascii: "2") else {
            return "crypto/bcrypt: bcrypt algorithm version '\(UnicodeScalar(bytes[1]))' requested is newer than "
                + "current version '2'"
        }
        let parts = hash.split(separator: "$", omittingEmptySubsequences: false)
        guard parts.count == 4, ["2", "2a", "2b", "2y"].contains(parts[1]), parts[2].utf8.count == 2,
            let cost = Int(parts[2]), parts[3].utf8.count == 53
        else { return "crypto/bcrypt: hashedSecret is not a bcrypted password" }
        guard (4...31).contains(cost) else {
            return "crypto/bcrypt: cost \(cost) is outside allowed inclusive range 4..31"
        }
        return nil
    }
}
