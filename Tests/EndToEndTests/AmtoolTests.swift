import Foundation
import JSON
import TestSupport
import Testing

/// Debian's Alertmanager and its client, beside this program.
private enum AlertmanagerPeer {
    static let amtool = "/usr/bin/amtool"
    static let binary = "/usr/bin/prometheus-alertmanager"
    static var isInstalled: Bool {
        [amtool, binary].allSatisfy { FileManager.default.isExecutableFile(atPath: $0) }
    }

    static let configuration = """
        route:
          receiver: team
          group_by: [alertname]
          routes:
            - {receiver: page, matchers: [severity="page"], group_by: [alertname, zone], continue: true}
            - {receiver: night, matchers: ['severity=~"page|warn"', zone!=""]}
        receivers:
          - name: team
          - {name: page, email_configs: [{to: a@b, from: c@d, smarthost: 'h:25', auth_password: s3cret}]}
          - {name: night, slack_configs: [{api_url: 'http://127.0.0.1:1/s3cret', color: red}]}
        inhibit_rules: [{source_matchers: [alertname="Cut"], target_matchers: [severity="page"], equal: [zone]}]

        """
}

/// A server of Alertmanager's API, and amtool for it.
private final class AlertServer {
    let folder: Folder
    let daemon: Daemon
    private let arguments: [String]

    init(
        _ folder: Folder, martlet: Bool = true, configuration: String = AlertmanagerPeer.configuration
    ) throws {
        self.folder = folder
        let alerting = try folder.write("alertmanager.yml", configuration)
        let port = LoopbackSocket.freePort()
        if martlet {
            let config = try folder.write("martlet.yml", "global: {}\n")
            arguments = [
                "--config.file=\(config)", "--alerting.config.file=\(alerting)",
                "--storage.tsdb.path=\(folder.url.path)/data", "--web.listen-address=127.0.0.1:\(port)",
            ]
            daemon = try Daemon(Daemon.martlet, arguments, port: port, folder: folder.url)
        } else {
            arguments = [
                "--config.file=\(alerting)", "--storage.path=\(folder.url.path)/peer",
                "--web.listen-address=127.0.0.1:\(port)", "--cluster.listen-address=",
            ]
            daemon = try Daemon(AlertmanagerPeer.binary, arguments, port: port, folder: folder.url)
        }
        #expect(daemon.waitReady(), "not ready: \(daemon.logText)")
    }

    private init(_ other: AlertServer) throws {
        folder = other.folder
        arguments = other.arguments
        daemon = try Daemon(Daemon.martlet, arguments, port: other.daemon.port, folder: folder.url)
        #expect(daemon.waitReady(), "not ready: \(daemon.logText)")
    }

    /// Kills the daemon and starts it again on the same directory.
    func restarted() throws -> AlertServer {
        daemon.kill9()
        return try AlertServer(self)
    }

    /// Runs amtool, and returns its output and status.
    func amtool(_ arguments: String...) throws -> (status: Int32, text: String) {
        try PrometheusPeer.run(
            AlertmanagerPeer.amtool,
            ["--alertmanager.url=http://127.0.0.1:\(daemon.port)", "--no-version-check"] + arguments, in: folder)
    }

    /// The output of amtool, which must succeed.
    func ok(_ arguments: String..., sourceLocation: SourceLocation = #_sourceLocation) throws -> String {
        let result = try PrometheusPeer.run(
            AlertmanagerPeer.amtool,
            ["--alertmanager.url=http://127.0.0.1:\(daemon.port)", "--no-version-check"] + arguments, in: folder)
        #expect(result.status == 0, "\(arguments): \(result.text)", sourceLocation: sourceLocation)
        return result.text.trimmingCharacters(in: .whitespacesAndNewlines)
    }

    func json(_ path: String) throws -> JSONValue {
        let answer = try #require(daemon.probe.get("/api/v2" + path))
        #expect(answer.status == 200, "\(path): \(answer.text)")
        return try JSONValue.parse(answer.text)
    }

    /// The answer to any request: the status, its important headers, and the body.
    func answer(_ method: String, _ path: String, _ body: String = "", type: String? = "application/json") -> String {
        let answer = daemon.probe.request(
            method, "/api/v2" + path, headers: type.map { ["Content-Type": $0] } ?? [:], body: Array(body.utf8))
        return "\(answer?.status ?? 0) \(answer?.headers["content-type"] ?? "") \(answer?.text ?? "")"
    }

