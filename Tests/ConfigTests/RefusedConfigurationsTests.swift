import Config
import Testing

/// Configurations of our own that are bad, each followed by the line, the column and the reason.
///
/// Of most, Prometheus 2.42 gives the same reason; it has no columns, and the keys of later versions it does not know.
@Suite("Configurations that are refused")
struct RefusedConfigurationsTests {
    private static let files = #"""
        global: 5
          1:9: cannot unmarshal !!int into config.plain
        global: [a]
          1:9: cannot unmarshal !!seq into config.plain
        - a
          1:1: cannot unmarshal !!seq into config.plain
        scrape_configs: {a: b}
          1:17: cannot unmarshal !!map into a list (scrape_configs)
        nonsense: 1
          1:1: field nonsense not found in type config.plain
        global: {nonsense: 1}
          1:10: field nonsense not found in type config.plain
        global: {scrape_interval: fast}
          1:27: not a valid duration string: "fast" (scrape_interval)
        global: {scrape_interval: 1.5m}
          1:27: unknown unit "." in duration "1.5m" (scrape_interval)
        global: {scrape_interval: 1m1h}
          1:27: not a valid duration string: "1m1h" (scrape_interval)
        global: {scrape_interval: -1m}
          1:27: not a valid duration string: "-1m" (scrape_interval)
        global: {scrape_interval: ''}
          1:27: empty duration string (scrape_interval)
        global: {scrape_interval: 300y}
          1:27: duration out of range (scrape_interval)
        global: {scrape_interval: 5s, scrape_timeout: 6s}
          1:31: global scrape timeout greater than scrape interval
        global: {sample_limit: x}
          1:24: cannot unmarshal !!str `x` into uint64 (sample_limit)
        global: {sample_limit: -1}
          1:24: cannot unmarshal !!int `-1` into uint64 (sample_limit)
        global: {body_size_limit: 5}
          1:27: units: unknown unit or number in "5" (body_size_limit)
        global: {body_size_limit: 5XB}
          1:27: units: unknown unit or number in "5XB" (body_size_limit)
        global: {external_labels: {1a: b}, metric_name_validation_scheme: legacy}
          1:10: "1a" is not a valid label name
        global: {external_labels: [a]}
          1:27: cannot unmarshal !!seq into map[string]string (external_labels)
        global: {metric_name_validation_scheme: latin}
          1:10: invalid metric name validation scheme: latin
        global: {metric_name_escaping_scheme: rot13}
          1:10: unknown metric name escaping scheme "rot13"
        global: {metric_name_validation_scheme: legacy, metric_name_escaping_scheme: allow-utf-8}
          1:49: utf8 metric names requested but validation scheme is not set to UTF8
        global: {scrape_protocols: []}
          1:10: scrape_protocols cannot be empty
        global: {scrape_protocols: [Gopher]}
          1:10: unknown scrape protocol Gopher, supported: [OpenMetricsText0.0.1 OpenMetricsText1.0.0 PrometheusProto PrometheusText0.0.4 PrometheusText1.0.0]
        global: {scrape_protocols: [PrometheusProto, PrometheusProto]}
          1:10: duplicated protocol in scrape_protocols, got ["PrometheusProto", "PrometheusProto"]
        global: {scrape_native_histograms: maybe}
          1:36: cannot unmarshal !!str `maybe` into bool (scrape_native_histograms)
        global: {evaluation_interval: 1m, evaluation_interval: 2m}
          1:35: mapping key "evaluation_interval" already defined
        runtime: {gogc: x}
          1:17: cannot unmarshal !!str `x` into int (gogc)
        scrape_configs: [{}]
          1:18: job_name is empty
        scrape_configs: [{job_name: ''}]
          1:18: job_name is empty
        scrape_configs: [{job_name: a}, {job_name: a}]
          1:33: found multiple scrape configs with job name "a"
        scrape_configs: [a]
          1:18: cannot unmarshal !!str into config.ScrapeConfig
        scrape_configs:\n- job_name: a\n-
          3:2: empty or null scrape config section
        rule_files: 5
          1:13: cannot unmarshal !!int into []string (rule_files)
        rule_files: ['a/*/b.yml']
          1:1: invalid rule file path "a/*/b.yml"
        rule_files: ['a[.yml']
          1:1: rule_files "a[.yml": syntax error in pattern
        scrape_config_files: ['a/*/b.yml']
          1:1: invalid scrape config file path "a/*/b.yml"
        alerting: {alertmanagers: [{api_version: v1}]}
          1:29: expected Alertmanager api version to be one of [v2] but got v1
        alerting: {alertmanagers: [{api_version: v3}]}
          1:29: expected Alertmanager api version to be one of [v2] but got v3
        alerting: {alertmanagers: [{timeout: x}]}
          1:38: not a valid duration string: "x" (timeout)
        alerting: {alertmanagers: [{sigv4: {access_key: a}}]}
          1:36: must provide a AWS SigV4 Access key and Secret Key if credentials are specified in the SigV4 config
        alerting: {alertmanagers: [{sigv4: {region: a}, basic_auth: {username: u}}]}
          1:29: at most one of basic_auth, authorization, oauth2, & sigv4 must be configured
        alerting: {alertmanagers: [{basic_auth: {username: u}, bearer_token: t}]}
          1:56: at most one of basic_auth, oauth2, bearer_token & bearer_token_file must be configured
        alerting: {alert_relabel_configs: [{action: nothing}]}
          1:37: unknown relabel action "nothing"
        alerting: {alertmanagers: [{static_configs: [{targets: [a/b]}]}]}
          1:57: "a/b" is not a valid hostname
        alerting: {alertmanager: []}
          1:12: field alertmanager not found in type config.AlertingConfig, did you mean alertmanagers?
        storage: {tsdb: {out_of_order_time_window: x}}
          1:44: not a valid duration string: "x" (out_of_order_time_window)
        storage: {exemplars: {max_exemplars: x}}
          1:38: cannot unmarshal !!str `x` into int (max_exemplars)
        storage: {tsdb: {retention: {time: x}}}
          1:36: not a valid duration string: "x" (time)
        storage: {tsdb: {retention: {size: x}}}
          1:36: units: unknown unit or number in "x" (size)
        storage: {disk: 1}
          1:11: field disk not found in type config.StorageConfig
        global: {scrape_interval: 1m
          2:1: yaml: did not find expected ',' or '}'
        global:\n\tscrape_interval: 1m
          2:1: yaml: found character that cannot start any token
        global: &a\nrule_files: *b
          2:13: yaml: unknown anchor referenced
        a: b: c
          1:5: yaml: mapping values are not allowed in this context
        "unclosed
          1:1: yaml: found unexpected end of stream
        global: !!binary x
          1:9: yaml: !!binary value contains invalid base64 data
        a: 1\n---\nb: 2
          1:1: field a not found in type config.plain
        scrape_configs:\n- job_name: a\n  static_configs:\n  -\n
          4:4: empty or null section in static_configs
        scrape_configs:\n- job_name: a\n  relabel_configs:\n  -\n
          4:4: empty or null target relabeling rule in scrape config
        scrape_configs:\n- job_name: a\n  file_sd_configs:\n  -\n
          4:4: empty or null section in file_sd_configs
        alerting:\n  alert_relabel_configs:\n  -\n
          3:4: empty or null alert relabeling rule
        alerting:\n  alertmanagers:\n  - relabel_configs:\n    -\n
          4:6: empty or null Alertmanager target relabeling rule
        """#

    /// The keys of a job beside its name.
    private static let jobs = #"""
        scrape_interval: 5s, scrape_timeout: 6s
          1:53: scrape timeout greater than scrape interval for scrape config with job name "a"
        honor_labels: 3
          1:46: cannot unmarshal !!int `3` into bool (honor_labels)
        params: {a: b}
          1:44: cannot unmarshal !!str into []string (params)
        scheme: [http]
          1:40: cannot unmarshal !!seq into string (scheme)
        fallback_scrape_protocol: Gopher
          1:32: invalid fallback_scrape_protocol for scrape config with job name "a": unknown scrape protocol Gopher
        scrape_protocols: [PrometheusText0.0.4, Prometheustext0.0.4]
          1:32: unknown scrape protocol Prometheustext0.0.4, supported: [OpenMetricsText0.0.1 OpenMetricsText1.0.0 PrometheusProto PrometheusText0.0.4 PrometheusText1.0.0]
        metric_name_escaping_scheme: allow-utf-8, metric_name_validation_scheme: legacy
          1:32: utf8 metric names requested but validation scheme is not set to UTF8
        native_histogram_min_bucket_factor: x
          1:68: cannot unmarshal !!str `x` into float64 (native_histogram_min_bucket_factor)
        static_configs: [{targets: [a/b]}]
          1:60: "a/b" is not a valid hostname
        static_configs: [{targets: a}]
          1:59: cannot unmarshal !!str into []string (targets)
        static_configs: ['a']
          1:49: cannot unmarshal !!str into struct { Targets []string; Labels model.LabelSet }
        static_configs: [{targets: [a], labels: {a: [b]}}]
          1:76: cannot unmarshal !!seq into string (labels)
        static_configs: [{target: [a]}]
          1:50: field target not found in type struct { Targets []string; Labels model.LabelSet }, did you mean targets?
        basic_auth: {username: u, password: p, password_file: f}
          1:44: at most one of basic_auth password, password_file & password_ref must be configured
        basic_auth: {user: u}
          1:45: a field is not found in type config.BasicAuth
        basic_auth: {username: u}, authorization: {credentials: c}
          1:59: at most one of basic_auth, oauth2 & authorization must be configured
        basic_auth: {username: u}, bearer_token: t
          1:59: at most one of basic_auth, oauth2, bearer_token & bearer_token_file must be configured
        bearer_token: t, bearer_token_file: f
          1:49: at most one of bearer_token & bearer_token_file must be configured
        authorization: {type: Basic, credentials: c}
          1:48: authorization type cannot be set to "basic", use "basic_auth" instead
        authorization: {credentials: c, credentials_file: f}
          1:47: at most one of authorization credentials & credentials_file must be configured
        authorization: {credentials: c}, bearer_token: t
          1:65: authorization is not compatible with bearer_token & bearer_token_file
        oauth2: {client_id: a}
          1:40: oauth2 token_url must be configured
        oauth2: {token_url: 'http://t'}
          1:40: oauth2 client_id must be configured
        oauth2: {client_id: a, token_url: 'http://t', client_secret: s, client_secret_file: f}
          1:40: at most one of oauth2 client_secret, client_secret_file & client_secret_ref must be configured using grant-type=client_credentials
        oauth2: {client_id: a, token_url: 'http://t'}, basic_auth: {username: u}
          1:32: at most one of basic_auth, oauth2 & authorization must be configured
        tls_config: {cert_file: c}
          1:44: exactly one of key or key_file must be configured when a client certificate is configured
        tls_config: {key_file: c}
          1:44: exactly one of cert or cert_file must be configured when a client key is configured
        tls_config: {min_version: SSL3}
          1:45: unknown TLS version (min_version): expected TLS10, TLS11, TLS12 or TLS13
        tls_config: {ca: x, ca_file: y}
          1:44: at most one of ca and ca_file must be configured
        tls_config: {cert: x, cert_file: y, key: k}
          1:44: at most one of cert and cert_file must be configured
        tls_config: {insecure: true}
          1:45: a field is not found in type config.TLSConfig
        proxy_url: '://'
          1:32: proxy_url is no valid URL: missing protocol scheme
        no_proxy: a
          1:32: if no_proxy is configured, proxy_url must also be configured
        proxy_from_environment: true, proxy_url: 'http://p'
          1:62: if proxy_from_environment is configured, proxy_url must not be configured
        proxy_connect_header: {a: [b]}
          1:32: if proxy_connect_header is configured, proxy_url or proxy_from_environment must also be configured
        http_headers: {Host: {values: [x]}}
          1:47: setting header "Host" is not allowed
        http_headers: {authorization: {values: [x]}}
          1:47: setting header "authorization" is not allowed
        file_sd_configs: [{}]
          1:50: file service discovery config must contain at least one path name
        file_sd_configs: [{files: [a.txt]}]
          1:51: path name "a.txt" is not valid for file discovery
        file_sd_configs: [{files: ['a/*/b.json']}]
          1:51: path name "a/*/b.json" is not valid for file discovery
        file_sd_configs: [{file: [a.json]}]
          1:51: field file not found in type file.plain, did you mean files?
        http_sd_configs: [{}]
          1:50: URL is missing
        http_sd_configs: [{url: 'ftp://h'}]
          1:51: URL scheme must be 'http' or 'https'
        http_sd_configs: [{url: 'http://'}]
          1:51: host is missing in URL
        http_sd_configs: [{url: 'http://h', refresh_interval: x}]
          1:86: not a valid duration string: "x" (refresh_interval)
        dns_sd_configs: [{}]
          1:49: DNS-SD config must contain at least one SRV record name
        dns_sd_configs: [{names: [a], type: TXT}]
          1:62: invalid DNS-SD records type TXT
        dns_sd_configs: [{names: [a], type: a}]
          1:49: a port is required in DNS-SD configs for all record types except SRV
        dns_sd_configs: [{name: [a]}]
          1:50: field name not found in type dns.plain, did you mean names?
        gopher_sd_configs: [{}]
          1:32: field gopher_sd_configs not found in type config.ScrapeConfig, did you mean docker_sd_configs?
        relabel_configs: [a]
          1:50: cannot unmarshal !!str into relabel.Config
        metric_relabel_configs: [{action: replace}]
          1:57: relabel configuration for replace action requires 'target_label' value
        metric_name_validation_scheme: legacy, relabel_configs: [{action: hashmod, target_label: 'a-b', modulus: 2}]
          1:107: "a-b" is invalid 'target_label' for hashmod action
        metric_name_validation_scheme: legacy, relabel_configs: [{action: labelmap, regex: a, replacement: 'b-'}]
          1:118: "b-" is invalid 'replacement' for labelmap action
        metric_name_validation_scheme: legacy, relabel_configs: [{target_label: '0a'}]
          1:90: "0a" is invalid 'target_label' for replace action
        metric_name_validation_scheme: legacy, relabel_configs: [{source_labels: [a], action: lowercase, target_label: '${1}'}]
          1:129: "${1}" is invalid 'target_label' for lowercase action
        """#

    /// The keys of a rule of relabelling.
    private static let rules = #"""
        action: replace
          1:50: relabel configuration for replace action requires 'target_label' value
        action: nothing
          1:51: unknown relabel action "nothing"
        action: hashmod, target_label: a
          1:50: relabel configuration for hashmod requires non-zero modulus
        action: hashmod, modulus: 2
          1:50: relabel configuration for hashmod action requires 'target_label' value
        action: lowercase, source_labels: [a]
          1:50: relabel configuration for lowercase action requires 'target_label' value
        action: uppercase, source_labels: [a], target_label: b, replacement: c
          1:107: 'replacement' can not be set for uppercase action
        action: keepequal, source_labels: [a]
          1:50: relabel configuration for keepequal action requires 'target_label' value
        action: keepequal, source_labels: [a], target_label: b, regex: c
          1:50: keepequal action requires only 'source_labels' and `target_label`, and no other fields
        action: dropequal, source_labels: [a], target_label: b, modulus: 3
          1:50: dropequal action requires only 'source_labels' and `target_label`, and no other fields
        action: dropequal, source_labels: [a], target_label: b, replacement: c
          1:107: 'replacement' can not be set for dropequal action
        action: labeldrop, source_labels: [a]
          1:50: labeldrop action requires only 'regex', and no other fields
        action: labeldrop, regex: a, target_label: b
          1:50: labeldrop action requires only 'regex', and no other fields
        action: labelkeep, regex: a, replacement: b
          1:50: labelkeep action requires only 'regex', and no other fields
        action: labelkeep, modulus: 3, regex: a
          1:50: labelkeep action requires only 'regex', and no other fields
        action: labelkeep, separator: '-', regex: a
          1:50: labelkeep action requires only 'regex', and no other fields
        target_label: a, regex: '('
          1:68: error parsing regexp: missing closing ): `(`
        target_label: ''
          1:50: relabel configuration for replace action requires 'target_label' value
        source_label: [a]
          1:51: field source_label not found in type relabel.Config, did you mean source_labels?
        source_labels: ['a-b', ''], target_label: a
          1:51: "" is not a valid label name
        """#

    @Test("each mistake is refused with its place and reason")
    func refuse() {
        var count = 0
        let kinds = [
            (Self.files, "", ""), (Self.jobs, "scrape_configs: [{job_name: a, ", "}]"),
            (Self.rules, "scrape_configs: [{job_name: a, relabel_configs: [{", "}]}]"),
        ]
        for (list, before, behind) in kinds {
            var text = ""
            for line in list.split(separator: "\n") {
                guard line.hasPrefix("  ") else {
                    let body = line.replacing("\\n", with: "\n").replacing("\\t", with: "\t")
                    text = before + body + behind
                    continue
                }
                let error = #expect(throws: ConfigError.self, "\(text)") {
                    try ConfigurationLoader.parse(text: Array(text.utf8), path: "f.yml") { _ in nil }
                }
                #expect(error?.description == "f.yml:" + line.dropFirst(2), "\(text)")
                count += 1
            }
        }
        #expect(count > 120)
    }
}
