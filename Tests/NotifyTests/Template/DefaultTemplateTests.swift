import Model
import Testing

@testable import Notify

/// The outputs of the default templates for the example, byte for byte.
@Suite("Default templates")
struct DefaultTemplateTests {
    private func output(
        _ name: String, _ data: NotificationData = ExampleNotification.data(), files: [(String, String)] = []
    ) throws -> String {
        try NotificationTemplates(files: files.map { (path: $0.0, text: $0.1) }).text(
            "{{ template \"\(name)\" . }}", data)
    }

    private static let firing = """
        Labels:
         - alertname = Down
         - instance = a:1
         - severity = critical
        Annotations:
         - b = 2
         - summary = a is down
        Source: http://p/g?x=1&y=2

        """
    private static let resolved = firing.replacing("a:1", with: "b:1").replacing("a is", with: "b is").replacing(
        "?x=1&y=2", with: "")

    private static func markdown(_ list: String) -> String {
        "\n"
            + list.replacing(" - ", with: "  - ").replacing("Annotations:", with: "\nAnnotations:").replacing(
                "Source:", with: "\nSource:") + "\n"
    }

    @Test("the standard templates have no fault, and each calls only what is there")
    func isSound() throws {
        let all = try NotificationTemplates()
        for (_, names) in Self.texts.map({ ($0.0, $0.1) }) {
            for name in names { #expect(all.check("{{ template \"\(name)\" . }}") == nil, "\(name)") }
        }
        #expect(NotificationTemplates.standard.check("{{ template \"email.default.html\" . }}") == nil)
    }

    private static let subject = "[FIRING:1] Down (critical)"
    private static let url = "http://am:9093/#/alerts?receiver=e%5C.dot"
    private static let spaced =
        "\n\nAlerts Firing:\n" + firing + "\n\n\nAlerts Resolved:\n" + resolved + "\n\n"
    private static let lists =
        "2\nAlerts Firing:\n" + firing + "\nAlerts Resolved:\n" + resolved
    private static let texts: [(String, [String])] = [
        (
            subject,
            [
                "__subject", "slack.default.title", "pagerduty.default.description", "opsgenie.default.message",
                "victorops.default.entity_display_name", "pushover.default.title", "sns.default.subject",
                "discord.default.title", "msteams.default.title", "msteams.default.summary", "msteamsv2.default.title",
                "jira.default.summary", "rocketchat.default.title", "mattermost.default.title",
                "email.default.subject",
            ]
        ),
        (
            url,
            [
                "__alertmanagerURL", "slack.default.titlelink", "pagerduty.default.clientURL",
                "opsgenie.default.source", "pushover.default.url", "rocketchat.default.titlelink",
                "mattermost.default.titlelink",
            ]
        ),
        (
            "Alertmanager",
            [
                "__alertmanager", "slack.default.username", "pagerduty.default.client",
                "victorops.default.monitoring_tool", "rocketchat.default.alias", "mattermost.default.username",
            ]
        ),
        (subject + " | " + url, ["slack.default.fallback", "mattermost.default.fallback"]),
        ("danger", ["slack.default.color", "mattermost.default.color"]),
        (
            "",
            [
                "slack.default.callbackid", "slack.default.pretext", "slack.default.iconemoji",
                "slack.default.iconurl", "slack.default.text", "slack.default.footer", "wechat.default.to_user",
                "wechat.default.to_party", "wechat.default.to_tag", "wechat.default.agent_id",
                "rocketchat.default.emoji", "rocketchat.default.iconurl", "rocketchat.default.text",
                "discord.default.content", "__description",
            ]
        ),
        (lists, ["opsgenie.default.description", "victorops.default.state_message"]),
        (subject + "\n" + lists + "\nAlertmanagerUrl:\n" + url, ["wechat.default.message"]),
        ("2" + spaced, ["pushover.default.message", "sns.default.message", "webex.default.message"]),
        (spaced, ["telegram.default.message", "discord.default.message"]),
        (
            "\n\n# Alerts Firing:\n" + markdown(firing) + "\n\n\n# Alerts Resolved:\n" + markdown(resolved) + "\n\n",
            ["msteams.default.text", "msteamsv2.default.text", "jira.default.description", "mattermost.default.text"]
        ),
        ("High", ["jira.default.priority"]),
    ]

    @Test("each has the output of the example", arguments: texts)
    func outputs(text: String, names: [String]) throws {
        for name in names { #expect(try output(name) == text, "\(name)") }
    }

    @Test("lists of alerts take the list as their dot")
    func lists() throws {
        let templates = try NotificationTemplates()
        let data = ExampleNotification.data()
        let text = try templates.text(#"{{ template "__text_alert_list" .Alerts }}"#, data)
        #expect(text == Self.firing + Self.resolved)
        #expect(
            try templates.text(#"{{ template "pagerduty.default.instances" .Alerts.Firing }}"#, data) == Self.firing)
        let markdown = try templates.text(#"{{ template "__text_alert_list_markdown" .Alerts.Resolved }}"#, data)
        #expect(markdown == Self.markdown(Self.resolved))
    }

    @Test("a group without firing or resolved alerts")
    func oneKind() throws {
        let resolved = ExampleNotification.data(firing: 0)
        #expect(try output("__subject", resolved) == "[RESOLVED] Down (b:1 critical)")
        #expect(try output("slack.default.color", resolved) == "good")
        #expect(try output("opsgenie.default.description", resolved).hasPrefix("2 b is down\n\nAlerts Resolved:\n"))
        #expect(try output("jira.default.priority", resolved) == "High")
        let firing = ExampleNotification.data(firing: 2, resolved: 0)
        #expect(try output("opsgenie.default.description", firing).hasSuffix("y=2\n\n"))
        let plain = ExampleNotification.data(groupLabels: [("alertname", "Down"), ("severity", "critical")])
        #expect(try output("__subject", plain) == "[FIRING:1] Down critical ")
    }

    @Test("the mail has both lists, with values escaped where they stand")
    func mail() throws {
        var data = ExampleNotification.data(firing: 2)
        data.alerts[0].labels = Labels([("alertname", "<b>"), ("x", "\"'")])
        data.alerts[1].generatorURL = "javascript:alert(1)"
        let page = try NotificationTemplates.standard.html(#"{{ template "email.default.html" . }}"#, data)
        #expect(page.hasPrefix("<!DOCTYPE html>\n<html lang=\"en\">\n"))
        #expect(page.hasSuffix("</html>"))
        for part in [
            "background: #cf6a12", "3 alerts for alertname=Down", "[2] Firing", "[1] Resolved", "Sent by Alertmanager",
            "alertname = &lt;b&gt;<br>", "x = &#34;&#39;<br>", "<a href=\"http://p/g?x=1&amp;y=2\"",
            "<a href=\"#ZgotmplZ\"", "<a href=\"http://am:9093/#/alerts?receiver=e%5C.dot\"", "View in Alertmanager",
        ] {
            #expect(page.contains(part), "\(part) in \(page)")
        }
        #expect(!page.contains("<b>\n") && !page.contains("javascript"))
    }

    @Test("a file's template replaces a default one for all that call it")
    func overrides() throws {
        let files = [
            ("/a/one.tmpl", "{{ define \"__subject\" }}one{{ end }}"),
            ("/a/two.tmpl", "two{{ define \"__subject\" }}{{ .Status }}!{{ end }}{{ define \"__color\" }} {{ end }}"),
        ]
        #expect(try output("slack.default.title", files: files) == "firing!")
        #expect(try output("two.tmpl", files: files) == "two")
        // A template of white space replaces nothing.
        #expect(try output("slack.default.color", files: files) == "danger")
    }

    @Test("a file with a fault is refused with its place")
    func faults() {
        let error = #expect(throws: NotificationTemplateError.self) {
            try NotificationTemplates(files: [(path: "/t/a.tmpl", text: "{{ define \"x\" }}\n  {{ nope 1 }}{{ end }}")])
        }
        #expect(error?.description == "/t/a.tmpl:2:6: function \"nope\" not defined")
    }
}
