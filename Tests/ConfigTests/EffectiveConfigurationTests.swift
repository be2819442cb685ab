import Config
import Foundation
import TestSupport
import Testing

/// `/api/v1/status/config`: all defaults, in Prometheus's form, without secrets.
@Suite("Effective configuration")
struct EffectiveConfigurationTests {
    static func parse(_ text: String, path: String = "/etc/martlet/test.yml") throws -> Configuration {
        try ConfigurationLoader.parse(text: Array(text.utf8), path: path) { _ in nil }
    }

    static func shown(_ configuration: Configuration) -> String {
        configuration.effectiveText(retentionTime: 15 * 86_400_000, retentionSize: 0)
    }

    @Test("an empty file shows all defaults")
    func defaults() throws {
        let expected = """
            global:
              scrape_interval: 1m
              scrape_timeout: 10s
              evaluation_interval: 1m
              metric_name_validation_scheme: utf8
              metric_name_escaping_scheme: allow-utf-8
              scrape_native_histograms: false
            runtime:
              gogc: 75
            storage:
              tsdb:
                retention:
                  time: 15d
              exemplars:
                max_exemplars: 100000

            """
        #expect(Self.shown(try Self.parse("")) == expected)
        #expect(Self.shown(try Self.parse("global:\nruntime:\n")) == expected)
    }

    /// Every supported key with a value of its own, in an order that is not the shown one.
    static let full = """
        storage:
          exemplars: {max_exemplars: 5}
          tsdb: {out_of_order_time_window: 90m, retention: {size: 1536MB, time: 10d}}
        runtime: {gogc: 60}
        global:
          external_labels: {z: "1", n: a b, a10: "yes", a9: 'x: y'}
          scrape_interval: 15s
          rule_query_offset: 1s
          query_log_file: q.log
          extra_scrape_metrics: true
          label_limit: 30
          body_size_limit: 10MB
        rule_files: ["r/*.yml", /abs.yml]
        alerting:
          alertmanagers:
          - path_prefix: /am
            static_configs: [{targets: ["am:9093"]}]
            basic_auth: {username: u, password: S3CRET}
            alert_relabel_configs: [{action: labeldrop, regex: foo}]
          alert_relabel_configs: [{target_label: cluster, replacement: ""}]
        scrape_configs:
        - job_name: "true"
          static_configs:
          - targets: ["localhost:1", "b:2"]
            labels: {"no": "on", q: "1"}
          params: {x: ["1", "a b"], b: []}
          sample_limit: 7
          scrape_protocols: [PrometheusText0.0.4]
          fallback_scrape_protocol: PrometheusText0.0.4
          native_histogram_min_bucket_factor: 1.1
          metric_relabel_configs:
          - {source_labels: [__name__], regex: "", action: drop}
          - {source_labels: [a, b c], regex: "[a-z]+", target_label: t, separator: ""}
          - {source_labels: [__address__], modulus: 3, action: HashMod, target_label: t2}
          - {regex: "(a|b): .*", action: labelkeep}
          - {source_labels: [a], target_label: b, action: keepequal}
          tls_config: {ca_file: ca.pem, cert: C, key: S3CRET, min_version: TLS13}
          bearer_token: S3CRET
          proxy_url: http://u:S3CRET@p/x?y:z@w
          proxy_connect_header: {B: [S3CRET, S3CRET], A: [S3CRET]}
          http_headers: {X-A: {files: [f], secrets: [S3CRET], values: [v]}}
          follow_redirects: false
        - job_name: b
          honor_labels: true
          authorization: {type: Token, credentials_file: token}
          metric_name_validation_scheme: legacy
          http_sd_configs: [{url: "http://u:S3CRET@sd/", refresh_interval: 30s}]
          file_sd_configs: [{files: [t/*.json]}]
        """