    func post(_ path: String, _ body: String) throws -> JSONValue? {
        let answer = try #require(
            daemon.probe.request(
                "POST", "/api/v2" + path, headers: ["Content-Type": "application/json"], body: Array(body.utf8)))
        #expect(answer.status == 200, "\(answer.text)")
        return try? JSONValue.parse(answer.text)
    }
}

/// amtool against the real binary, and the answers to the same requests of both servers.
@Suite("amtool", .serialized, .enabled(if: AlertmanagerPeer.isInstalled, "needs Debian's prometheus-alertmanager"))
struct AmtoolTests {
    @Test("alerts are added and queried in all formats")
    func alerts() throws {
        let server = try AlertServer(try Folder())
        _ = try server.ok(
            "alert", "add", "Down", "zone=a", "severity=page", "--annotation=summary=it is down",
            "--generator-url=http://p/g")
        _ = try server.ok("alert", "add", "alertname=Full", "--end=2100-01-01T00:00:00Z")
        let simple = try server.ok("alert")
        #expect(simple.hasPrefix("Alertname  Starts At") && simple.contains("it is down  active"), "\(simple)")
        let extended = try server.ok("-o", "extended", "alert", "query", "Down")
        #expect(extended.contains(#"severity="page""#) && extended.contains("http://p/g"), "\(extended)")
        #expect(!extended.contains("Full"))
        let json = try JSONValue.parse(try server.ok("-o", "json", "alert", "query", "zone=~a|b"))
        #expect(json.array?.first?["labels"]?["alertname"]?.string == "Down")
        #expect(json.array?.first?["receivers"]?.array?.compactMap { $0["name"]?.string } == ["page", "night"])
        #expect(try server.ok("-o", "json", "alert", "query", "--receiver=team").contains("Full"))
        _ = try server.ok("alert", "add", "Full", "--end=2001-01-01T00:00:00Z", "--start=2000-01-01T00:00:00Z")
        #expect(!(try server.ok("alert").contains("Full")))
        #expect(try server.amtool("alert", "add", "Bad", "--start=2100-01-01T00:00:00Z").status == 1)
    }

    @Test("silences are added, updated, expired and imported, and survive kill -9")
    func silences() throws {
        var server = try AlertServer(try Folder())
        _ = try server.ok("alert", "add", "Down", "zone=a")
        let id = try server.ok("silence", "add", "-c", "work", "-a", "me", "alertname=Down", "zone=~a|b", "x!=y")
        #expect(id.count == 36)
        #expect(try server.amtool("silence", "add", "-c", "c").text.contains("no matchers specified"))
        #expect(try server.amtool("silence", "add", "-c", "c", "a=~.*").text.contains("400"))
        server = try server.restarted()
        let list = try server.ok("silence")
        #expect(list.contains(id) && list.contains("zone=~\"a|b\"") && list.contains("work"), "\(list)")
        #expect(try server.ok("silence", "query", "-q", "--within=2h") == id)
        #expect(try server.ok("silence", "query", "-q", "alertname=Down") == id)
        #expect(try server.ok("alert").contains("Down") == false)
        #expect(try server.ok("-o", "json", "alert", "query", "--silenced").contains(id))
        _ = try server.ok("silence", "update", "-d", "3h", "-c", "more work", id)
        #expect(try server.ok("silence", "query", "-q") == id)
        let extended = try server.ok("-o", "extended", "silence", "query")
        #expect(extended.contains("more work"), "\(extended)")
        let exported = try server.ok("-o", "json", "silence", "query")
        _ = try server.ok("silence", "expire", id)
        server = try server.restarted()
        #expect(try server.ok("silence", "query", "-q") == "")
        #expect(try server.ok("silence", "query", "-q", "--expired") == id)
        #expect(try server.ok("alert").contains("Down"))
        let file = try server.folder.write("silences.json", exported)
        let imported = try server.ok("silence", "import", file)
        #expect(imported != id && imported.count == 36)
        #expect(try server.ok("silence", "import", "--force", file).count == 36)
        #expect(try server.ok("silence", "query", "-q").split(separator: "\n").count == 2)
        let fresh = exported.replacing(id, with: "00000000-0000-4000-8000-000000000000")
        #expect(try server.ok("silence", "import", try server.folder.write("fresh.json", fresh)).count == 36)
        #expect(try server.amtool("silence", "expire", "nope").text.contains("422"))
    }

