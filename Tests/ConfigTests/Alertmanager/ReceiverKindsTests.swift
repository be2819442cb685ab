import Config
import Testing

/// Every key of every kind of receiver.
@Suite("Kinds of receivers")
struct ReceiverKindsTests {
    /// A kind with its keys that are texts, and its other keys with the text that a dump has of them.
    struct Kind: Sendable {
        var name: String
        var texts: String
        var others: String
        var shown: [String] = []

        var yaml: String {
            let lines = texts.split(separator: " ").map { "\($0): v-\($0)" } + [others]
            return "- {" + lines.filter { !$0.isEmpty }.joined(separator: ", ") + "}"
        }
    }

    static func config(_ kind: String, _ entries: String, _ global: String = "") throws -> AlertmanagerConfig {
        try AlertmanagerConfigTests.parse(
            "global: {\(global)}\nroute: {receiver: a}\nreceivers:\n- name: a\n  \(kind)_configs:\n  \(entries)\n")
    }

    static let kinds: [Kind] = [
        Kind(
            name: "webhook", texts: "",
            others: """
                send_resolved: false, url: 'http://h/{{ .x }}', http_config: {proxy_url: 'http://v-proxy/'}, max_alerts: 7,
                    timeout: 1.5s, payload: {v-payload: [v-text, 1, 2.5, true, null, '3', 18446744073709551615], 2: x}
                """,
            shown: [
                "http://h/{{ .x }}", "sendResolved: false", "maxAlerts: 7", "timeout: 1500", "integer(1)",
                "number(2.5)", "bool(true)", "null", "text: \"3\"", "unsigned(18446744073709551615)", "v-payload",
                "v-text",
            ]),
        Kind(
            name: "email",
            texts: """
                to from hello auth_username auth_identity auth_password_file auth_password auth_secret auth_secret_file \
                html text
                """,
            others: """
                send_resolved: true, smarthost: 'v-host:25', require_tls: false, tls_config: {ca_file: v-ca},
                    force_implicit_tls: true, headers: {x-a: v-header, subject: v-subject},
                    threading: {enabled: true, thread_by_date: daily}
                """,
            shown: [
                "v-host:25", "requireTLS: false", "\"v-ca\"", "Optional(true)", "\"X-A\"", "v-header", "\"Subject\"",
                "v-subject", "daily", "\"To\"", "\"From\"",
            ]),
        Kind(
            name: "slack",
            texts: """
                channel username color title title_link pretext text message_text footer fallback callback_id \
                icon_emoji icon_url image_url thumb_url
                """,
            others: """
                send_resolved: true, app_token_file: v-token, app_url: 'http://v-app/', link_names: true,
                    short_fields: true, mrkdwn_in: [v-in],
                    fields: [{title: v-ft, value: v-fv, short: true}], actions: [{type: v-at, text: v-ax, url: v-au,
                    style: v-as}, {type: t, text: t, name: v-an, value: v-av, confirm: {text: v-ct, title: v-cl,
                    ok_text: v-co, dismiss_text: v-cd}}], update_message: true, timeout: 2s
                """,
            shown: [
                "v-token", "http://v-app/", "linkNames: true", "shortFields: true", "v-in", "v-ft", "v-fv",
                "isShort: Optional(true)", "v-at", "v-ax", "v-au", "v-as", "v-an", "v-av", "v-ct", "v-cl", "v-co",
                "v-cd", "updateMessage: true", "timeout: 2000",
            ]),
        Kind(
            name: "pagerduty",
            texts: "routing_key service_key_file client client_url description severity source class component group",
            others: """
                url: 'http://v-url/', details: {v-d: {v-e: [v-f]}, num_firing: v-n},
                    images: [{src: v-is, alt: v-ia, href: v-ih}], links: [{href: v-lh, text: v-lt}], timeout: 3s
                """,
            shown: [
                "http://v-url/", "v-d", "v-e", "v-f", "v-n", "num_resolved", "firing", "v-is", "v-ia", "v-ih", "v-lh",
                "v-lt", "timeout: 3000",
            ]),
        Kind(
            name: "opsgenie",
            texts: "api_key message description source entity actions tags note priority",
            others: """
                api_url: 'http://v-api', details: {v-k: v-v}, update_alerts: true,
                    responders: [{id: v-id, name: v-name, username: v-user, type: TEAM}, {id: x, type: '{{ .v }}'}]
                """,
            shown: [
                "http://v-api/\"", "v-k", "v-v", "updateAlerts: true", "v-id", "v-name", "v-user", "\"team\"",
                "{{ .v }}",
            ]),
        Kind(
            name: "discord", texts: "webhook_url_file content title message username avatar_url",
            others: "send_resolved: false", shown: ["sendResolved: false"]),
        Kind(name: "msteams", texts: "webhook_url_file title summary text", others: "send_resolved: false"),
        Kind(
            name: "msteamsv2", texts: "title text",
            others: "send_resolved: false, webhook_url: 'http://v-hook/'", shown: ["http://v-hook/"]),
        Kind(
            name: "telegram", texts: "bot_token_file message",
            others: """
                api_url: 'http://v-api', chat_id: -5, message_thread_id: 9, disable_notifications: true,
                    parse_mode: MarkdownV2
                """,
            shown: [
                "http://v-api", "chatID: -5", "messageThreadID: 9", "disableNotifications: true", "\"MarkdownV2\"",
            ]),
        Kind(
            name: "pushover", texts: "user_key token_file title message url url_title device sound priority",
            others: "retry: 2m, expire: 90s, ttl: 1500ms, html: false, monospace: true",
            shown: ["retry: 120000", "expire: 90000", "ttl: 1500", "html: false", "monospace: true"]),
        Kind(
            name: "victorops",
            texts: "api_key_file routing_key message_type state_message entity_display_name monitoring_tool",
            others: "api_url: 'http://v-api?x', custom_fields: {v-k: v-v}",
            shown: ["http://v-api/?x", "v-k", "v-v"]),
        Kind(
            name: "webex", texts: "message room_id",
            others: "api_url: 'http://v-api', http_config: {authorization: {credentials: v-c}}",
            shown: ["http://v-api", "v-c"]),
        Kind(
            name: "wechat", texts: "api_secret_file corp_id message to_user to_party to_tag agent_id",
            others: "api_url: 'http://v-api/x', message_type: markdown", shown: ["http://v-api/x/", "markdown"]),
        Kind(
            name: "sns", texts: "api_url topic_arn subject message",
            others: """
                sigv4: {region: v-r, access_key: v-a, secret_key: v-s, profile: v-p, role_arn: v-o, external_id: v-e,
                    use_fips_sts_endpoint: true, service_name: v-n}, attributes: {v-k: v-v}, use_aws_http_client: true
                """,
            shown: [
                "v-r", "v-a", "v-s", "v-p", "v-o", "v-e", "useFIPSEndpoint: true", "v-n", "v-k", "v-v",
                "useAWSClient: true",
            ]),
        Kind(
            name: "jira",
            texts: "project issue_type priority reopen_transition resolve_transition wont_fix_resolution",
            others: """
                api_url: 'http://v-api', api_type: cloud, summary: v-s, labels: [v-l],
                    description: {template: v-d, enable_update: false}, reopen_duration: 1d, fields: {v-f: {v-g: 1}}
                """,
            shown: [
                "http://v-api", "cloud", "v-s", "v-l", "v-d", "enableUpdate: false", "enableUpdate: true",
                "reopenDuration: 86400000", "v-f", "v-g",
            ]),
        Kind(
            name: "rocketchat",
            texts: "token token_id_file channel color title title_link text emoji icon_url image_url thumb_url",
            others: """
                api_url: 'http://v-api', fields: [{title: v-ft, value: v-fv, short: true}], short_fields: true,
                    link_names: true, actions: [{type: x, text: v-ax, url: v-au, msg: v-am}]
                """,
            shown: [
                "http://v-api", "v-ft", "v-fv", "shortFields: true", "linkNames: true", "v-ax", "v-au", "v-am",
            ]),
        Kind(
            name: "mattermost",
            texts: """
                webhook_url_file channel username text fallback color title title_link pretext author_name \
                author_link author_icon thumb_url footer footer_icon image_url icon_url icon_emoji type
                """,
            others: """
                fields: [{title: v-ft, value: v-fv, short: false}], props: {card: v-card}, priority: {priority: v-p,
                    requested_ack: true, persistent_notifications: true}, attachments: [{fallback: v-1, color: v-2,
                    pretext: v-3, text: v-4, author_name: v-5, author_link: v-6, author_icon: v-7, title: v-8,
                    title_link: v-9, fields: [{title: v-10, value: v-11}], thumb_url: v-12, footer: v-13,
                    footer_icon: v-14, image_url: v-15}]
                """,
            shown: [
                "v-ft", "v-fv", "isShort: Optional(false)", "v-card", "v-p", "requestedAck: true",
                "persistentNotifications: true",
            ] + (1...15).map { "\"v-\($0)\"" }),
        Kind(
            name: "incidentio", texts: "url_file alert_source_token_file", others: "max_alerts: 3, timeout: 4s",
            shown: ["maxAlerts: 3", "timeout: 4000"]),
    ]

