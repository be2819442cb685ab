import Testing

@testable import Config

/// Configurations of our own that are good: each section and each key at least once.
@Suite("Configurations of our own")
struct OwnConfigurationsTests {
    /// What the file has, its text, and lines of what is shown of it.
    private static let good: [(name: String, text: String, shown: [String])] = [
        (
            "nothing",
            #"""
            # nothing
            """#,
            ["scrape_interval: 1m"]
        ),
        (
            "empty sections",
            #"""
            global:
            scrape_configs:
            rule_files:
            alerting:
            storage:
            """#,
            ["evaluation_interval: 1m"]
        ),
        (
            "every key of global",
            #"""
            global:
              scrape_interval: 20s
              scrape_timeout: 15s
              scrape_protocols: [OpenMetricsText1.0.0, PrometheusText0.0.4]
              evaluation_interval: 40s
              rule_query_offset: 3s
              query_log_file: queries.log
              external_labels: {site: north, "dotted.name": x}
              body_size_limit: 5MB
              sample_limit: 1000
              target_limit: 10
              label_limit: 40
              label_name_length_limit: 50
              label_value_length_limit: 60
              keep_dropped_targets: 70
              metric_name_validation_scheme: utf8
              metric_name_escaping_scheme: dots
              scrape_native_histograms: true
              always_scrape_classic_histograms: true
              extra_scrape_metrics: true
            runtime: {gogc: 50}
            """#,
            [
                "scrape_interval: 20s", "scrape_timeout: 15s", "- OpenMetricsText1.0.0", "evaluation_interval: 40s",
                "rule_query_offset: 3s", "query_log_file: /etc/martlet/queries.log", "dotted.name: x", "site: north",
                "body_size_limit: 5MiB", "sample_limit: 1000", "target_limit: 10", "label_limit: 40",
                "label_name_length_limit: 50", "label_value_length_limit: 60", "keep_dropped_targets: 70",
                "metric_name_escaping_scheme: dots", "scrape_native_histograms: true",
                "always_scrape_classic_histograms: true",
                "extra_scrape_metrics: true", "gogc: 50",
            ]
        ),
        (
            "the keys of global that 2.42 had",
            #"""
            global: {scrape_interval: 20s, scrape_timeout: 15s, evaluation_interval: 40s, query_log_file: q, external_labels: {a: b}}
            """#,
            ["query_log_file: /etc/martlet/q", "a: b"]
        ),
        (
            "a timeout that follows a short interval",
            #"""
            scrape_configs: [{job_name: a, scrape_interval: 3s}]
            """#,
            ["  scrape_interval: 3s", "  scrape_timeout: 3s"]
        ),
        (
            "an interval of zero, which is the default",
            #"""
            global: {scrape_interval: 0s}
            scrape_configs: [{job_name: a}]
            """#,
            ["  scrape_interval: 1m", "  scrape_timeout: 10s"]
        ),
        (
            "every key of a job that 2.42 had",
            #"""
            scrape_configs:
            - job_name: a
              honor_labels: true
              honor_timestamps: false
              scrape_interval: 1m30s
              scrape_timeout: 1m
              metrics_path: /m
              scheme: https
              params: {a: [b, c], d: []}
              body_size_limit: 1MB
              sample_limit: 1
              target_limit: 2
              label_limit: 3
              label_name_length_limit: 4
              label_value_length_limit: 5
              static_configs:
              - targets: [localhost:1, "[::1]:2", example]
                labels: {a: b}
              - {targets: []}
            """#,
            [
                "honor_labels: true", "honor_timestamps: false", "scrape_interval: 1m30s", "scrape_timeout: 1m",
                "metrics_path: /m", "scheme: https", "body_size_limit: 1MiB", "sample_limit: 1", "target_limit: 2",
                "label_limit: 3", "label_name_length_limit: 4", "label_value_length_limit: 5", "- localhost:1",
                "'[::1]:2'", "- example", "d: []",
            ]
        ),
        (
            "the newer keys of a job",
            #"""
            scrape_configs:
            - job_name: a
              track_timestamps_staleness: true
              scrape_protocols: [PrometheusProto, PrometheusText1.0.0]
              fallback_scrape_protocol: OpenMetricsText0.0.1
              enable_compression: false
              keep_dropped_targets: 6
              native_histogram_bucket_limit: 7
              native_histogram_min_bucket_factor: 1.5
              metric_name_validation_scheme: legacy
              metric_name_escaping_scheme: underscores
              scrape_native_histograms: true
              always_scrape_classic_histograms: true
              extra_scrape_metrics: true
            """#,
            [
                "track_timestamps_staleness: true", "- PrometheusProto", "- PrometheusText1.0.0",
                "fallback_scrape_protocol: OpenMetricsText0.0.1", "enable_compression: false",
                "keep_dropped_targets: 6", "native_histogram_bucket_limit: 7",
                "native_histogram_min_bucket_factor: 1.5", "metric_name_validation_scheme: legacy",
                "metric_name_escaping_scheme: underscores",
            ]
        ),
        (
            "a password",
            #"""
            scrape_configs: [{job_name: a, basic_auth: {username: u, password: p}}]
            """#,
            ["username: u", "password: <secret>"]
        ),
        (
            "a file with a password",
            #"""
            scrape_configs: [{job_name: a, basic_auth: {username: u, password_file: /p}}]
            """#,
            ["password_file: /p"]
        ),
        (
            "a token",
            #"""
            scrape_configs: [{job_name: a, authorization: {type: Token, credentials: c}}]
            """#,
            ["type: Token", "credentials: <secret>"]
        ),
        (
            "a file with a token",
            #"""
            scrape_configs: [{job_name: a, authorization: {credentials_file: /c}}]
            """#,
            ["type: Bearer", "credentials_file: /c"]
        ),
        (
            "the old form of a token",
            #"""
            scrape_configs: [{job_name: a, bearer_token: t}]
            """#,
            ["type: Bearer", "credentials: <secret>"]
        ),
        (
            "a token by OAuth 2",
            #"""
            scrape_configs: [{job_name: a, oauth2: {client_id: c, client_secret: s, token_url: 'http://t', scopes: [x], endpoint_params: {a: b}}}]
            """#,
            ["client_id: c", "client_secret: <secret>", "token_url: http://t", "a: b"]
        ),
        (
            "TLS",
            #"""
            scrape_configs: [{job_name: a, scheme: https, tls_config: {ca_file: /ca, cert_file: /c, key_file: /k, server_name: s, insecure_skip_verify: true, min_version: TLS12}}]
            """#,
            [
                "ca_file: /ca", "cert_file: /c", "key_file: /k", "server_name: s", "insecure_skip_verify: true",
                "min_version: TLS12",
            ]
        ),
        (
            "TLS without files",
            #"""
            scrape_configs: [{job_name: a, tls_config: {ca: x, min_version: TLS10, max_version: TLS13}}]
            """#,
            ["ca: x", "min_version: TLS10", "max_version: TLS13"]
        ),
        (
            "a proxy",
            #"""
            scrape_configs: [{job_name: a, proxy_url: 'http://p:1', follow_redirects: false, enable_http2: false}]
            """#,
            ["proxy_url: http://p:1", "follow_redirects: false", "enable_http2: false"]
        ),
        (
            "a proxy with headers and exceptions",
            #"""
            scrape_configs: [{job_name: a, proxy_url: 'http://p:1', no_proxy: 'h,.d', proxy_connect_header: {X: [y]}}]
            """#,
            ["no_proxy: h,.d", "- <secret>"]
        ),
        (
            "a proxy from the environment",
            #"""
            scrape_configs: [{job_name: a, proxy_from_environment: true}]
            """#,
            ["proxy_from_environment: true"]
        ),
        (
            "headers",
            #"""
            scrape_configs: [{job_name: a, http_headers: {X-A: {values: [a], secrets: [b], files: [c]}}}]
            """#,
            ["X-A:", "- /etc/martlet/c", "- <secret>"]
        ),
        (
            "discovery by files",
            #"""
            scrape_configs: [{job_name: a, file_sd_configs: [{files: [a.json, 'b/*.yml', /c.yaml], refresh_interval: 10m}]}]
            """#,
            ["- /etc/martlet/a.json", "- /etc/martlet/b/*.yml", "- /c.yaml", "refresh_interval: 10m"]
        ),
        (
            "discovery by HTTP",
            #"""
            scrape_configs: [{job_name: a, http_sd_configs: [{url: 'https://h/x', refresh_interval: 2m, basic_auth: {username: u}}]}]
            """#,
            ["url: https://h/x", "refresh_interval: 2m"]
        ),
        (
            "discovery by DNS",
            #"""
            scrape_configs: [{job_name: a, dns_sd_configs: [{names: [_http._tcp.a]}, {names: [b, c], type: aaaa, port: 9, refresh_interval: 1m}]}]
            """#,
            ["- _http._tcp.a", "refresh_interval: 30s", "type: SRV", "port: 0", "- c", "type: AAAA", "port: 9"]
        ),
        (
            "discovery of Alertmanagers",
            #"""
            alerting: {alertmanagers: [{sigv4: {region: r, access_key: a, secret_key: s}, file_sd_configs: [{files: [a.json]}], http_sd_configs: [{url: 'http://h'}], dns_sd_configs: [{names: [_am._tcp.a]}]}]}
            """#,
            ["region: r", "secret_key: <secret>", "- /etc/martlet/a.json", "url: http://h", "- _am._tcp.a"]
        ),
        (
            "every action of relabelling",
            #"""
            scrape_configs:
            - job_name: a
              relabel_configs:
              - {source_labels: [a, b], separator: "-", regex: "(.*)-(.*)", target_label: c, replacement: "$2${1}x"}
              - {target_label: d, replacement: fixed}
              - {target_label: "${1}_x", source_labels: [a], regex: "(a)"}
              - {source_labels: [a], regex: x|y, action: keep}
              - {source_labels: [a], regex: z, action: DROP}
              - {source_labels: [a], target_label: b, action: keepequal}
              - {source_labels: [a], target_label: b, action: dropequal}
              - {source_labels: [a], target_label: b, modulus: 8, action: hashmod}
              - {regex: "__meta_(.+)", replacement: "m_$1", action: labelmap}
              - {regex: "tmp_.*", action: labeldrop}
              - {regex: "a|b", action: labelkeep}
              - {source_labels: [a], target_label: b, action: lowercase}
              - {source_labels: [a], target_label: b, action: uppercase}
              metric_relabel_configs:
              - {source_labels: [__name__], regex: "go_.*", action: drop}
            """#,
            [
                "source_labels: [a, b]", "replacement: $2${1}x", "replacement: fixed", "target_label: ${1}_x",
                "action: keep", "action: drop", "action: keepequal", "action: dropequal", "modulus: 8",
                "regex: __meta_(.+)", "action: labelmap", "action: labeldrop", "action: labelkeep", "action: lowercase",
                "action: uppercase", "source_labels: [__name__]",
            ]
        ),
        (
            "alerting",
            #"""
            alerting:
              alert_relabel_configs: [{regex: replica, action: labeldrop}]
              alertmanagers:
              - {scheme: https, path_prefix: /am, timeout: 5s, api_version: v2, static_configs: [{targets: [a:1, b:2]}], basic_auth: {username: u, password: p}}
            """#,
            ["regex: replica", "path_prefix: /am", "timeout: 5s", "- a:1"]
        ),
        (
            "files of rules",
            #"""
            rule_files: [a.yml, 'dir/*.yml', /abs/x.rules, '?.yml', '[ab].yml']
            """#,
            [
                "- /etc/martlet/a.yml", "- /etc/martlet/dir/*.yml", "- /abs/x.rules", "- /etc/martlet/?.yml",
                "- /etc/martlet/[ab].yml",
            ]
        ),
        (
            "storage",
            #"""
            storage: {tsdb: {out_of_order_time_window: 30m}, exemplars: {max_exemplars: 10}}
            """#,
            ["out_of_order_time_window: 30m", "max_exemplars: 10"]
        ),
        (
            "retention",
            #"""
            storage: {tsdb: {retention: {time: 1y, size: 10GB}}}
            """#,
            []
        ),
        (
            "anchors and aliases",
            #"""
            scrape_configs:
            - &a {job_name: a, scrape_interval: 5s}
            - {<<: *a, job_name: b}
            """#,
            ["- job_name: a", "- job_name: b", "scrape_interval: 5s"]
        ),
        (
            "quoted keys and block strings",
            #"""
            "scrape_configs":
            - 'job_name': >-
                folded
                name
            """#,
            ["- job_name: folded name"]
        ),
    ]

    private static func parse(_ text: String) throws -> Configuration {
        try ConfigurationLoader.parse(text: Array(text.utf8), path: "/etc/martlet/own.yml") { _ in nil }
    }

    private static func shown(_ configuration: Configuration) -> String {
        configuration.effectiveText(retentionTime: 15 * 86_400_000, retentionSize: 0)
    }

    @Test("each is read, shows its values, and loads again from what is shown")
    func read() throws {
        for (name, text, lines) in Self.good {
            let configuration = try #require(try? Self.parse(text), "\(name)")
            #expect(configuration.unsupported.isEmpty, "\(name)")
            let once = Self.shown(configuration)
            let found = Set(once.split(separator: "\n").map { $0.drop { $0 == " " } })
            for line in lines {
                let isShown = found.contains { $0 == line.drop { $0 == " " } || $0 == "- " + line }
                #expect(isShown, "\(name): \(line) in \(once)")
            }
            #expect(Self.shown(try Self.parse(once)) == once, "\(name)")
        }
    }

    @Test("every discovery of Prometheus is known, and one that is not supported is named with its place")
    func discovery() throws {
        for kind in OtherDiscovery.kinds {
            let configuration = try Self.parse("scrape_configs:\n- job_name: a\n  \(kind):\n  - {}\n")
            #expect(configuration.unsupported.map(\.line) == [3], "\(kind)")
            #expect(configuration.unsupported.first?.message.contains(kind) == true, "\(kind)")
        }
        #expect(OtherDiscovery.kinds.count > 30)
    }

    @Test(
        "what is not supported is named with its place",
        arguments: [
            ("remote_write:\n- url: http://h/w\n", 1), ("remote_read:\n- url: http://h/r\n", 1),
            ("otlp:\n  promote_all_resource_attributes: true\n", 1), ("tracing:\n  endpoint: h:1\n", 1),
            ("global:\n  convert_classic_histograms_to_nhcb: true\n", 2),
            ("global:\n  scrape_failure_log_file: f\n", 2),
            ("scrape_configs:\n- job_name: a\n  convert_classic_histograms_to_nhcb: true\n", 3),
            ("scrape_configs:\n- job_name: a\n  scrape_failure_log_file: f\n", 3),
            ("alerting:\n  alertmanagers:\n  - sigv4:\n      role_arn: r\n", 4),
            ("alerting:\n  alertmanagers:\n  - kubernetes_sd_configs: [{role: pod}]\n", 3),
            ("alerting:\n  alertmanagers:\n  - consul_sd_configs: [{}]\n", 3),
            ("storage:\n  tsdb:\n    retention:\n      percentage: 50\n", 4),
        ])
    func sections(_ text: String, _ line: Int) throws {
        let configuration = try Self.parse(text)
        #expect(configuration.unsupported.map(\.line) == [line], "\(configuration.unsupported)")
    }
}
