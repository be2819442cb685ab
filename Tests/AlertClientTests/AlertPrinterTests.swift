import Config
import GoCompatibility
import JSON
import Model
import Notify
import Testing

@testable import AlertClient

/// Alerts, silences and routes as text: the expected texts are amtool's own, but for control characters.
@Suite("Alert printer")
struct AlertPrinterTests {
    private static let layout = "2006-01-02 15:04:05 MST"

    private static let alerts = """
        [{"annotations":{},"endsAt":"2027-12-01T00:00:00.000Z","fingerprint":"7ccd4a2f1ea1cd4a","receivers":[{"name":"ops"}],\
        "startsAt":"2026-11-30T12:00:00.000+01:00","status":{"inhibitedBy":[],"silencedBy":[],"state":"active"},\
        "updatedAt":"2026-12-01T15:49:28.426Z","labels":{"alertname":"zed","team":"ops"}},\
        {"annotations":{"summary":"s one","x":"<a&b>"},"endsAt":"2027-12-01T00:00:00.000Z","fingerprint":"980a6a0e0facf311",\
        "receivers":[{"name":"default"}],"startsAt":"2026-11-30T10:00:00.000Z",\
        "status":{"inhibitedBy":[],"silencedBy":[],"state":"active"},"updatedAt":"2026-12-01T15:49:28.406Z",\
        "generatorURL":"http://x/y","labels":{"alertname":"foo","node":"bar"}}]
        """

    private static let silences = """
        [{"id":"1e5a","status":{"state":"active"},"updatedAt":"2026-12-01T15:51:06.058Z","comment":"c","createdBy":"you",\
        "endsAt":"2026-12-22T15:51:06.056Z","matchers":[{"isEqual":true,"isRegex":false,"name":"alertname","value":"zed \\"é\\""}],\
        "startsAt":"2026-12-01T15:51:06.058Z"},\
        {"id":"05b5b","status":{"state":"active"},"updatedAt":"2026-12-01T15:51:06.036Z","comment":"my comment","createdBy":"me",\
        "endsAt":"2026-12-02T00:00:00.000+02:00","matchers":[{"isRegex":true,"name":"node","value":"b.*("},\
        {"isEqual":false,"isRegex":false,"name":"a b","value":"y z"},{"isEqual":false,"isRegex":true,"name":"w","value":"q"}],\
        "startsAt":"2026-12-01T15:51:06.036Z"}]
        """

