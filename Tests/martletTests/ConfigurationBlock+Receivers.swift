extension ConfigurationBlock {
    /// A member that the kinds of receivers need.
    private static func text(_ key: String) -> (key: String, value: String) { (key, "x") }

    /// An entry of a kind of receivers; all that `global` may have for it is there.
    private static func kind(_ name: String, _ needed: [(key: String, value: String)] = []) -> ConfigurationBlock {
        part("\(name)_config", name, "KEYS", needed)
    }

    /// A mapping inside of such an entry.
    private static func part(
        _ block: String, _ kind: String, _ entry: String, _ needed: [(key: String, value: String)] = []
    ) -> ConfigurationBlock {
        ConfigurationBlock(
            name: block, file: .notifier,
            frame: "{\(globals), route: {receiver: r}, receivers: [{name: r, \(kind)_configs: [{\(entry)}]}]}",
            needed: needed)
    }

    private static let globals = """
        global: {smtp_from: f, smtp_smarthost: "h:1", slack_api_url_file: f, opsgenie_api_key: f, wechat_api_secret: f, \
        wechat_api_corp_id: f, victorops_api_key: f, telegram_bot_token: f, rocketchat_token: f, \
        rocketchat_token_id: f, mattermost_webhook_url_file: f, jira_api_url: "http://h/", \
        http_config: {authorization: {credentials: x}}}
        """

    private static let hook = (key: "webhook_url_file", value: "x")

    /// The kinds of receivers but webhooks, with the blocks inside of them.
    static let receivers: [ConfigurationBlock] =
        [
            kind("email", [text("to")]), part("email_threading", "email", "to: x, threading: {KEYS}"),
            kind("slack"), part("slack_field", "slack", "fields: [{KEYS}]", [text("title"), text("value")]),
            part("slack_action", "slack", "actions: [{KEYS}]", [text("type"), text("text"), text("name")]),
            part(
                "slack_confirmation", "slack", "actions: [{type: x, text: x, name: x, confirm: {KEYS}}]", [text("text")]
            ),
            kind("pagerduty", [text("routing_key")]),
            part("pagerduty_image", "pagerduty", "routing_key: x, images: [{KEYS}]"),
            part("pagerduty_link", "pagerduty", "routing_key: x, links: [{KEYS}]"), kind("opsgenie"),
            part("opsgenie_responder", "opsgenie", "responders: [{KEYS}]", [text("id"), ("type", "team")]),
            kind("discord", [hook]), kind("msteams", [hook]), kind("msteamsv2", [hook]),
            kind("telegram", [("chat_id", "1")]), kind("pushover", [text("user_key"), text("token")]),
            kind("victorops", [text("routing_key")]), kind("webex", [text("room_id")]), kind("wechat"),
            kind("sns", [text("topic_arn")]), part("sigv4", "sns", "topic_arn: x, sigv4: {KEYS}"),
            kind("jira", [text("project"), text("issue_type")]),
            part("jira_field", "jira", "project: x, issue_type: x, summary: {KEYS}"), kind("rocketchat"),
            part("rocketchat_field", "rocketchat", "fields: [{KEYS}]"),
            part("rocketchat_action", "rocketchat", "actions: [{KEYS}]"), kind("mattermost"),
            part("mattermost_attachment", "mattermost", "attachments: [{KEYS}]"),
            part("mattermost_field", "mattermost", "fields: [{KEYS}]", [text("title"), text("value")]),
            part("mattermost_props", "mattermost", "props: {KEYS}"),
            part("mattermost_priority", "mattermost", "priority: {KEYS}"), kind("incidentio", [text("url_file")]),
        ] + sections

    private static func section(_ name: String, _ frame: String, _ key: String? = nil) -> ConfigurationBlock {
        ConfigurationBlock(
            name: name, file: .notifier, frame: "{route: {receiver: r}, receivers: [{name: r}], \(frame)}",
            needed: key.map { [($0, $0 == "url" ? "\"http://h/\"" : "x")] } ?? [])
    }

    private static let sections: [ConfigurationBlock] = [
        section("notifier_tracing", "tracing: {KEYS}", "endpoint"), section("event_recorder", "event_recorder: {KEYS}"),
        section("event_file", "event_recorder: {file_outputs: [{KEYS}]}", "path"),
        section("event_webhook", "event_recorder: {webhook_outputs: [{KEYS}]}", "url"),
        section("event_kafka", "event_recorder: {kafka_outputs: [{KEYS}]}", "topic"),
    ]
}