    @Test("an entry with every key has every value", arguments: kinds)
    func full(_ kind: Kind) throws {
        let config = try Self.config(kind.name, kind.yaml)
        let dump = "\(config.receivers[0])"
        for key in kind.texts.split(separator: " ") { #expect(dump.contains("\"v-\(key)\""), "\(kind.name): \(key)") }
        for text in kind.shown { #expect(dump.contains(text), "\(kind.name): \(text)") }
    }

    @Test("there is a full entry for every kind, and the kinds that nothing sends are refused")
    func complete() throws {
        let features = NotifierFeature.allCases.filter { $0.rawValue.hasSuffix("_configs") }
        #expect(Set(features.map(\.rawValue)) == Set(Self.kinds.map { $0.name + "_configs" }))
        for kind in Self.kinds where kind.name != "webhook" {
            let feature = try #require(features.first { $0.rawValue == kind.name + "_configs" })
            let parts: [NotifierFeature] = [.slackUpdate, .snsRole]
            let messages = try Self.config(kind.name, kind.yaml).unsupported.map(\.description).filter { message in
                !parts.contains { message.hasSuffix($0.rawValue) }
            }
            let expected = "am.yml:5:3: not supported yet: \(feature.rawValue)"
            #expect(messages == (NotifierFeature.carriedOut.contains(feature) ? [] : [expected]))
        }
    }

    @Test("an unknown key of each kind is an error with its place", arguments: kinds)
    func unknownKey(_ kind: Kind) {
        let error = #expect(throws: ConfigError.self) {
            try Self.config(kind.name, String(kind.yaml.dropLast()) + ",\n    nonsense: 1}")
        }
        #expect(error?.description.contains(":5: field nonsense not found in type config.") == true)
    }

    @Test("a null entry is an error or an empty one, as in Alertmanager")
    func nullEntries() {
        let empty = [
            "slack": "no Slack API URL nor App token set either inline or in a file",
            "opsgenie": "no global OpsGenie API Key set either inline or in a file",
            "wechat": "no global Wechat Api Secret set either inline or in a file",
            "rocketchat": "no global Rocketchat TokenID set either inline or in a file",
        ]
        for kind in Self.kinds {
            let error = #expect(throws: ConfigError.self) { try Self.config(kind.name, "- null") }
            #expect(error?.description == "am.yml:6:5: " + (empty[kind.name] ?? "missing \(kind.name) config"))
        }
    }

    @Test("an own http_config replaces that of global as a whole")
    func clients() throws {
        func proxy(_ kind: String, _ entry: String) throws -> String {
            let config = try Self.config(kind, "- " + entry, "http_config: {proxy_url: 'http://p/', no_proxy: x}")
            let receiver = config.receivers[0]
            let proxy = receiver.discords.first?.client.proxy ?? receiver.msTeamsV2.first?.client.proxy
            return "\(proxy?.url ?? "") \(proxy?.exceptions ?? "")"
        }
        #expect(try proxy("discord", "{webhook_url_file: a}") == "http://p/ x")
        #expect(try proxy("discord", "{webhook_url_file: a, http_config: {}}") == " ")
        // Only this kind has a part of it.
        #expect(try proxy("msteamsv2", "{webhook_url_file: a, http_config: {}}") == "http://p/ ")
        #expect(try proxy("msteamsv2", "{webhook_url_file: a, http_config: {proxy_url: 'http://q/'}}") == "http://q/ ")
    }

    @Test("files of clients start at the file's directory, other files at the working directory")
    func paths() throws {
        let text = """
            global: {smtp_tls_config: {ca_file: a}, smtp_smarthost: 'h:1', smtp_from: x}
            route: {receiver: a}
            templates: [t]
            receivers:
            - name: a
              webhook_configs: [{url_file: u, http_config: {tls_config: {ca_file: b}}}]
              email_configs: [{to: x}, {to: x, tls_config: {ca_file: c}}]
              incidentio_configs: [{url_file: u, http_config: {authorization: {credentials_file: d}}}]
              telegram_configs: [{chat_id: 1, bot_token_file: e, http_config: {bearer_token_file: f}}]
            """
        let config = try AlertmanagerConfigLoader.parse(text: Array(text.utf8), path: "dir/am.yml")
        let receiver = config.receivers[0]
        #expect(config.templates == ["dir/t"])
        #expect(receiver.webhooks.map(\.client.tls.caFile) == ["dir/b"])
        #expect(receiver.webhooks.map(\.urlFile) == ["u"])
        #expect(receiver.emails.map(\.tls.caFile) == ["a", "c"])
        #expect(receiver.incidentIOs.map(\.client.authorization?.credentialsFile) == ["d"])
        #expect(receiver.telegrams.map(\.botToken.file) == ["e"])
        #expect(receiver.telegrams.map(\.client.authorization?.credentialsFile) == ["dir/f"])
    }

    @Test("a template has its place")
    func places() throws {
        let slack = try #require(
            try Self.config("slack", "- {api_url_file: x,\n     title: '{{'}").receivers[0].slacks.first)
        #expect("\(slack.title.place)".contains("line: 7, column: 13") && slack.title.text == "{{")
        #expect("\(slack.text.place)".contains("line: 6, column: 5"))
        #expect(slack.text.text == "{{ template \"slack.default.text\" . }}")
        let config = try Self.config("webhook", "- {url: 'http://h/{{ x'}")
        #expect(config.checkedTemplates.map(\.text) == ["http://h/{{ x"])
        #expect(config.unsupported.isEmpty)
    }
}