    static let fullShown = """
        global:
          scrape_interval: 15s
          scrape_timeout: 10s
          evaluation_interval: 1m
          rule_query_offset: 1s
          query_log_file: /etc/martlet/q.log
          external_labels:
            a9: 'x: y'
            a10: "yes"
            "n": a b
            z: "1"
          body_size_limit: 10MiB
          label_limit: 30
          metric_name_validation_scheme: utf8
          metric_name_escaping_scheme: allow-utf-8
          scrape_native_histograms: false
          extra_scrape_metrics: true
        runtime:
          gogc: 60
        alerting:
          alert_relabel_configs:
          - separator: ;
            target_label: cluster
            replacement: ""
            action: replace
          alertmanagers:
          - basic_auth:
              username: u
              password: <secret>
            follow_redirects: true
            enable_http2: true
            scheme: http
            path_prefix: /am
            timeout: 10s
            api_version: v2
            alert_relabel_configs:
            - separator: ;
              regex: foo
              replacement: $1
              action: labeldrop
            static_configs:
            - targets:
              - am:9093
        rule_files:
        - /etc/martlet/r/*.yml
        - /abs.yml
        scrape_configs:
        - job_name: "true"
          honor_timestamps: true
          track_timestamps_staleness: false
          params:
            b: []
            x:
            - "1"
            - a b
          scrape_interval: 15s
          scrape_timeout: 10s
          scrape_protocols:
          - PrometheusText0.0.4
          fallback_scrape_protocol: PrometheusText0.0.4
          scrape_native_histograms: false
          always_scrape_classic_histograms: false
          convert_classic_histograms_to_nhcb: false
          metrics_path: /metrics
          scheme: http
          enable_compression: true
          body_size_limit: 10MiB
          sample_limit: 7
          label_limit: 30
          native_histogram_min_bucket_factor: 1.1
          metric_name_validation_scheme: utf8
          metric_name_escaping_scheme: allow-utf-8
          extra_scrape_metrics: true
          authorization:
            type: Bearer
            credentials: <secret>
          tls_config:
            cert: C
            key: <secret>
            ca_file: /etc/martlet/ca.pem
            insecure_skip_verify: false
            min_version: TLS13
          follow_redirects: false
          enable_http2: true
          proxy_url: http://u:xxxxx@p/x?y:z@w
          proxy_connect_header:
            A:
            - <secret>
            B:
            - <secret>
            - <secret>
          http_headers:
            X-A:
              values:
              - v
              secrets:
              - <secret>
              files:
              - /etc/martlet/f
          metric_relabel_configs:
          - source_labels: [__name__]
            separator: ;
            regex: null
            replacement: $1
            action: drop
          - source_labels: [a, b c]
            separator: ""
            regex: '[a-z]+'
            target_label: t
            replacement: $1
            action: replace
          - source_labels: [__address__]
            separator: ;
            modulus: 3
            target_label: t2
            replacement: $1
            action: hashmod
          - separator: ;
            regex: '(a|b): .*'
            replacement: $1
            action: labelkeep
          - source_labels: [a]
            separator: ;
            target_label: b
            replacement: $1
            action: keepequal
          static_configs:
          - targets:
            - localhost:1
            - b:2
            labels:
              "no": "on"
              q: "1"
        - job_name: b
          honor_labels: true
          honor_timestamps: true
          track_timestamps_staleness: false
          scrape_interval: 15s
          scrape_timeout: 10s
          scrape_protocols:
          - OpenMetricsText1.0.0
          - OpenMetricsText0.0.1
          - PrometheusText1.0.0
          - PrometheusText0.0.4
          scrape_native_histograms: false
          always_scrape_classic_histograms: false
          convert_classic_histograms_to_nhcb: false
          metrics_path: /metrics
          scheme: http
          enable_compression: true
          body_size_limit: 10MiB
          label_limit: 30
          metric_name_validation_scheme: legacy
          metric_name_escaping_scheme: underscores
          extra_scrape_metrics: true
          authorization:
            type: Token
            credentials_file: /etc/martlet/token
          follow_redirects: true
          enable_http2: true
          file_sd_configs:
          - files:
            - /etc/martlet/t/*.json
            refresh_interval: 5m
          http_sd_configs:
          - follow_redirects: true
            enable_http2: true
            refresh_interval: 30s
            url: http://u:xxxxx@sd/
        storage:
          tsdb:
            out_of_order_time_window: 1h30m
            retention:
              time: 10d
              size: 1GiB512MiB
          exemplars:
            max_exemplars: 5

        """

