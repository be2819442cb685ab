import Testing

@testable import Config

/// Messages about configurations show no secret that stands in the wrong place.
@Suite("Messages and secrets")
struct SecretMessageTests {
    private static let jobs = [
        "authorization: SECRET", "authorization: [SECRET]", "authorization: {SECRET: x}",
        "authorization: {credentials: [SECRET]}", "authorization: {credentials: {SECRET: x}}",
        "authorization: {credentials: SECRET, credentials_file: x}", "authorization: {credentials: *SECRET}",
        "authorization: {credentials: SECRET, credentials_ref: SECRET}", "bearer_token: [SECRET]",
        "{bearer_token: SECRET, bearer_token_file: x}", "basic_auth: u:SECRET", "basic_auth: SECRET",
        "basic_auth: {username: u, SECRET: x}", "basic_auth: {username: u, password: *SECRET}",
        "basic_auth: {password: SECRET, password_file: x}", "basic_auth: {password: \"SECRET}",
        "oauth2: SECRET", "oauth2: {client_id: a, token_url: b, SECRET: x}",
        "oauth2: {client_id: a, token_url: b, scopes: SECRET}",
        "oauth2: {client_id: a, token_url: b, endpoint_params: SECRET}",
        "oauth2: {client_id: a, token_url: 'http://u:SECRET@[h'}", "http_headers: SECRET", "http_headers: {X: SECRET}",
        "http_headers: {X: {secrets: SECRET}}", "http_headers: {X: {secrets: {SECRET: a}}}",
        "http_headers: {X: {SECRET: a}}", "tls_config: SECRET", "tls_config: {insecure_skip_verify: SECRET}",
        "tls_config: {key: [SECRET]}", "tls_config: {min_version: SECRET}", "tls_config: {SECRET: x}",
        "proxy_connect_header: SECRET", "basic_auth: {SECRETa: 1, SECRETa: 2}",
        "http_headers: {X: {SECRET: a, SECRET: b}}", "http_headers: {SECRET: {}, SECRET: {}}",
        "proxy_connect_header: {SECRET: [a], SECRET: [b]}", "authorization: {a: {b: [{SECRET: 1, SECRET: 2}]}}",
        "oauth2: {client_id: a, token_url: b, endpoint_params: {SECRET: a, SECRET: b}}",
        "basic_auth: {password: !!int SECRET}", "basic_auth: {password: !!float SECRET}",
        "basic_auth: {password: !!bool SECRET}", "basic_auth: {password: !!null SECRET}",
        "basic_auth: {password: !!timestamp SECRET}", "basic_auth: {password: !!int \"SECRET\"}",
        "basic_auth: {password: !!binary SECRET}", "bearer_token: !!int SECRET", "oauth2: !!map SECRET",
    ]

    private static let urls = [
        "http://u:SECRET@proxy.example:3128x", "http://u:SECRET@[::1", "http://u:SECRET@h:port", "http://u:SECRET/x@h",
        "http://u:SECRET @h", "http://u:SECRET@h/%zz", "http://u:SECRET", "ht tp://u:SECRET@h", ":SECRET",
        "http://u:SE%CRET@h",
    ]

    private static func refusal(_ text: String) -> String? {
        do throws(ConfigError) {
            _ = try ConfigurationLoader.parse(text: Array(text.utf8), path: "test.yml")
            return nil
        } catch {
            return error.line > 0 ? "\(error)" : nil
        }
    }

    @Test(
        "a target that is written as a URL is refused, and its password is not shown",
        arguments: ["http://u:SECRET@h:9/x", "u:SECRET@h/x", "https://:SECRET@h/"])
    func target(_ url: String) throws {
        for text in [
            "scrape_configs: [{job_name: a, static_configs: [{targets: ['\(url)']}]}]",
            "alerting: {alertmanagers: [{static_configs: [{targets: ['\(url)']}]}]}",
        ] {
            // Relabelling may make an address of it: what checks that comes later, and has a test of its own.
            if let message = Self.refusal(text) {
                #expect(message.contains("is not a valid hostname") && !message.contains("SECRET"), "\(message)")
            }
        }
        #expect(!ConfigURL.shown(url).contains("SECRET"))
    }

