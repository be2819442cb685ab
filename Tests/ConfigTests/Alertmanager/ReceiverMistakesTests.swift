import Config
import Testing

/// Each check of each kind of receiver, with the place of its error.
@Suite("Mistakes in receivers")
struct ReceiverMistakesTests {
    /// An entry in which `^` stands before what the error names; without it, that is the entry.
    struct Case: Sendable {
        var kind: String
        var entry: String
        var message: String
        var global = ""

        init(_ kind: String, _ entry: String, _ message: String, global: String = "") {
            (self.kind, self.entry, self.message, self.global) = (kind, entry, message, global)
        }
    }

    private static let one = "must be configured"
    private static let slackHead = "api_url_file: x, "

    static let cases: [Case] = [
        Case("webhook", "{max_alerts: 1}", "one of url or url_file \(one)"),
        Case("webhook", "{url: 'http://h/', url_file: x}", "at most one of url & url_file \(one)"),
        Case("webhook", "{^url: 'ftp://h/'}", "invalid URL: unsupported scheme for URL: expected http or https (url)"),
        Case("webhook", "{^url: 'http://'}", "invalid URL: missing host for URL (url)"),
        Case("webhook", "{^timeout: 1d, url_file: x}", "time: invalid duration \"1d\" (timeout)"),
        Case("email", "{from: x, smarthost: 'h:1'}", "missing to address in email config"),
        Case("email", "{to: x, smarthost: 'h:1'}", "no global SMTP from set"),
        Case("email", "{to: x, from: x}", "no global SMTP smarthost set"),
        Case("email", "{to: x, ^smarthost: h}", "address h: missing port in address"),
        Case("email", "{to: x, headers: {subject: a, Subject: ^b}}", "duplicate header \"Subject\" in email config"),
        Case(
            "email", "{to: x, threading: {enabled: true, ^thread_by_date: week}}",
            "threading.thread_by_date must be either 'none' or 'daily'"),
        Case(
            "email", "{to: x, threading: ^{enabled: true}}",
            "threading.thread_by_date must be either 'none' or 'daily'"),
        Case(
            "email", "{to: x, threading: {enabled: true, thread_by_date: none}, headers: {references: ^a}}",
            "conflicting configuration: threading.enabled conflicts with custom References header"),
        Case(
            "email", "{to: x, threading: {enabled: true, thread_by_date: none}, headers: {In-reply-to: ^a}}",
            "conflicting configuration: threading.enabled conflicts with custom In-Reply-To header"),
        Case("slack", "{title: x}", "no Slack API URL nor App token set either inline or in a file"),
        Case("slack", "{api_url: 'http://h', ^api_url_file: x}", "at most one of api_url & api_url_file \(one)"),
        Case("slack", "{app_token: a, ^app_token_file: x}", "at most one of app_token & app_token_file \(one)"),
        Case(
            "slack", "{app_token: a, api_url_file: x}",
            "at most one of api_url/api_url_file & app_token/app_token_file \(one)"),
        Case(
            "slack", "{api_url: 'http://h', ^update_message: true}",
            "update_message can only be used with bot tokens. api_url must be set to https://slack.com/api/chat.postMessage"
        ),
        Case(
            "slack", "{app_token: a, http_config: {authorization: {credentials: b}}}",
            "http authorization can't be set when using Slack App tokens"),
        Case(
            "slack", "{\(slackHead)actions: [{type: a, text: b, ^name: ''}]}",
            "missing name or url in Slack action configuration"),
        Case("slack", "{\(slackHead)actions: [^{text: b, url: c}]}", "missing type in Slack action configuration"),
        Case("slack", "{\(slackHead)actions: [^{type: a, url: c}]}", "missing text in Slack action configuration"),
        Case(
            "slack", "{\(slackHead)actions: [{type: a, text: b, name: c, confirm: ^{title: x}}]}",
            "missing text in Slack confirmation configuration"),
        Case("slack", "{\(slackHead)fields: [^{value: a}]}", "missing title in Slack field configuration"),
        Case("slack", "{\(slackHead)fields: [^{title: a}]}", "missing value in Slack field configuration"),
        Case("pagerduty", "{client: x}", "missing service or routing key in PagerDuty config"),
        Case(
            "pagerduty", "{routing_key: a, ^routing_key_file: b}",
            "at most one of routing_key & routing_key_file \(one)"
        ),
        Case(
            "pagerduty", "{service_key: a, ^service_key_file: b}",
            "at most one of service_key & service_key_file \(one)"
        ),
        Case("pagerduty", "{routing_key: a}", "no global PagerDuty URL set", global: "pagerduty_url: null"),
        Case("opsgenie", "{note: x}", "no global OpsGenie API Key set either inline or in a file"),
        Case("opsgenie", "{api_key: a, ^api_key_file: b}", "at most one of api_key & api_key_file \(one)"),
        Case(
            "opsgenie", "{api_key: a, responders: [^{type: team}]}",
            "opsGenieConfig responder {   team} has to have at least one of id, username or name specified"),
        Case(
            "opsgenie", "{api_key: a, responders: [{id: b, type: ^Group}]}",
            "opsGenieConfig responder {b   Group} type does not match valid options ^(team|teams|user|escalation|schedule)$"
        ),
        Case("discord", "{title: x}", "one of webhook_url or webhook_url_file \(one)"),
        Case(
            "msteams", "{webhook_url: 'http://h', ^webhook_url_file: x}",
            "at most one of webhook_url & webhook_url_file \(one)"),
        Case("msteamsv2", "{^webhook_url: x}", "unsupported scheme for URL: expected http or https (webhook_url)"),
        Case("telegram", "{bot_token: a}", "missing chat_id or chat_id_file on telegram_config"),
        Case("telegram", "{bot_token: a, chat_id: 1, chat_id_file: x}", "at most one of chat_id & chat_id_file \(one)"),
        Case("telegram", "{chat_id: 1}", "missing bot_token or bot_token_file on telegram_config"),
        Case(
            "telegram", "{chat_id: 1, bot_token: a, ^bot_token_file: b}",
            "at most one of bot_token & bot_token_file \(one)"),
        Case(
            "telegram", "{chat_id: 1, bot_token: a, ^parse_mode: html}",
            "unknown parse_mode on telegram_config, must be Markdown, MarkdownV2, HTML or empty string"),
        Case("telegram", "{chat_id: ^x}", "cannot unmarshal !!str `x` into int (chat_id)"),
        Case("pushover", "{token: a}", "one of user_key or user_key_file \(one)"),
        Case("pushover", "{user_key: a}", "one of token or token_file \(one)"),
        Case("pushover", "{user_key: a, ^user_key_file: b}", "at most one of user_key & user_key_file \(one)"),
        Case("pushover", "{user_key: a, token: b, ^token_file: c}", "at most one of token & token_file \(one)"),
        Case(
            "pushover", "{user_key: a, token: b, html: true, ^monospace: true}",
            "at most one of html & monospace \(one)"),
        Case("victorops", "{api_key: a}", "missing Routing key in VictorOps config"),
        Case("victorops", "{routing_key: a}", "no global VictorOps API Key set"),
        Case(
            "victorops", "{routing_key: a, api_key: b, custom_fields: {entity_state: ^c}}",
            "custom field \"entity_state\" in VictorOps config has the name of a fixed field"),
        Case("webex", "{message: x}", "missing room_id on webex_config"),
        Case("webex", "{room_id: x}", "missing webex_configs.http_config.authorization"),
        Case("wechat", "{corp_id: x}", "no global Wechat Api Secret set either inline or in a file"),
        Case("wechat", "{api_secret: x}", "no global Wechat CorpID set"),
        Case(
            "wechat", "{^message_type: x}",
            "weChat message type \"x\" does not match valid options ^(text|markdown)$"),
        Case(
            "sns", "{subject: x}", "must provide either a Target ARN, Topic ARN, or Phone Number for SNS config"),
        Case(
            "sns", "{topic_arn: x, target_arn: y}",
            "must provide either a Target ARN, Topic ARN, or Phone Number for SNS config"),
        Case("jira", "{issue_type: x}", "missing project in jira_config"),
        Case("jira", "{project: x}", "missing issue_type in jira_config"),
        Case("jira", "{project: x, issue_type: y}", "no global Jira Cloud URL set"),
        Case(
            "jira", "{project: x, issue_type: y, ^api_type: z}",
            "unknown api_type on jira_config, must be auto, cloud or datacenter"),
        Case("jira", "{fields: ^[a]}", "cannot unmarshal !!seq into map[string]interface {} (fields)"),
        Case("rocketchat", "{token: x}", "no global Rocketchat TokenID set either inline or in a file"),
        Case("rocketchat", "{token_id: x}", "no global Rocketchat Token set either inline or in a file"),
        Case("rocketchat", "{token: x, ^token_file: y}", "at most one of token & token_file \(one)"),
        Case("mattermost", "{text: x}", "missing webhook_url or webhook_url_file on mattermost_config"),
        Case(
            "mattermost", "{webhook_url_file: a, fields: [^{title: x}]}",
            "missing value in Mattermost field configuration"),
        Case("incidentio", "{timeout: 1s}", "one of url or url_file \(one)"),
        Case("incidentio", "{url: 'http://h', ^url_file: x}", "at most one of url & url_file \(one)"),
        Case(
            "incidentio", "{url_file: x, http_config: {}}",
            "at least one of alert_source_token, alert_source_token_file or http_config.authorization \(one)"),
        Case(
            "incidentio", "{url_file: x, alert_source_token: y, http_config: {authorization: {credentials: z}}}",
            "at most one of alert_source_token, alert_source_token_file & http_config.authorization \(one)"),
    ]

