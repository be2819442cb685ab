import Model
import Testing

@testable import Config

@Suite("Web configuration")
struct WebConfigTests {
    static func parse(_ text: String) throws(ConfigError) -> WebConfig {
        try WebConfig.parse(text: Array(text.utf8), path: "etc/web.yml")
    }

    static let hash = "$2b$10$72rgANP/zURdmK.7REkt8eOoX/08SEpUYB9jB4WGCFfQw3STrrvLu"

    @Test("everything that the toolkit knows is read, and paths are relative to the file")
    func whole() throws {
        let config = try Self.parse(
            """
            tls_server_config:
              cert_file: a.pem
              key_file: /b.pem
              client_ca_file: ca.pem
              client_auth_type: RequireAndVerifyClientCert
              client_allowed_sans: [a, b]
              min_version: TLS11
              max_version: TLS12
              cipher_suites: [TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256]
              curve_preferences: [CurveP256, X25519]
              prefer_server_cipher_suites: false
            http_server_config:
              http2: false
              headers: {X-Frame-Options: deny, Content-Security-Policy: "default-src 'self'"}
            basic_auth_users: {bob: \(Self.hash)}
            rate_limit: {interval: 1s, burst: 3}
            """)
        let tls = try #require(config.tls)
        #expect(tls.files == ["etc/a.pem", "/b.pem", "etc/ca.pem"])
        #expect(tls.clientAuth == .requireAndVerify)
        #expect(tls.allowedNames == ["a", "b"])
        #expect(tls.minVersion.number == 0x0302)
        #expect(tls.maxVersion.number == 0x0303)
        #expect(tls.curves == ["P-256", "X25519"])
        #expect(!tls.prefersServerCiphers)
        #expect(!config.usesHTTP2)
        #expect(config.headers.map(\.name) == ["X-Frame-Options", "Content-Security-Policy"])
        #expect(config.users["bob"] == Self.hash)
        #expect(config.rateInterval == 1_000_000_000)
        #expect(config.rateBurst == 3)
    }

    @Test("nothing turns TLS on that sets nothing", arguments: ["", "tls_server_config:", "tls_server_config: {}"])
    func empty(_ text: String) throws { #expect(try Self.parse(text).tls == nil) }

    @Test(
        "mistakes are refused with their place",
        arguments: [
            ("nosuch: 1", "1:1: field nosuch not found in type web.Config"),
            ("tls_server_config: {nosuch: 1}", "1:21: field nosuch not found in type web.TLSConfig"),
            ("tls_server_config: {cert_file: a}", "1:20: missing one of key or key_file"),
            ("tls_server_config: {key_file: a}", "1:20: missing one of cert or cert_file"),
            ("tls_server_config: {cert_file: a, key_file: b, client_auth_type: x}", "1:48: invalid ClientAuth: x"),
            (
                "tls_server_config: {cert_file: a, key_file: b, client_ca_file: c}",
                "1:20: client CA's have been configured without a Client Auth Policy"
            ),
            (
                "tls_server_config: {cert_file: a, key_file: b, client_allowed_sans: [c]}",
                "1:48: client_allowed_sans requires client_auth_type to be one of RequireAnyClientCert or "
                    + "RequireAndVerifyClientCert"
            ),
            ("tls_server_config: {min_version: TLS9}", "1:21: unknown TLS version: TLS9"),
            ("tls_server_config: {cipher_suites: [RC4]}", "1:21: unknown cipher: RC4"),
            ("tls_server_config: {curve_preferences: [P1]}", "1:21: unknown curve: P1"),
            ("http_server_config: {headers: {Server: x}}", "1:40: HTTP header \"Server\" can not be configured"),
            (
                "http_server_config: {headers: {X-Frame-Options: x}}",
                "1:49: invalid value for X-Frame-Options. Expected one of: [\"deny\" \"sameorigin\"], but got: \"x\""
            ),
            (
                "basic_auth_users: {bob: secret}",
                "1:25: crypto/bcrypt: hashedSecret too short to be a bcrypted password (user \"bob\")"
            ),
            ("a: [", "2:1: yaml: did not find expected node content"),
        ])
    func mistakes(_ text: String, _ reason: String) {
        let error = #expect(throws: ConfigError.self) { try Self.parse(text) }
        #expect(error?.description == "etc/web.yml:" + reason)
    }

    @Test("only bcrypt's hashes are hashes")
    func hashes() {
        #expect(BcryptHash.mistake(Self.hash) == nil)
        #expect(BcryptHash.mistake("x" + Self.hash.dropFirst())?.contains("must start with '$'") == true)
        #expect(BcryptHash.mistake("$6" + Self.hash.dropFirst(2))?.contains("newer than") == true)
        #expect(BcryptHash.mistake(Self.hash.replacing("$10$", with: "$99$"))?.contains("outside allowed") == true)
    }
}
