import Config
import Model
import TestSupport
import Testing

@Suite("Configuration")
struct ConfigurationTests {
    static func parse(_ text: String, environment: @escaping @Sendable (String) -> String? = { _ in nil }) throws
        -> Configuration
    {
        try ConfigurationLoader.parse(text: Array(text.utf8), path: "dir/test.yml", environment: environment)
    }

    @Test(
        "a mistake is told with file, line and column",
        arguments: [
            (
                "global:\n  scrape_intervall: 5s\n",
                "dir/test.yml:2:3: field scrape_intervall not found in type config.plain, did you mean scrape_interval?"
            ),
            (
                "global: {scrape_interval: 5x}",
                #"dir/test.yml:1:27: unknown unit "x" in duration "5x" (scrape_interval)"#
            ),
            ("a: 1\na: 2", "dir/test.yml:2:1: mapping key \"a\" already defined"),
            (
                "scrape_configs:\n- job_name: a\n- job_name: a\n",
                "dir/test.yml:3:3: found multiple scrape configs with job name \"a\""
            ),
            ("scrape_configs:\n-\n", "dir/test.yml:2:2: empty or null scrape config section"),
            ("global: [", "dir/test.yml:2:1: yaml: did not find expected node content"),
            (
                "scrape_configs: [{job_name: a, scrape_timeout: 2m}]",
                "scrape timeout greater than scrape interval for scrape config with job name \"a\""
            ),
            ("rule_files: ['a/*/b.yml']", "invalid rule file path \"a/*/b.yml\""),
            ("rule_files: ['a*b/*.yml']", "invalid rule file path \"a*b/*.yml\""),
            ("scrape_config_files: ['a*/*.yml']", "invalid scrape config file path \"a*/*.yml\""),
            ("rule_files: ['a[.yml']", "rule_files \"a[.yml\": syntax error in pattern"),
            ("scrape_config_files: ['[].yml']", "scrape_config_files \"[].yml\": syntax error in pattern"),
        ])
    func mistakes(_ text: String, _ message: String) {
        let error = #expect(throws: ConfigError.self) { try Self.parse(text) }
        #expect(error?.description.hasSuffix(message) == true, "\(error?.description ?? "")")
        #expect(error?.line ?? 0 > 0)
    }

    @Test("an empty file is all defaults")
    func empty() throws {
        let configuration = try Self.parse("")
        #expect(configuration.global.scrapeInterval == 60_000)
        #expect(configuration.scrapeConfigs.isEmpty)
    }

    @Test("jobs inherit from global, and paths are relative to the file")
    func inheritance() throws {
        let configuration = try Self.parse(
            """
            global: {scrape_interval: 5s, sample_limit: 7, external_labels: {a: "x$USER-$$-${NONE}"}}
            rule_files: [r/*.yml, /abs.yml]
            scrape_configs:
              - job_name: a
                file_sd_configs: [{files: [t.json]}]
              - {job_name: b, scrape_interval: 1m, sample_limit: 9, scheme: https}
            """, environment: { $0 == "USER" ? "me" : nil })
        let (a, b) = (configuration.scrapeConfigs[0], configuration.scrapeConfigs[1])
        #expect((a.scrapeInterval, a.scrapeTimeout, a.limits.samples) == (5000, 5000, 7))
        #expect((b.scrapeInterval, b.scrapeTimeout, b.limits.samples, b.scheme) == (60_000, 5000, 9, "https"))
        #expect(a.fileDiscovery[0].files == ["dir/t.json"])
        #expect(configuration.ruleFiles == ["dir/r/*.yml", "/abs.yml"])
        #expect(configuration.global.externalLabels == Labels([("a", "xme-$-")]))
    }