    @Test("each key is shown with its effective value, in Prometheus's order and form, and secrets never")
    func everything() throws {
        let configuration = try Self.parse(Self.full)
        let text = configuration.effectiveText(
            retentionTime: configuration.storage.retentionTime ?? 0,
            retentionSize: configuration.storage.retentionSize ?? 0)
        #expect(text == Self.fullShown)
    }

    /// Every key whose value is a secret.
    static let secretKeys = [
        "basic_auth: {username: u, password: S3CRET}", "authorization: {credentials: S3CRET}", "bearer_token: S3CRET",
        "tls_config: {cert: C, key: S3CRET}", "proxy_url: \"http://u:S3CRET@p:1\"",
        "proxy_url: \"http://:S3CRET@p:1\"", "proxy_url: \"http://u:S3C:S3CRET@p:1/x\"",
        "{proxy_url: \"http://p\", proxy_connect_header: {A: [S3CRET, x]}}",
        "http_headers: {A: {secrets: [x, S3CRET]}}",
        "oauth2: {client_id: a, token_url: 'http://t', client_secret: S3CRET}",
        "oauth2: {client_id: a, token_url: 'http://t', proxy_url: 'http://u:S3CRET@p:1'}",
        "oauth2: {client_id: a, token_url: 'http://t', tls_config: {cert: C, key: S3CRET}}",
        "url: \"https://u:S3CRET@h/x?y#z\"",
    ]