    @Test("a secret in the wrong place is refused with its place and not shown", arguments: jobs)
    func misplaced(_ keys: String) throws {
        let keys = keys.hasPrefix("{") ? String(keys.dropFirst().dropLast()) : keys
        let message = try #require(Self.refusal("scrape_configs: [{job_name: a, \(keys)}]"))
        #expect(!message.contains("SECRET"))
    }

    @Test("a URL that Go would refuse is refused with its place and not shown", arguments: urls)
    func malformed(_ url: String) throws {
        let texts = [
            "scrape_configs: [{job_name: a, proxy_url: \"\(url)\"}]",
            "scrape_configs: [{job_name: a, http_sd_configs: [{url: \"\(url)\"}]}]",
            "scrape_configs: [{job_name: a, oauth2: {client_id: a, token_url: \"\(url)\"}}]",
            "alerting: {alertmanagers: [{proxy_url: \"\(url)\"}]}",
            "remote_write: [{url: \"\(url)\"}]",
        ]
        for text in texts {
            let message = try #require(Self.refusal(text), "\(text)")
            #expect(!message.contains("SECRET"))
        }
    }

    @Test(
        "a webhook is refused without its secrets",
        arguments: urls.map { "url: \"\($0)\"" } + [
            "url: slack://SECRET", "url: SECRET", "url: [SECRET]", "url: http:///SECRET",
            "{url: 'http://h', http_config: SECRET}", "{url: 'http://h', http_config: {authorization: SECRET}}",
        ])
    func webhook(_ keys: String) {
        let keys = keys.hasPrefix("{") ? String(keys.dropFirst().dropLast()) : keys
        let text = "route: {receiver: r}\nreceivers: [{name: r, webhook_configs: [{\(keys)}]}]\n"
        let error = #expect(throws: ConfigError.self) {
            try AlertmanagerConfigLoader.parse(text: Array(text.utf8), path: "am.yml")
        }
        #expect(error?.line ?? 0 > 0)
        #expect(error?.description.contains("SECRET") == false)
    }

    @Test("what is no secret is still shown")
    func shown() {
        #expect(Self.refusal("global: {scrape_native_histograms: maybe}")?.contains("!!str `maybe` into bool") == true)
        let near = Self.refusal("scrape_configs: [{job_name: a, basic_auth: {pasword: x}}]")
        #expect(near?.hasSuffix("field pasword not found in type config.BasicAuth, did you mean password?") == true)
    }

    @Test(
        "URLs that Go takes are taken",
        arguments: [
            ("http://u:p@[fe80::1%25en0]:80/x?y=%zz#z", "http", "[fe80::1%25en0]:80"), ("HTTP://h:", "http", "h:"),
            ("proxy.example:3128", "proxy.example", ""), ("", "", ""), ("//h/x", "", "h"), ("/x:y", "", ""),
            ("http://h/a%20b", "http", "h"), ("socks5://u:p@h:1080", "socks5", "h:1080"), ("http://é", "http", "é"),
            ("http://h?x", "http", "h"), ("mailto:a@b", "mailto", ""), ("http://u:p@w@h", "http", "h"),
        ])
    func good(_ url: String, _ scheme: String, _ host: String) throws {
        #expect(try ConfigURL.parse(url) == ConfigURL.Parts(scheme: scheme, host: host))
    }

    @Test(
        "a URL is shown without what may be a password",
        arguments: [
            ("http://u:SECRET@h:1/x?y", "http://u:xxxxx@h:1/x?y"), ("http://u@h/x", "http://u@h/x"),
            ("http://u:SEC@RET@h", "http://u:xxxxx@h"), ("HTTPS://u:@h", "HTTPS://u:xxxxx@h"),
            ("user:SECRET@proxy", "user:xxxxx@proxy"), ("user://SECRET@proxy", "user:xxxxx@proxy"),
            ("user:SEC//RET@proxy", "user:xxxxx@proxy"), ("//u:SECRET@h", "//u:xxxxx@h"),
            ("http:u:SECRET@h", "http:xxxxx@h"), ("http://user:12?SECRET@h", "http://user:xxxxx@h"),
            ("http://user:12/SECRET@h:3128", "http://user:xxxxx@h:3128"),
            ("http://user:12#SECRET@h", "http://user:xxxxx@h"),
            ("http://u:SECRET@p/x?y:z@w", "http://u:xxxxx@p/x?y:z@w"),
            ("socks5h://u:SEC RET@h", "socks5h://u:xxxxx@h"), ("http://h:9093/x", "http://h:9093/x"),
            ("http://h/x?mail=a@b", "http://h/x?mail=a@b"), ("http://[::1]/a@b", "http://[::1]/a@b"),
            ("http://u:SECRET@[::1]:80/x", "http://u:xxxxx@[::1]:80/x"), ("", ""), ("@", "@"), (":@", ":xxxxx@"),
            ("http://@", "http://@"), ("a@b", "a@b"),
        ])
    func shownURL(_ url: String, _ shown: String) {
        #expect(ConfigURL.shown(url) == shown)
        // What is shown is never longer in secrets than before.
        #expect(ConfigURL.shown(shown) == shown)
    }

    @Test("no URL of the configuration is shown with its password")
    func effective() throws {
        let urls = [
            "http://u:SECRET@h:1", "user:SECRET@proxy", "http://user:12?SECRET@h", "http://user:12/SECRET@h",
            "http://u:SECRET@h/x@y",
        ]
        for url in urls {
            var texts = [
                "{job_name: a, proxy_url: '\(url)'}", "{job_name: a, oauth2: {client_id: a, token_url: '\(url)'}}",
                "{job_name: a, oauth2: {client_id: a, token_url: 'http://h', proxy_url: '\(url)'}}",
            ]
            if url.hasPrefix("http") { texts.append("{job_name: a, http_sd_configs: [{url: '\(url)'}]}") }
            for text in texts.map({ "scrape_configs: [\($0)]" }) + [
                "alerting: {alertmanagers: [{proxy_url: '\(url)'}]}"
            ] {
                let shown = try ConfigurationLoader.parse(text: Array(text.utf8), path: "test.yml").effectiveText(
                    retentionTime: 0, retentionSize: 0)
                #expect(shown.contains(":xxxxx@"), "\(shown)")
                #expect(!shown.contains("SECRET"), "\(shown)")
            }
        }
    }

    @Test("passwords in texts about URLs are hidden")
    func hidden() {
        #expect(
            ConfigURL.shownInText("Unsupported proxy syntax in 'http://user:SECRET@h:3128x' for h")
                == "Unsupported proxy syntax in 'http://user:xxxxx@h:3128x' for h")
        #expect(ConfigURL.shownInText("a@b  c") == "a@b  c")
        #expect(ConfigURL.shownInText("bad proxy 'user:SECRET@h'") == "bad proxy 'user:xxxxx@h'")
        #expect(
            ConfigURL.shownInText("bad proxy 'http://u:12?SEC RET@h'", urls: ["", "http://u:12?SEC RET@h"])
                == "bad proxy 'http://u:xxxxx@h'")
        #expect(ConfigURL.shownInText("syntax in '//user:SECRET@h:3128'") == "syntax in '//user:xxxxx@h:3128'")
        #expect(
            Self.refusal("scrape_configs: [{job_name: a, proxy_url: '//user:SECRET@h:3128'}]")?.contains("scheme")
                == true)
    }
}