    @Test("what is not there yet is named with its place, never ignored")
    func unsupported() throws {
        let configuration = try Self.parse("scrape_configs:\n- job_name: k\n  kubernetes_sd_configs:\n  - role: pod\n")
        #expect(
            configuration.unsupported.map(\.description) == [
                "dir/test.yml:3:3: not supported yet: kubernetes_sd_configs"
            ])
    }

    /// What is refused of the authentication of a client, with Prometheus's words.
    static let authentication: [(keys: String, message: String)] = [
        ("bearer_token: a, bearer_token_file: b", "at most one of bearer_token & bearer_token_file must be configured"),
        (
            "basic_auth: {username: a}, bearer_token: b",
            "at most one of basic_auth, oauth2, bearer_token & bearer_token_file must be configured"
        ),
        (
            "bearer_token_file: b, oauth2: {client_id: a, token_url: b}",
            "at most one of basic_auth, oauth2, bearer_token & bearer_token_file must be configured"
        ),
        (
            "authorization: {credentials: a}, bearer_token: b",
            "authorization is not compatible with bearer_token & bearer_token_file"
        ),
        (
            "authorization: {credentials: a}, basic_auth: {username: a}",
            "at most one of basic_auth, oauth2 & authorization must be configured"
        ),
        (
            "basic_auth: {username: a}, oauth2: {client_id: a, token_url: b}",
            "at most one of basic_auth, oauth2 & authorization must be configured"
        ),
        ("oauth2: {token_url: b}", "oauth2 client_id must be configured"),
        ("oauth2: {client_id: b}", "oauth2 token_url must be configured"),
        (
            "oauth2: {client_id: a, token_url: b, client_secret: c, client_secret_file: d}",
            "at most one of oauth2 client_secret, client_secret_file & client_secret_ref must be configured using grant-type=client_credentials"
        ),
        (
            "oauth2: {client_id: a, token_url: b, client_secret_ref: c}", "cannot use secret ref without manager"
        ),
        (
            "oauth2: {client_id: a, token_url: b, no_proxy: c}",
            "if no_proxy is configured, proxy_url must also be configured"
        ),
        (
            "oauth2: {client_id: a, token_url: b, tls_config: {cert: c}}",
            "exactly one of key or key_file must be configured when a client certificate is configured"
        ),
        (
            "oauth2: {client_id: a, token_url: b, scope: c}",
            "field scope not found in type config.OAuth2, did you mean scopes?"
        ),
        (
            "oauth2: {client_id: a, token_url: b, endpoint_params: [c]}",
            "cannot unmarshal !!seq into map[string]string (endpoint_params)"
        ),
    ]

    @Test("authentication that cannot be is refused in Prometheus's words", arguments: Self.authentication)
    func refusedAuthentication(_ keys: String, _ message: String) throws {
        let text = "scrape_configs: [{job_name: a, \(keys)}]"
        let error = #expect(throws: ConfigError.self) {
            try ConfigurationLoader.parse(text: Array(text.utf8), path: "test.yml")
        }
        #expect(error?.message == message)
    }

    @Test("empty and null keys of authentication count as absent, as in Prometheus")
    func emptyAuthentication() throws {
        let text = """
            scrape_configs:
            - {job_name: a, basic_auth: , bearer_token: "", authorization: {credentials: c}}
            - {job_name: b, oauth2: {client_id: a, token_url: b, client_secret_ref: "", grant_type: "", claims: }}
            - {job_name: c, oauth2: {client_id: a, token_url: b, grant_type: client_credentials}}
            """
        let configuration = try ConfigurationLoader.parse(text: Array(text.utf8), path: "test.yml")
        #expect(configuration.unsupported.isEmpty)
        #expect(configuration.scrapeConfigs.map(\.client.oauth2?.clientID) == [nil, "a", "a"])
        #expect(configuration.scrapeConfigs.first?.client.authorization?.credentials == "c")
    }

    @Test("the grant that signs with a key is not there yet, and says so")
    func signedGrant() throws {
        let text = """
            scrape_configs:
            - job_name: a
              oauth2:
                client_id: a
                token_url: b
                grant_type: urn:ietf:params:oauth:grant-type:jwt-bearer
                client_certificate_key_file: key
                claims: {a: b}
            """
        let configuration = try ConfigurationLoader.parse(text: Array(text.utf8), path: "test.yml")
        #expect(
            configuration.unsupported.map(\.description) == [
                "test.yml:6:5: not supported yet: oauth2 grant_type",
                "test.yml:7:5: not supported yet: oauth2 client_certificate_key_file",
                "test.yml:8:5: not supported yet: oauth2 claims",
            ])
    }

    @Test("aliases cannot blow up memory, nesting cannot blow up the stack")
    func bombs() {
        var bomb = "a0: &a0 [x,x,x,x,x,x,x,x,x]\n"
        for i in 1...9 { bomb += "a\(i): &a\(i) [" + (0..<9).map { _ in "*a\(i - 1)" }.joined(separator: ",") + "]\n" }
        #expect(throws: ConfigError.self) { try Self.parse(bomb) }
        #expect(throws: ConfigError.self) { try Self.parse(String(repeating: "[", count: 5000)) }
    }

    @Test("mutated configurations never crash the reader")
    func mutations() {
        let seed = Array(
            """
            global: {scrape_interval: 5s, external_labels: {a: b}}
            scrape_configs:
              - job_name: &n a
                static_configs: [{targets: ["a:1"], labels: {x: "y"}}]
                relabel_configs: [{source_labels: [a], regex: (.*), target_label: b}]
            """.utf8)
        var random = SeededRandom(seed: SeededRandom.runSeed)
        for _ in 0..<3000 {
            var bytes = seed
            for _ in 0..<Int.random(in: 1...4, using: &random) {
                let at = Int.random(in: 0..<bytes.count, using: &random)
                if Bool.random(using: &random) {
                    bytes[at] = UInt8.random(in: 0...255, using: &random)
                } else {
                    bytes.remove(at: at)
                }
            }
            _ = try? ConfigurationLoader.parse(text: bytes, path: "x", environment: { _ in nil })
        }
    }
}
