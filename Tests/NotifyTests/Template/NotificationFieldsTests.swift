import GoCompatibility
import JSON
import Model
import Testing

@testable import Notify

/// Data of templates from JSON and the example, which `martlet template render` uses.
@Suite("Fields of notifications")
struct NotificationFieldsTests {
    private static let template = """
        {{ .Receiver }} {{ .Status }} {{ .NotificationReason }} {{ .GroupLabels }}|{{ .CommonLabels }}|\
        {{ .CommonAnnotations }}|{{ .RouteLabels }} {{ routeLabels "r" }} {{ .ExternalURL }}
        {{ range .Alerts }}{{ .Status }} {{ .Labels }} {{ .Annotations }} {{ .StartsAt }} {{ .EndsAt }} \
        {{ .GeneratorURL }} {{ .Fingerprint }}
        {{ end }}{{ len .Alerts.Firing }} {{ len .Alerts.Resolved }}
        """

    private func render(_ json: String) throws -> String {
        try NotificationTemplates.standard.render(
            Self.template, try NotificationFieldsReader.read(Array(json.utf8)), isHTML: false)
    }

    @Test func `every field is as it is in the file`() throws {
        let text = try render(
            """
            {"receiver":"r.x","status":"resolved","alerts":[{"status":"resolved","labels":{"alertname":"A","z":""},
            "annotations":{"s":"t<"},"startsAt":"2026-01-02T03:04:05.678Z","endsAt":"2026-01-02T04:04:05+02:00",
            "generatorURL":"http://g","fingerprint":"abc","other":{"a":[1]}},{"status":"weird","labels":null}],
            "groupLabels":{"alertname":"A"},"commonLabels":{"c":"d"},"commonAnnotations":{"e":"f"},
            "externalURL":"http://ext/","notification_reason":"why","routeLabels":{"r":"s"},"version":"4"}
            """)
        #expect(
            text == """
                r.x resolved why alertname=A|c=d|e=f|r=s s http://ext/
                resolved alertname=A, z= s=t< 2026-01-02 03:04:05.678 +0000 UTC 2026-01-02 04:04:05 +0200 +0200 \
                http://g abc
                weird   0001-01-01 00:00:00 +0000 UTC 0001-01-01 00:00:00 +0000 UTC  \n0 1
                """)
        #expect(try render("{}") == "   |||  \n0 0")
        #expect(try render(#"{"Receiver":"R","STATUS":null}"#) == "R   |||  \n0 0")
    }

    @Test(arguments: [
        (#"{"alerts":5}"#, "1:11: json: cannot unmarshal number into Data.alerts of type template.Alerts"),
        ("[]", "1:1: json: cannot unmarshal array into Data of type template.Data"),
        (
            "{\"alerts\":[\n {\"labels\":{\"a\":1}}]}",
            "2:17: json: cannot unmarshal number into Data.alerts.labels.a of type string"
        ),
        (
            #"{"alerts":[{"startsAt":"x"}]}"#,
            #"1:24: parsing time "x" as "2006-01-02T15:04:05Z07:00" (Data.alerts.startsAt)"#
        ), ("[", "1:1: json: cannot unmarshal array into Data of type template.Data"),
        ("{} x", "1:4: unexpected 'x', expected the end"), ("", "1:1: unexpected end of JSON, expected a value"),
    ])
    func `what is no data is refused at its place`(json: String, reason: String) throws {
        let error = try #require(throws: JSONError.self) { try NotificationFieldsReader.read(Array(json.utf8)) }
        #expect(error.description == reason)
    }

    @Test func `the example has two alerts`() throws {
        let now = try #require(GoTime.parse("2026-12-01T15:51:07Z", layout: "2006-01-02T15:04:05Z07:00"))
        let text = try NotificationTemplates.standard.render(
            Self.template, .example(now: now), isHTML: false)
        let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
        try #require(lines.count == 4)
        #expect(lines[0].hasPrefix("receiver alertstatus  grouplabelkey1=grouplabelvalue1, grouplabelkey2="))
        #expect(
            lines[1].contains(" 2026-12-01 15:46:07 +0000 UTC 2026-12-01 15:51:07 +0000 UTC https://generatorurl.com "))
        #expect(
            lines[2].contains("baz=qux, commonlabelkey1=commonlabelvalue1, ")
                && lines[2].contains(" 2026-12-01 15:41:07 "))
        #expect(lines[3] == "0 0")
        let page = try NotificationTemplates.standard.render(
            "<a>{{ .CommonLabels.x }}{{ \"<\" }}", .example(now: now), isHTML: true)
        #expect(page == "<a>&lt;")
    }
}