    static func parsed<Element>(
        _ text: String, _ element: (JSONValue) throws(AlertDataError) -> Element
    ) throws -> [Element] {
        try AlertServer.elements(of: try #require(try JSONValue.parse(text).array), .getAlerts, element)
    }

    @Test func `alerts are sorted by their start`() throws {
        let alerts = try Self.parsed(Self.alerts, RemoteAlert.init)
        #expect(
            AlertPrinter(.simple, dateLayout: Self.layout).text(alerts) == """
                Alertname  Starts At                  Summary  State   
                foo        2026-11-30 10:00:00 UTC    s one    active  
                zed        2026-11-30 12:00:00 +0100           active  

                """)
        #expect(
            AlertPrinter(.extended, dateLayout: "Jan 2").text(alerts) == """
                Labels                      Annotations                Starts At  Ends At  Generator URL  State   
                alertname="foo" node="bar"  summary="s one" x="<a&b>"  Nov 30     Dec 1    http://x/y     active  
                alertname="zed" team="ops"                             Nov 30     Dec 1                   active  

                """)
    }

    @Test func `JSON is that of the server, with the escapes of Go`() throws {
        let alerts = try Self.parsed(Self.alerts, RemoteAlert.init)
        let text = AlertPrinter(.json, dateLayout: Self.layout).text(alerts)
        let expected = Self.alerts.replacing("<a&b>", with: #"\u003ca\u0026b\u003e"#) + "\n"
        #expect(text == expected)
        #expect(AlertPrinter(.json, dateLayout: "").text([RemoteSilence]()) == "[]\n")
        #expect(
            AlertPrinter(.simple, dateLayout: "").text([RemoteAlert]()) == "Alertname  Starts At  Summary  State  \n")
    }

    @Test func `silences are sorted by their end`() throws {
        let silences = try Self.parsed(Self.silences, RemoteSilence.init)
        #expect(
            AlertPrinter(.simple, dateLayout: Self.layout).text(silences) == #"""
                ID     Matchers                          Ends At                    Created By  Comment     
                05b5b  node=~"b.*(" "a b"!="y z" w!~"q"  2026-12-02 00:00:00 +0200  me          my comment  
                1e5a   alertname="zed \"é\""             2026-12-22 15:51:06 UTC    you         c           

                """#)
        let extended = AlertPrinter(.extended, dateLayout: Self.layout).text(silences)
        #expect(extended.contains(#"05b5b  {node=~"b.*(","a b"!="y z",w!~"q"}  2026-12-01 15:51:06 UTC  2026-12-02"#))
        #expect(extended.hasPrefix("ID     Matchers"))
    }

    @Test func `control characters do not reach the terminal`() {
        var table = TextTable(["A", "B"])
        table.add(["a\tb\nc\u{1B}[31m", "é\u{202E}"])
        #expect(
            table.text == """
                A                B        
                a\\tb\\nc\\x1b[31m  é\\u202e  

                """)
        #expect(TextTable.printable("a b é 日本 \"q\" \\") == "a b é 日本 \"q\" \\")
    }

    @Test func `changes of a silence are in its JSON and in its request`() throws {
        var silence = try #require(
            try Self.parsed(Self.silences, RemoteSilence.init).first)
        let start = try #require(AlertTime.parse("2026-12-24T10:00:00+01:00"))
        silence.setID("new")
        silence.setComment("other")
        silence.setTimes(start, try #require(start.adding(3_600_000_000_000)))
        #expect(silence.json["endsAt"]?.string == "2026-12-24T11:00:00.000+01:00")
        let request = PostedSilence(silence)
        #expect(request.id == "new")
        #expect(request.json["comment"]?.string == "other")
        #expect(request.json["startsAt"]?.string == "2026-12-24T10:00:00.000+01:00")
        #expect(request.json["status"] == nil && request.json["updatedAt"] == nil)
        #expect(request.json["matchers"]?.array?.count == 1)
        #expect(request.withoutID.id.isEmpty)
    }

    @Test(arguments: [
        ("[1]", "0.value: must be an object, is a number"), ("[{}]", "0.startsAt: must be a string"),
        (#"[{"labels":[]}]"#, "0.labels: must be an object"),
        (#"[{"labels":{"a":1}}]"#, "0.labels.a: must be a string"),
        (
            #"[{"startsAt":"x"}]"#,
            #"0.startsAt: parsing time "x" as "2006-01-02T15:04:05Z07:00""#
        ),
        (#"[{"startsAt":"2026-01-01T00:00:00Z","endsAt":"2026-01-01T00:00:00Z"}]"#, "0.status: must be an object"),
    ])
    func `an answer of another form is an error with the key`(text: String, reason: String) throws {
        let error = try #require(throws: AlertServerError.self) {
            try Self.parsed(text, RemoteAlert.init)
        }
        #expect(error.description == "[GET /alerts] getAlerts: \(reason)")
    }

    @Test(arguments: [
        (400, "bad matcher format: a", "[GET /alerts][400] getAlertsBadRequest  bad matcher format: a"),
        (500, "", "[GET /alerts][500] getAlertsInternalServerError"),
        (422, "", "[GET /alerts] getAlerts (status 422): {}"), (404, "no", "[GET /alerts] getAlerts (status 404): no"),
    ])
    func `errors of servers have the words of amtool`(status: Int, message: String, text: String) {
        #expect(AlertServerError(.getAlerts, status: status, message: message).description == text)
    }

    @Test(arguments: [
        (#""silence not found""#, "silence not found"), (#""a\nb\u001b[1m""#, "a\nb\\x1b[1m"),
        (#"{"code":601,"message":"must be of type uuid"}"#, "must be of type uuid"),
        ("<html>\n<b>\u{1B}[1mno</b>", #"<html> <b>\x1b[1mno</b>"#), ("", ""), ("{}", "{}"),
    ])
    func `the reason of an error is read from its body`(body: String, reason: String) {
        #expect(AlertServer.message(Array(body.utf8)) == reason)
    }

    @Test(arguments: [
        ("http://h:1", "http://h:1/api/v2"), ("http://h:1/a/", "http://h:1/a/api/v2"), ("h:1//", "http://h:1/api/v2"),
        ("https://u:p@h/x", "https://u:p@h/x/api/v2"),
    ])
    func `the URL of a server may have a prefix and need not have a scheme`(url: String, base: String) {
        #expect(AlertServer.base(url) == base)
    }

    @Test func `without a state, active alerts are asked for`() {
        let none = AlertServer.AlertStates(active: false, silenced: false, inhibited: false, unprocessed: false)
        #expect(none.active && !none.silenced && !none.inhibited && !none.unprocessed)
        let silenced = AlertServer.AlertStates(active: false, silenced: true, inhibited: false, unprocessed: false)
        #expect(!silenced.active && silenced.silenced)
    }
}
