import Foundation
import TestSupport
import Testing

@testable import Config

/// Alertmanager's configuration as it is shown.
@Suite("Shown configuration of Alertmanager")
struct EffectiveAlertmanagerTests {
    private static func parse(_ text: String) throws -> AlertmanagerConfig {
        try AlertmanagerConfigLoader.parse(text: Array(text.utf8), path: "/etc/am.yml")
    }

    /// The text of a configuration, which is the same after it was read again.
    private static func shown(_ config: AlertmanagerConfig, _ name: String) -> String {
        let text = config.effectiveText
        do {
            #expect(try parse(text).effectiveText == text, "\(name)")
        } catch {
            Issue.record("\(name): \(error):\n\(text)")
        }
        return text
    }

    @Test("a minimal file has its defaults, keys in order and no secrets")
    func minimal() throws {
        let config = try Self.parse(
            """
            route:
              receiver: a
              routes: [{receiver: a, match: {y: z}, matchers: ['x = y', '"a b"=~"c"'], group_by: ['...'], group_wait: 90s}]
            receivers: [{name: a, webhook_configs: [{url: 'http://h/secret'}]}]
            """)
        #expect(
            Self.shown(config, "minimal") == """
                global:
                  resolve_timeout: 5m
                  http_config:
                    follow_redirects: true
                    enable_http2: true
                  smtp_hello: localhost
                  smtp_require_tls: true
                  pagerduty_url: https://events.pagerduty.com/v2/enqueue
                  opsgenie_api_url: https://api.opsgenie.com/
                  wechat_api_url: https://qyapi.weixin.qq.com/cgi-bin/
                  victorops_api_url: https://alert.victorops.com/integrations/generic/20131114/alert/
                  telegram_api_url: https://api.telegram.org
                  webex_api_url: https://webexapis.com/v1/messages
                route:
                  receiver: a
                  continue: false
                  routes:
                  - receiver: a
                    group_by:
                    - '...'
                    matchers:
                    - '"a b"=~"c"'
                    - x="y"
                    - y="z"
                    continue: false
                    group_wait: 1m30s
                receivers:
                - name: a
                  webhook_configs:
                  - send_resolved: true
                    http_config:
                      follow_redirects: true
                      enable_http2: true
                    url: http://<secret>
                    max_alerts: 0
                templates: []

                """)
    }

    /// The values of full entries that are secrets.
    private static let secrets: Set<String> = [
        "v-auth_password", "v-auth_secret", "v-api_key", "v-user_key", "v-token", "v-s", "v-c",
        "http://v-hook/",
    ]

    @Test("every key of every kind of receiver is shown, and no secret", arguments: ReceiverKindsTests.kinds)
    func kinds(_ kind: ReceiverKindsTests.Kind) throws {
        let text = Self.shown(try ReceiverKindsTests.config(kind.name, kind.yaml), kind.name)
        let entry = try #require(YAMLParser.parse(Array(kind.yaml.utf8), file: "")?.elements?.first)
        for (key, value) in entry.members ?? [] {
            let name = try #require(key.text)
            // A value that is the default, or that martlet has as another key.
            if ["html: false"].contains("\(name): \(value.text ?? "")") { continue }
            #expect(text.contains(" \(name):"), "\(kind.name): \(name)")
        }
        let secrets = Self.secrets.union(kind.name == "pagerduty" ? ["v-routing_key"] : [])
        for key in kind.texts.split(separator: " ") where !secrets.contains("v-\(key)") {
            #expect(text.contains(": v-\(key)\n"), "\(kind.name): \(key)")
        }
        for value in kind.shown.flatMap({ $0.matches(of: #/v-[a-z0-9]+/#) }).map({ String($0.output) }) {
            let isSecret = (kind.name == "sns" && value == "v-s") || (kind.name == "webex" && value == "v-c")
            let isShown = text.contains(try Regex("\\b\(value)(?![a-z_0-9])"))
            #expect(isShown != (isSecret || value == "v-hook"), "\(kind.name): \(value)")
        }
        for secret in secrets where kind.texts.split(separator: " ").contains(secret.dropFirst(2)) {
            #expect(!text.contains(": \(secret)\n"), "\(kind.name): \(secret)")
        }
    }

    @Test(
        "what is inherited is shown with the receiver, and can be read again",
        arguments: [
            ("slack", "{}", "slack_api_url: 'http://h/x'", "api_url: <secret>"),
            ("slack", "{}", "slack_api_url_file: f", "api_url_file: f"),
            ("slack", "{}", "slack_app_token: t", "app_token: <secret>"),
            (
                "slack", "{}", "slack_app_token: t, slack_api_url: 'https://slack.com/api/chat.postMessage'",
                "slack_api_url: <secret>"
            ),
            (
                "slack", "{http_config: {authorization: {credentials: x}}}",
                "slack_app_token_file: f, slack_api_url: 'https://slack.com/api/chat.postMessage'",
                "credentials: <secret>"
            ),
            (
                "slack", "{update_message: true}", "slack_api_url: 'https://slack.com/api/chat.postMessage'",
                "update_message: true"
            ),
            ("incidentio", "{url_file: f}", "http_config: {authorization: {credentials: x}}", "url_file: f"),
            ("incidentio", "{url_file: f, http_config: {bearer_token: x}}", "", "credentials: <secret>"),
            ("incidentio", "{url_file: f, alert_source_token: x}", "", "alert_source_token: <secret>"),
            ("opsgenie", "{}", "opsgenie_api_key: x", "api_key: <secret>"),
            (
                "jira", "{project: p, issue_type: t}", "jira_api_url: 'http://u:secret@h/'",
                "jira_api_url: http://u:xxxxx@h/"
            ),
            ("telegram", "{chat_id: 1, parse_mode: ''}", "telegram_bot_token: x", "parse_mode: \"\""),
            ("discord", "{webhook_url_file: f, title: ''}", "", "title: \"\""),
            (
                "email", "{to: a}", "smtp_from: f, smtp_smarthost: 'h:1', smtp_auth_password: x",
                "auth_password: <secret>"
            ),
        ])
    func inherited(_ kind: String, _ entry: String, _ global: String, _ line: String) throws {
        let text = Self.shown(try ReceiverKindsTests.config(kind, "- " + entry, global), "\(kind) \(entry) \(global)")
        #expect(text.contains(line), "\(text)")
    }

    @Test("sections beside receivers are shown, and can be read again")
    func sections() throws {
        let config = try Self.parse(
            """
            global: {resolve_timeout: 1h, pagerduty_url: null, smtp_tls_config: {ca_file: c}, rocketchat_api_url: 'http://r/'}
            templates: [a/*.tmpl]
            route:
              receiver: a
              group_by: []
              labels: {team: '{{ .x }}'}
              routes: [{match_re: {a: 'x|y'}, mute_time_intervals: [old], active_time_intervals: [new], repeat_interval: 1w}]
            receivers: [{name: a, labels: {team: b, empty: ''}}, null]
            inhibit_rules: [null, {name: n, source_match: {a: b}, target_matchers: ['é="\\"\\n,"'], equal: [x, null]}]
            mute_time_intervals: [{name: old, time_intervals: [{}]}, null]
            time_intervals:
              - name: new
                time_intervals:
                  - times: [{start_time: '09:05', end_time: '24:00'}, null]
                    weekdays: ['monday:friday', sunday, null]
                    days_of_month: ['1:5', '-3', null]
                    months: ['january:march', 13, null]
                    years: ['2020:2030', null]
                    location: Europe/Berlin
            tracing: {endpoint: 'h:1', sampling_fraction: 0.5, headers: {a: secret}, timeout: 5s}
            """)
        let text = Self.shown(config, "sections")
        for line in [
            "resolve_timeout: 1h", "pagerduty_url: null", "ca_file: c", "rocketchat_api_url: http://r/",
            "- /etc/a/*.tmpl", "group_by: []", "team: '{{ .x }}'", #"- a=~"^(?:x|y)$""#, "repeat_interval: 1w",
            "empty: \"\"",
            "- name: \"n\"", #"- a="b""#, "start_time: \"09:05\"", "end_time: \"24:00\"", "- monday:friday", "- sunday",
            "- \"1:5\"", "- \"-3\"", "- \"1:3\"", "- \"13\"", "- 2020:2030", "location: Europe/Berlin", "endpoint: h:1",
            "sampling_fraction: 0.5", "a: <secret>", "timeout: 5s",
        ] { #expect(text.contains(line), "\(line):\n\(text)") }
        #expect(!text.contains("secret\n") || !text.contains(": secret"))
    }

    @Test(
        "all accepted files of the suite are shown, and can be read again",
        .enabled(if: SharedFolder.has("configs"), "needs ../shared/configs"))
    func suite() {
        var count = 0
        for file in SuiteTests.files("configs/alertmanager") where file.hasSuffix(".yml") {
            guard let config = try? AlertmanagerConfigLoader.load(path: file) else { continue }
            count += 1
            _ = Self.shown(config, file)
        }
        #expect(count >= 15)
    }
}