    @Test("no secret is shown, wherever a client is configured", arguments: secretKeys)
    func secrets(_ text: String) throws {
        let key = text.hasPrefix("{") ? String(text.dropFirst().dropLast()) : text
        let isURL = key.hasPrefix("url:")
        let places = [
            "scrape_configs: [{job_name: a, KEY}]",
            "scrape_configs: [{job_name: a, http_sd_configs: [{\(isURL ? "" : "url: \"http://h\", ")KEY}]}]",
            "alerting: {alertmanagers: [{KEY}]}",
        ]
        for place in places where !isURL || place.contains("http_sd") {
            let shown = Self.shown(try Self.parse(place.replacingOccurrences(of: "KEY", with: key)))
            #expect(!shown.contains("S3C"), "\(shown)")
            #expect(shown.contains("<secret>") || shown.contains("xxxxx"), "\(shown)")
        }
    }

    /// All keys of `oauth2` that are obeyed.
    static let oauth2 = """
        scrape_configs:
        - job_name: a
          oauth2:
            client_id: me
            client_secret_file: secret
            scopes: [x, "y z"]
            token_url: http://t/token
            endpoint_params: {b: "2", a: "1"}
            tls_config: {ca_file: ca, server_name: n}
            proxy_url: http://u:pw@p:1
            no_proxy: h
            proxy_connect_header: {X: [y]}
        """

    @Test("oauth2 is shown with the keys that Prometheus always shows, in its order")
    func oauth2Shown() throws {
        let shown = Self.shown(try Self.parse(Self.oauth2))
        let expected = """
              oauth2:
                client_id: me
                client_secret: null
                client_secret_file: /etc/martlet/secret
                client_secret_ref: ""
                client_certificate_key_id: ""
                client_certificate_key: null
                client_certificate_key_file: ""
                client_certificate_key_ref: ""
                grant_type: ""
                scopes:
                - x
                - y z
                token_url: http://t/token
                endpoint_params:
                  a: "1"
                  b: "2"
                tls_config:
                  ca_file: /etc/martlet/ca
                  server_name: "n"
                  insecure_skip_verify: false
                proxy_url: http://u:xxxxx@p:1
                no_proxy: h
                proxy_connect_header:
                  X:
                  - <secret>
            """
        let wanted = expected.split(separator: "\n")
        let lines = shown.split(separator: "\n").drop { $0 != "  oauth2:" }.prefix(wanted.count)
        #expect(lines.map(String.init) == wanted.map(String.init))
    }

    @Test(
        "the shown text loads again and shows the same", arguments: [Self.full, Self.fullShown, Self.oauth2, ""])
    func loadsAgain(_ text: String) throws {
        func show(_ text: String) throws -> String {
            let configuration = try Self.parse(text)
            #expect(configuration.unsupported.isEmpty)
            return configuration.effectiveText(
                retentionTime: configuration.storage.retentionTime ?? 0,
                retentionSize: configuration.storage.retentionSize ?? 0)
        }
        let once = try show(text)
        #expect(try show(once) == once)
    }

    @Test(
        "each good file of the suite loads again from what is shown of it",
        .enabled(if: SharedFolder.has("configs"), "needs ../shared/configs"))
    func suite() throws {
        let folder = SharedFolder.path("configs/prometheus")
        var tried = 0
        for name in try FileManager.default.contentsOfDirectory(atPath: folder).sorted()
        where name.hasSuffix("good.yml") {
            let text = try String(contentsOfFile: folder + "/" + name, encoding: .utf8)
            guard let configuration = try? Self.parse(text), configuration.unsupported.isEmpty else { continue }
            tried += 1
            let once = Self.shown(configuration)
            let again = try Self.parse(once)
            #expect(Self.shown(again) == once, "\(name)")
        }
        #expect(tried > 10)
    }

    @Test("jobs of further files are not shown, as in Prometheus")
    func furtherFiles() throws {
        let temporary = try TemporaryFolder()
        let folder = URL(fileURLWithPath: temporary.path)
        try "scrape_configs: [{job_name: further}]".write(
            to: folder.appendingPathComponent("s.yml"), atomically: true, encoding: .utf8)
        let main = folder.appendingPathComponent("main.yml")
        try "scrape_config_files: [s.yml]\nscrape_configs: [{job_name: own}]".write(
            to: main, atomically: true, encoding: .utf8)
        let configuration = try ConfigurationLoader.load(path: main.path)
        #expect(configuration.scrapeConfigs.map(\.jobName) == ["own", "further"])
        let text = Self.shown(configuration)
        #expect(text.contains("job_name: own"))
        #expect(!text.contains("further"))
    }

    @Test(
        "a job whose secret has changed is another job",
        arguments: [
            "basic_auth: {username: u, password: X}", "bearer_token: X", "authorization: {credentials: X}",
            "tls_config: {cert: C, key: X}", "proxy_url: \"http://u:X@p\"",
            "oauth2: {client_id: a, token_url: 'http://t', client_secret: X}",
            "http_headers: {A: {secrets: [X]}}", "proxy_url: \"http://p\"\n  proxy_connect_header: {A: [X]}",
            "http_sd_configs: [{url: \"http://h\", basic_auth: {username: u, password: X}}]",
        ])
    func changedSecret(_ key: String) throws {
        func job(_ secret: String) throws -> ScrapeConfig {
            try #require(
                Self.parse(
                    "scrape_configs:\n- job_name: a\n  " + key.replacingOccurrences(of: "X", with: secret)
                ).scrapeConfigs.first)
        }
        #expect(try job("one").fingerprint != job("two").fingerprint)
        #expect(try job("one").fingerprint == job("one").fingerprint)
    }

    @Test(
        "strings read back as themselves, whatever they hold",
        arguments: [
            "", " ", "a: b", "a:", ":", "-", "- a", "--- a", "...", "#", "a #b", "a#b", "'", "\"", "\\", "a'b", "?",
            "? a",
            "!t", "&a", "*a", "|", ">", "%", "@", "`", "[", "]", "{a}", "a,b", "a\nb", "\ta", "a\t", "1", "1.5", "0x1F",
            "1:20", "1_000", "1e3", ".inf", ".NaN", "~", "null", "Null", "true", "yes", "No", "on", "y", "n", "<<", "=",
            "2026-11-29", "é", "日本", "\u{7F}", "\u{85}", "\u{FEFF}a", "a\0b", "😀", "\u{2028}", "a ", "${x}", "<secret>",
        ])
    func strings(_ text: String) throws {
        var configuration = Configuration()
        var job = ScrapeConfig(place: try Self.parse("scrape_configs: [{job_name: a}]").scrapeConfigs[0].place)
        job.jobName = "j"
        job.params = [(text.isEmpty ? "e" : text, [text, "x"])]
        configuration.scrapeConfigs = [job]
        configuration.ownJobs = 1
        let again = try Self.parse(Self.shown(configuration))
        #expect(again.scrapeConfigs.first?.params.first?.values == [text, "x"], "\(Self.shown(configuration))")
        #expect(again.scrapeConfigs.first?.params.first?.key == (text.isEmpty ? "e" : text))
    }
}
