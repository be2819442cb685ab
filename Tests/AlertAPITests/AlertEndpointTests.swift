import HTTP
import JSON
import Model
import Notify
import TestSupport
import Testing

@testable import AlertAPI

@Suite("Alertmanager's API: alerts, groups, status")
struct AlertEndpointTests {
    private static func names(_ answer: AlertAPIFixture.Answer) -> [String] {
        (answer.json?.array ?? []).map { $0["labels"]?["alertname"]?.string ?? "" }.sorted()
    }

    private static func filled() throws -> AlertAPIFixture {
        let fixture = try AlertAPIFixture()
        _ = fixture.post(
            "/alerts",
            """
            [{"labels": {"alertname": "Down", "severity": "page", "zone": "a"}},
             {"labels": {"alertname": "Full", "disk": "sda"}}, {"labels": {"alertname": "Cut", "zone": "b"}},
             {"labels": {"alertname": "Down", "severity": "page", "zone": "b"}}]
            """)
        return fixture
    }

    @Test("an alert is answered with all members, times with three digits")
    func members() throws {
        let fixture = try AlertAPIFixture()
        let posted = fixture.post(
            "/alerts",
            """
            [{"labels": {"alertname": "Down", "severity": "page", "empty": "", "é<": "\\u00fc\\"&"},
              "annotations": {"summary": "s", "none": ""}, "startsAt": "2023-11-14T23:13:10.5+01:00",
              "endsAt": "2023-11-14T22:30:00Z", "generatorURL": "http://p/graph?g0=1", "other": [{"x": [1, null, true]}]}]
            """)
        #expect(posted.text == "")
        #expect(posted.headers.contains { $0 == ("Cache-Control", "no-store") })
        let answer = fixture.get("/alerts")
        let fingerprint = Fingerprint(Labels([("alertname", "Down"), ("severity", "page"), ("é<", "ü\"&")]))
        #expect(
            answer.text == """
                [{"annotations":{"none":"","summary":"s"},"endsAt":"2023-11-14T22:30:00.000Z",\
                "fingerprint":"\(fingerprint)","receivers":[{"name":"page"},{"name":"night"}],\
                "startsAt":"2023-11-14T22:13:10.500Z",\
                "status":{"inhibitedBy":[],"mutedBy":[],"silencedBy":[],"state":"active"},\
                "updatedAt":"2023-11-14T22:13:20.000Z","generatorURL":"http://p/graph?g0=1",\
                "labels":{"alertname":"Down","severity":"page","é<":"ü\\"&"}}]

                """)
        #expect(answer.headers.contains { $0 == ("Content-Type", "application/json") })
    }

    @Test("alerts are sorted by fingerprint, and resolved ones are not listed")
    func order() throws {
        let fixture = try Self.filled()
        let prints = (fixture.get("/alerts").json?.array ?? []).compactMap { $0["fingerprint"]?.string }
        #expect(prints.count == 4 && prints == prints.sorted())
        _ = fixture.post(
            "/alerts", #"[{"labels": {"alertname": "Full", "disk": "sda"}, "endsAt": "2023-11-14T22:13:20Z"}]"#)
        #expect(Self.names(fixture.get("/alerts")) == ["Cut", "Down", "Down"])
        fixture.clock.advance(to: AlertAPIFixture.start + 300_000)
        #expect(fixture.get("/alerts").text == "[]\n")
    }

    @Test("filters, switches and receivers select alerts")
    func selection() throws {
        let fixture = try Self.filled()
        let silence = fixture.post(
            "/silences",
            """
            {"matchers": [{"name": "disk", "value": "sd.", "isRegex": true}], "startsAt": "2023-11-14T22:13:20Z",
             "endsAt": "2023-11-14T23:00:00Z", "createdBy": "", "comment": ""}
            """)
        let id = try #require(silence.json?["silenceID"]?.string)
        func names(_ query: (String, String)...) -> [String] { Self.names(fixture.get("/alerts", query)) }
        #expect(names() == ["Cut", "Down", "Down", "Full"])
        #expect(names(("silenced", "false")) == ["Cut", "Down", "Down"])
        #expect(names(("inhibited", "no")) == ["Cut", "Down", "Full"])
        #expect(names(("active", "maybe")) == ["Down", "Full"])
        for yes in ["1", "True", "Y", "checked", "ON", "ok", "enabled", "selected", ""] {
            #expect(names(("active", yes)).count == 4)
        }
        #expect(names(("active", "true"), ("silenced", "false"), ("inhibited", "false")) == ["Cut", "Down"])
        #expect(names(("filter", "alertname=\"Down\""), ("filter", "zone!=a")) == ["Down"])
        #expect(names(("filter", "disk=\"\"")) == ["Cut", "Down", "Down"])
        #expect(names(("filter", "disk!=\"\"")) == ["Full"])
        #expect(names(("filter", "disk=~\"\"")) == ["Cut", "Down", "Down"])
        #expect(names(("receiver", "pa.e")) == ["Down", "Down"])
        #expect(names(("receiver", "age")) == [])
        #expect(names(("receiver_matchers", "owner=a")) == ["Cut", "Full"])
        #expect(names(("receiver_matchers", "name=~\"page|night\""), ("receiver", "team")) == [])
        let full = fixture.get("/alerts", [("filter", "disk=sda")]).json?.array?.first?["status"]
        #expect(full?["silencedBy"]?.array?.map(\.string) == [id] && full?["state"]?.string == "suppressed")
        let down = fixture.get("/alerts", [("filter", "severity=page"), ("filter", "zone=b")]).json?.array?.first
        let cut = Fingerprint(Labels([("alertname", "Cut"), ("zone", "b")])).description
        #expect(down?["status"]?["inhibitedBy"]?.array?.map(\.string) == [cut])
        #expect(down?["status"]?["mutedBy"]?.array?.isEmpty == true)
    }

    @Test("groups are sorted by labels and receiver, muted ones are marked, and routes have no labels yet")
    func groups() throws {
        let fixture = try Self.filled()
        func shown(_ query: (String, String)...) -> [String] {
            (fixture.get("/alerts/groups", query).json?.array ?? []).map { group in
                let labels = (group["labels"]?.object ?? []).map { "\($0.key)=\($0.value.string ?? "")" }
                let alerts = (group["alerts"]?.array ?? []).map { alert in
                    let muted = (alert["status"]?["mutedBy"]?.array ?? []).compactMap(\.string)
                    return (alert["labels"]?["zone"]?.string ?? "-") + muted.map { "!" + $0 }.joined()
                }
                return "\(group["receiver"]?["name"]?.string ?? "") \(labels) \(alerts.joined(separator: " "))"
            }
        }
        let all = [
            #"team ["alertname=Cut"] b"#, #"night ["alertname=Down"] a!always b!always"#, #"team ["alertname=Full"] -"#,
            #"page ["alertname=Down", "zone=a"] a"#, #"page ["alertname=Down", "zone=b"] b"#,
        ]
        #expect(shown() == all)
        #expect(shown(("muted", "false")) == all.filter { !$0.contains("always") })
        #expect(shown(("receiver", "page")) == Array(all.suffix(2)))
        #expect(shown(("filter", "zone=a")) == [#"night ["alertname=Down"] a!always"#, all[3]])
        #expect(shown(("inhibited", "false")).count == 4)
        let group = fixture.get("/alerts/groups", [("filter", "zone=a")]).json?.array?.first
        #expect(group?["routeLabels"]?.object?.isEmpty == true)
        let alert = group?["alerts"]?.array?.first
        #expect(alert?["status"]?["state"]?.string == "suppressed")
        #expect(alert?["receivers"]?.array?.compactMap { $0["name"]?.string } == ["night", "page"])
    }

    @Test("receivers are listed in the order of the file with their labels")
    func receivers() throws {
        let fixture = try AlertAPIFixture()
        #expect(
            fixture.get("/receivers").text == """
                [{"name":"team","labels":{"name":"team","owner":"a"}},{"name":"page","labels":{"name":"page"}},\
                {"name":"night","labels":{"name":"night"}},{"name":"unused","labels":{"name":"unused"}}]

                """)
        #expect(
            fixture.get("/receivers", [("receiver_matchers", "owner!=\"\"")]).text
                == "[{\"name\":\"team\",\"labels\":{\"name\":\"team\",\"owner\":\"a\"}}]\n")
    }

    @Test("the status has the configuration without secrets, and no cluster")
    func status() throws {
        let answer = try AlertAPIFixture().get("/status")
        #expect(answer.text.hasPrefix(#"{"cluster":{"status":"disabled","peers":[]},"versionInfo":{"version":"0.34.0"#))
        #expect(answer.json?["uptime"]?.string == "2023-11-14T22:13:20.000Z")
        let text = try #require(answer.json?["config"]?["original"]?.string)
        #expect(text.hasPrefix("global:\n") && text.contains("url: http://<secret>") && !text.contains("http://h"))
    }

    @Test(
        "what is wrong with posted alerts is answered as Alertmanager does",
        arguments: [
            (#"{}"#, 400, #"{"code":400,"message":"parsing alerts body from \"\" failed, because 1:1: "#),
            (#"[{"labels": {"a": 1}}]"#, 400, #"{"code":400,"message":"parsing alerts body from \"\" failed, "#),
            (#"[{"labels": {"a": "1"}}"#, 400, #"{"code":400,"#),
            (#"[{"labels": {"a": "1"}, "startsAt": "x"}]"#, 400, #"{"code":400,"#),
            (#"[{"labels": {"a": "1"}}, {}]"#, 422, #"{"code":602,"message":"1.labels in body is required"}"#),
            (#"[{"labels": null}]"#, 422, #"{"code":602,"message":"0.labels in body is required"}"#),
            (
                #"[{"labels": {"a": "1"}, "generatorURL": "not a url"}]"#, 422,
                #"{"code":601,"message":"0.generatorURL in body must be of type uri: \"not a url\""}"#
            ),
            ("", 422, #"{"code":602,"message":"alerts in body is required"}"#), ("[]", 200, ""), ("null", 200, ""),
            (
                #"[{"labels": {"a": "1"}}, {"labels": {"a": ""}}, {"labels": {"": "1"}}]"#, 400,
                "\"at least one label pair required\\ninvalid label set: invalid name \\\"\\\"\"\n"
            ),
        ])
    func wrongAlerts(_ body: String, _ status: Int, _ text: String) throws {
        let fixture = try AlertAPIFixture()
        let answer = fixture.request("POST", "/alerts", body: body)
        #expect(answer.status == status)
        #expect(
            text.hasSuffix("}") || text.isEmpty ? answer.text == text : answer.text.hasPrefix(text), "\(answer.text)")
        // Only an error about single alerts lets the others in.
        #expect(Self.names(fixture.get("/alerts")).count == (answer.text.hasPrefix("\"at least") ? 1 : 0))
    }

    @Test("more alerts than a request may have are refused")
    func tooMany() throws {
        let body = "[" + repeatElement("{}", count: PostedAlerts.most + 1).joined(separator: ",") + "]"
        #expect(try AlertAPIFixture().request("POST", "/alerts", body: body).status == 413)
    }

    @Test(
        "wrong parameters are answered with the parser's text",
        arguments: [
            ("filter", "a", #""bad matcher format: a""#),
            ("filter", #"{a="b"}"#, #""unexpected open or close brace: {a=\"b\"}""#),
            ("receiver", "(", #""failed to parse receiver param: error parsing regexp: missing closing ): `^(?:()$`""#),
            ("receiver_matchers", "a", #""failed to parse receiver_matchers param: bad matcher format: a""#),
        ])
    func wrongParameters(_ name: String, _ value: String, _ text: String) throws {
        for path in ["/alerts", "/alerts/groups"] {
            let answer = try AlertAPIFixture().get(path, [(name, value)])
            #expect(answer.status == 400 && answer.text == text + "\n", "\(answer.text)")
        }
        let many = try AlertAPIFixture().get("/alerts", (0...32).map { ("filter", "a=\($0)") })
        #expect(many.status == 400)
    }

    @Test("wrong paths, methods and types have objects as errors")
    func framework() throws {
        let fixture = try AlertAPIFixture()
        let unknown = fixture.get("/nope")
        #expect(unknown.status == 404 && unknown.text == #"{"code":404,"message":"path /api/v2/nope was not found"}"#)
        for method in ["PUT", "HEAD", "DELETE"] {
            let answer = fixture.request(method, "/alerts")
            #expect(answer.status == 405)
            #expect(
                answer.text == #"{"code":405,"message":"method \#(method) is not allowed, but [GET,POST] are"}"#)
            #expect(answer.headers.contains { $0 == ("Allow", "GET,POST") })
        }
        let type = fixture.request("POST", "/alerts", body: "[]", type: "text/plain")
        #expect(type.status == 415)
        #expect(
            type.text
                == #"{"code":415,"message":"unsupported media type \"text/plain\", only [application/json] are allowed"}"#
        )
        #expect(fixture.request("POST", "/alerts", body: "[]", type: "Application/JSON; charset=utf-8").status == 200)
        #expect(fixture.request("POST", "/alerts", body: "[]", type: nil).status == 415)
        let accepted = fixture.request("GET", "/alerts", accept: "text/plain")
        #expect(accepted.status == 406)
        #expect(
            accepted.text
                == #"{"code":406,"message":"unsupported media type requested, only [application/json] are available"}"#)
        for accept in ["application/json, */*;q=0.1", "text/html, */*", "Application/*"] {
            #expect(fixture.request("GET", "/alerts/", accept: accept).status == 200)
        }
    }

    @Test("without a notifier the flag is named, and a daemon that does not serve answers 503")
    func absent() throws {
        for (method, path) in [("GET", "/status"), ("POST", "/alerts"), ("DELETE", "/silence/x")] {
            let answer = try AlertAPIFixture(nil).request(method, path, body: "[]")
            #expect(answer.status == 404)
            #expect(answer.json?.string?.contains("--alerting.config.file") == true)
        }
        let fixture = try AlertAPIFixture()
        fixture.reason.text = "shutting down"
        let answer = fixture.request("POST", "/alerts", body: #"[{"labels": {"a": "1"}}]"#)
        #expect(answer.status == 503 && answer.text == "\"shutting down\"\n")
        fixture.reason.text = nil
        #expect(fixture.get("/alerts").text == "[]\n")
    }

    @Test("an answer that the memory does not suffice for is refused, and gives its bytes back")
    func memory() throws {
        let budget = ByteBudget(limit: 1 << 20)
        let fixture = try AlertAPIFixture(budget: budget)
        #expect(fixture.get("/status").status == 200)
        let alerts = (0..<3000).map { #"{"labels": {"alertname": "\#($0)"}}"# }
        _ = fixture.post("/alerts", "[" + alerts.joined(separator: ",") + "]")
        let answer = fixture.get("/alerts")
        #expect(answer.status == 503 && answer.json?.string == "too many large answers at once")
        #expect(budget.inUse == 0)
        #expect(fixture.get("/alerts", [("filter", "alertname=7")]).status == 200)
    }
}