    @Test("configuration and routes are shown from the server, and other commands work")
    func configuration() throws {
        let server = try AlertServer(try Folder())
        let shown = try server.ok("config", "show")
        #expect(shown.hasPrefix("global:") && shown.contains("auth_password: <secret>") && !shown.contains("s3cret"))
        #expect(try server.ok("config") == shown)
        let copy = try server.folder.write("shown.yml", shown)
        #expect(try server.ok("check-config", copy).contains("SUCCESS"))
        #expect(try server.ok("check-config", server.folder.url.path + "/alertmanager.yml").contains("3 receivers"))
        let tree = try server.ok("config", "routes")
        // amtool warns that the file overrides the server.
        let file = "--config.file=\(server.folder.url.path)/alertmanager.yml"
        #expect(try server.ok("config", "routes", "show", file).hasSuffix(tree))
        #expect(tree.contains(#"{severity="page"}  continue: true  receiver: page"#), "\(tree)")
        #expect(try server.ok("config", "routes", "test", "severity=page", "zone=a") == "page,night")
        #expect(try server.ok("config", "routes", "test", "--tree", "--verify.receivers=team", "a=b").contains("team"))
        #expect(try server.amtool("config", "routes", "test", "--verify.receivers=x", "a=b").status == 1)
        #expect(try server.ok("cluster", "show").contains("disabled"))
        let template = try server.folder.write("t.tmpl", "{{ define \"t\" }}{{ .Status }}{{ end }}")
        #expect(
            try server.ok("template", "render", "--template.glob=\(template)", "--template.text={{ template \"t\" . }}")
                == "alertstatus")
    }

    /// The parts of an answer that the older Alertmanager has, without what differs by chance or by version.
    private static func shape(_ value: JSONValue) -> String {
        let ignored: Set = [
            "id", "updatedAt", "startsAt", "endsAt", "silencedBy", "mutedBy", "routeLabels", "versionInfo", "uptime",
        ]
        switch value {
        case .object(let members):
            let parts = members.filter { !ignored.contains($0.key) }.map { "\($0.key):\(shape($0.value))" }.sorted()
            return "{" + parts.joined(separator: ",") + "}"
        case .array(let elements): return "[" + elements.map(shape).joined(separator: ",") + "]"
        case .string(let text): return text == "unprocessed" ? "active" : text
        case .number(let number): return "\(number)"
        case .bool(let isOn): return "\(isOn)"
        case .null: return "null"
        }
    }

    @Test("Debian's amtool reads the routes of a server with webhooks, whose URLs it does not see")
    func webhooks() throws {
        let configuration = """
            route: {receiver: hook, routes: [{receiver: other, matchers: [a="b"]}]}
            receivers:
              - {name: hook, webhook_configs: [{url: 'http://127.0.0.1:1/s3cret', timeout: 0s}]}
              - {name: other, webhook_configs: [{url: 'http://{{ .x }}/s3cret', send_resolved: false}]}

            """
        let server = try AlertServer(try Folder(), configuration: configuration)
        #expect(try server.ok("config", "routes", "test", "a=b") == "other")
        #expect(try !server.ok("config", "show").contains("s3cret"))
    }

    @Test("the same requests have the same answers as in Debian's Alertmanager")
    func peer() throws {
        let folder = try Folder()
        let servers = [try AlertServer(folder), try AlertServer(folder, martlet: false)]
        let alerts = """
            [{"labels": {"alertname": "Down", "severity": "page", "zone": "a", "empty": ""},
              "annotations": {"summary": "<s>", "none": ""}, "generatorURL": "http://p/g?a=1&b=2"},
             {"labels": {"alertname": "Down", "severity": "warn", "zone": "b"}, "endsAt": "2100-01-01T00:00:00Z"},
             {"labels": {"alertname": "Cut", "zone": "a"}}, {"labels": {"alertname": "Full", "disk": "é"}},
             {"labels": {"alertname": "Old"}, "endsAt": "2001-01-01T00:00:00.5+01:00"}]
            """
        let silence = """
            {"matchers": [{"name": "disk", "value": ".+", "isRegex": true}, {"name": "b", "value": "", "isRegex": false,
             "isEqual": true}], "startsAt": "2020-01-01T00:00:00Z", "endsAt": "2100-01-01T00:00:00.123Z",
             "createdBy": "me", "comment": "c"}
            """
        var ids: [String] = []
        for server in servers {
            _ = try server.post("/alerts", alerts)
            ids.append(try #require(try server.post("/silences", silence)?["silenceID"]?.string))
        }
        // The older one knows the state of an alert only after its first flush.
        var paths = ["/receivers", "/silences", "/silences?filter=disk%3D~.%2B", "/silences?filter=x%3Dy", "/alerts"]
        paths += ["alertname=Down", "zone%21%3D%22%22", "disk%3D~%22%C3%A9%7Cx%22"].map { "/alerts?filter=\($0)" }
        paths += ["receiver=page", "receiver=pa.%2B", "receiver=x", "active=no", "active=false"].map { "/alerts?\($0)" }
        paths += ["/alerts/groups", "/alerts/groups?receiver=night", "/alerts/groups?filter=zone%3Da"]
        for path in paths {
            var texts: [String] = []
            _ = try Daemon.wait(5) {
                texts = try servers.map { Self.shape(try $0.json(path)).replacing(",labels:{name:", with: ",name:{") }
                return Set(texts.map(Self.withoutReceiverLabels)).count == 1
            }
            #expect(Self.withoutReceiverLabels(texts[0]) == Self.withoutReceiverLabels(texts[1]), "\(path)")
        }
        let requests: [(String, String, String)] = [
            ("GET", "/nope", ""), ("POST", "/alerts", ""), ("POST", "/alerts", "[{}]"), ("POST", "/alerts", "[]"),
            ("POST", "/alerts", #"[{"labels": {"a": "b"}, "generatorURL": "not a url"}]"#),
            ("POST", "/alerts", #"[{"labels": {"a": "b"}, "generatorURL": "/path"}]"#),
            ("POST", "/alerts", #"[{"labels": {"a": "b"}, "generatorURL": "http://[x"}]"#),
            ("POST", "/alerts", #"[{"labels": {"a": ""}}]"#),
            ("POST", "/alerts", #"[{"labels": {"a": "1"}, "startsAt": "2100-01-01T00:00:00Z"}]"#),
            ("POST", "/silences", "{}"), ("POST", "/silences", #"{"comment": ""}"#),
            (
                "POST", "/silences",
                #"{"comment": "", "createdBy": "", "endsAt": "2100-01-01T00:00:00Z", "matchers": []}"#
            ),
            ("POST", "/silences", silence.replacing("2100-01-01T00:00:00.123Z", with: "2010-01-01T00:00:00Z")),
            ("POST", "/silences", silence.replacing("2100-01-01T00:00:00.123Z", with: "2020-01-01T00:00:00Z")),
            ("POST", "/silences", silence.replacing("\"isRegex\": true", with: "\"x\": true")),
            ("POST", "/silences", silence.replacing("\"comment\"", with: "\"id\": \"nope\", \"comment\"")),
            ("GET", "/silence/nope", ""), ("DELETE", "/silence/nope", ""), ("GET", "/alerts?filter=a", ""),
            ("GET", "/silence/00000000-0000-4000-8000-000000000000", ""), ("GET", "/alerts?receiver=(", ""),
            ("GET", "/silences?filter=a%3D", ""), ("GET", "/alerts/groups?filter=a", ""),
        ]
        for (method, path, body) in requests {
            let answers = servers.map { $0.answer(method, path, body) }
            #expect(answers[0] == answers[1], "\(method) \(path) \(body)")
        }
        for type in ["text/plain", "application/json; charset=utf-8"] {
            let answers = servers.map { $0.answer("POST", "/alerts", "[]", type: type) }
            #expect(answers[0] == answers[1], "\(type)")
        }
        for (server, id) in zip(servers, ids) {
            #expect(server.answer("GET", "/silence/\(id)").hasPrefix("200 "))
            #expect(server.answer("DELETE", "/silence/\(id)").hasPrefix("200 "))
        }
        #expect(Self.shape(try servers[0].json("/silences")) == Self.shape(try servers[1].json("/silences")))
        let texts = try servers.map { try $0.json("/status")["config"]?["original"]?.string ?? "" }
        #expect(texts[0] == texts[1])
    }

    /// The older Alertmanager has no labels of receivers.
    private static func withoutReceiverLabels(_ text: String) -> String {
        text.replacing(#/\{name:\{[a-z]+\},name:([a-z]+)\}/#) { "{name:\($0.output.1)}" }
            .replacing(#/\{labels:\{name:[a-z]+\},name:([a-z]+)\}/#) { "{name:\($0.output.1)}" }
    }
}