    @Test("a mistake is refused with its text and place", arguments: cases)
    func mistake(_ wrong: Case) {
        let before = wrong.entry.prefix { $0 != "^" }
        let column = before.count == wrong.entry.count ? 5 : 5 + before.count
        let error = #expect(throws: ConfigError.self) {
            try ReceiverKindsTests.config(wrong.kind, "- " + wrong.entry.replacing("^", with: ""), wrong.global)
        }
        #expect(error?.description == "am.yml:6:\(column): \(wrong.message)")
    }

    @Test(
        "what global has need not be in the receiver",
        arguments: [
            ("email", "{to: x}", "smtp_from: a, smtp_smarthost: 'h:1'"),
            ("slack", "{}", "slack_api_url: 'http://h'"), ("slack", "{}", "slack_api_url_file: x"),
            ("slack", "{}", "slack_app_token: a"), ("slack", "{app_token: a}", "slack_api_url: 'http://h'"),
            ("slack", "{api_url: <secret>}", "slack_app_token: a"), ("opsgenie", "{}", "opsgenie_api_key_file: a"),
            ("telegram", "{chat_id: 1}", "telegram_bot_token: a"),
            ("victorops", "{routing_key: a}", "victorops_api_key: b"),
            ("wechat", "{}", "wechat_api_secret_file: a, wechat_api_corp_id: b"),
            ("rocketchat", "{}", "rocketchat_token: a, rocketchat_token_id_file: b"),
            ("mattermost", "{}", "mattermost_webhook_url: 'http://h'"),
            ("jira", "{project: x, issue_type: y}", "jira_api_url: 'http://h'"),
            ("webex", "{room_id: x}", "http_config: {authorization: {credentials: a}}"),
            ("sns", "{topic_arn: x, target_arn: y, phone_number: z}", ""), ("incidentio", "{url_file: x}", ""),
            ("slack", "{update_message: true, api_url: 'https://slack.com/api/chat.postMessage'}", ""),
            ("email", "{to: x, from: y, smarthost: ':1', auth_password: a, auth_password_file: b}", ""),
        ])
    func inherited(_ kind: String, _ entry: String, _ global: String) throws {
        _ = try ReceiverKindsTests.config(kind, "- " + entry, global)
    }

    @Test("Slack's address and authorization follow from what is given where")
    func slack() throws {
        func address(_ entry: String, _ global: String) throws -> String {
            let slack = try #require(
                try ReceiverKindsTests.config("slack", "- " + entry, global).receivers[0].slacks.first)
            let authorization = slack.client.authorization.map { $0.credentials + $0.credentialsFile } ?? "none"
            return "\(slack.url.text)\(slack.url.file) \(authorization)"
        }
        let post = "https://slack.com/api/chat.postMessage"
        #expect(try address("{}", "slack_app_token_file: t") == "\(post) t")
        #expect(try address("{}", "slack_app_token: t, slack_app_url: 'http://a'") == "http://a t")
        #expect(try address("{api_url_file: f}", "slack_app_token: t") == "f none")
        #expect(try address("{app_token: o, app_url: 'http://b'}", "slack_api_url: 'http://h'") == "http://b o")
        let own = "{http_config: {authorization: {credentials: c}}}"
        #expect(try address(own, "slack_api_url: '\(post)', slack_app_token: t") == "\(post) c")
    }

    @Test("mail inherits both ways to give a secret, if it has neither")
    func mail() throws {
        let global = "smtp_from: f, smtp_smarthost: 'h:1', smtp_auth_password: p, smtp_auth_secret_file: s"
        func secrets(_ entry: String) throws -> String {
            let mail = try #require(
                try ReceiverKindsTests.config("email", "- " + entry, global).receivers[0].emails.first)
            let all = [mail.authPassword.text, mail.authPassword.file, mail.authSecret.text, mail.authSecret.file]
            return all.joined(separator: ",")
        }
        #expect(try secrets("{to: x}") == "p,,,s")
        #expect(try secrets("{to: x, auth_password_file: q, auth_secret: t}") == ",q,t,")
    }

    @Test(
        "no message about a value of a wrong shape, or a wrong URL, shows the value",
        arguments: ReceiverKindsTests.kinds)
    func secrets(_ kind: ReceiverKindsTests.Kind) {
        let keys =
            kind.texts.split(separator: " ").map(String.init) + [
                "http_config", "api_url", "webhook_url", "url", "sigv4", "app_url",
            ]
        for key in keys {
            for value in [
                "[SECRET]", "{SECRET: x}", "'http://u:SECRET@h:port'", "{secret_key: [SECRET]}", "{SECRET: 1}",
            ] {
                var message = ""
                do { _ = try ReceiverKindsTests.config(kind.name, "- {\(key): \(value)}") } catch {
                    message = "\(error)"
                }
                // An unknown key of http_config is named.
                #expect(key == "http_config" || !message.contains("SECRET"), "\(kind.name), \(key): \(message)")
            }
        }
    }
}
