import Config
import JSON
import Model
import TestSupport
import Testing

@testable import Notify

@Suite("OpsGenie")
struct OpsGenieTests {
    private static func integration(_ entry: String, _ transport: RecordingReceiver) throws -> OpsGenieIntegration {
        let config = try #require(try ReceiverCases.config("opsgenie", entry).opsGenies.first)
        return OpsGenieIntegration(config, transport)
    }

    private static let alias = ReceiverCases.hash

    @Test("an alert has all configured keys")
    func created() async throws {
        let entry = """
            {api_key: KEY, api_url: 'http://og/x', message: '{{ .Status }}', description: D, source: S,
            details: {severity: own, z: '{{ .Receiver }}'}, entity: E, actions: 'a1,,a2', tags: 't1,t2', note: N,
            priority: P1, responders: [{id: I, type: team}, {username: U, type: USER}, {name: 'x,y', type: teams},
            {name: '{{ .CommonLabels.none }}', type: '{{ .CommonLabels.none }}'}]}
            """
        let transport = RecordingReceiver()
        #expect(
            try await ReceiverCases.attempt(Self.integration(entry, transport), ReceiverCases.message()) == .accepted)
        #expect(transport.calls == ["POST http://og/x/v2/alerts"])
        #expect(transport.requests.first?.headers.contains { $0 == ("Authorization", "GenieKey KEY") } == true)
        #expect(
            transport.bodies == [
                #"{"alias":"\#(Self.alias)","message":"firing","description":"D","#
                    + #""details":{"alertname":"Down","severity":"own","z":"all"},"source":"S","#
                    + #""responders":[{"id":"I","type":"team"},{"username":"U","type":"user"},"#
                    + #"{"name":"x","type":"team"},{"name":"y","type":"team"}],"tags":["t1","t2"],"note":"N","#
                    + #""priority":"P1","entity":"E","actions":["a1","a2"]}"# + "\n"
            ])
    }

    @Test("updates follow the creation, and a failed request ends the attempt")
    func updates() async throws {
        let entry =
            "{api_key: KEY, api_url: 'http://og', message: '\(String(repeating: "m", count: 200))', description: D, update_alerts: true}"
        let transport = RecordingReceiver()
        #expect(
            try await ReceiverCases.attempt(Self.integration(entry, transport), ReceiverCases.message()) == .accepted)
        let cut = String(repeating: "m", count: 129) + "…"
        #expect(
            transport.calls == [
                "POST http://og/v2/alerts", "PUT http://og/v2/alerts/\(Self.alias)/message?identifierType=alias",
                "PUT http://og/v2/alerts/\(Self.alias)/description?identifierType=alias",
            ])
        #expect(transport.bodies.dropFirst() == ["{\"message\":\"\(cut)\"}\n", "{\"description\":\"D\"}\n"])
        let failing = RecordingReceiver { ReceiverAnswer(status: $0.method == "PUT" ? 429 : 202) }
        #expect(
            try await ReceiverCases.attempt(Self.integration(entry, failing), ReceiverCases.message())
                == .retry("unexpected status code 429"))
        #expect(failing.calls.count == 2)
    }

    @Test("resolved alerts are closed")
    func closed() async throws {
        let transport = RecordingReceiver()
        let integration = try Self.integration(
            "{api_key: KEY, api_url: 'http://og', source: S, update_alerts: true}", transport)
        #expect(
            try await ReceiverCases.attempt(integration, ReceiverCases.message(ReceiverCases.resolved)) == .accepted)
        #expect(transport.calls == ["POST http://og/v2/alerts/\(Self.alias)/close?identifierType=alias"])
        #expect(transport.bodies == ["{\"source\":\"S\"}\n"])
    }

    @Test("no answer is retried, a refusal is not; neither shows the key")
    func failures() async throws {
        let entry = "{api_key: SECRETKEY, api_url: 'http://og'}"
        let refusing = try Self.integration(entry, RecordingReceiver(status: 422, "bad SECRETKEY"))
        #expect(
            try await ReceiverCases.attempt(refusing, ReceiverCases.message())
                == .refused("unexpected status code 422: bad <redacted>"))
        let silent = try Self.integration(entry, RecordingReceiver { _ in nil })
        #expect(try await ReceiverCases.attempt(silent, ReceiverCases.message()) == .retry("no route to host"))
    }
}

@Suite("VictorOps")
struct VictorOpsTests {
    private static func integration(_ entry: String, _ transport: RecordingReceiver) throws -> VictorOpsIntegration {
        let config = try #require(try ReceiverCases.config("victorops", entry).victorOps.first)
        return VictorOpsIntegration(config, transport)
    }

    @Test(
        "the type of a message is one that the service knows",
        arguments: [("INFO", "INFO"), ("WARNING", "WARNING"), ("{{ .Status }}", "CRITICAL"), ("info", "CRITICAL")])
    func types(_ configured: String, _ sent: String) async throws {
        let transport = RecordingReceiver()
        let integration = try Self.integration(
            """
            {api_key: 'K/?', api_url: 'http://vo/x', routing_key: 'r {{ .Status }}', message_type: '\(configured)',
            state_message: S, entity_display_name: E, monitoring_tool: M, custom_fields: {a: '{{ .Receiver }}'}}
            """, transport)
        #expect(try await ReceiverCases.attempt(integration, ReceiverCases.message()) == .accepted)
        #expect(transport.calls == ["POST http://vo/x/K/%3F/r%20firing"])
        #expect(
            transport.bodies == [
                #"{"a":"all","entity_display_name":"E","entity_id":"\#(ReceiverCases.hash)","message_type":"\#(sent)","#
                    + #""monitoring_tool":"M","state_message":"S"}"# + "\n"
            ])
    }

    @Test("resolved alerts are a recovery; a long text is cut; 429 is final")
    func others() async throws {
        let transport = RecordingReceiver(status: 429)
        let integration = try Self.integration(
            "{api_key: K, routing_key: r, state_message: '\(String(repeating: "s", count: 21_000))'}", transport)
        #expect(
            try await ReceiverCases.attempt(integration, ReceiverCases.message(ReceiverCases.resolved))
                == .refused("unexpected status code 429"))
        let body = try #require(transport.bodies.first)
        #expect(body.contains(#""message_type":"RECOVERY""#))
        #expect(body.contains(#""state_message":"\#(String(repeating: "s", count: 20_479))…""#))
    }
}

@Suite("incident.io")
struct IncidentIOTests {
    private static func integration(_ entry: String, _ transport: RecordingReceiver) throws -> IncidentIOIntegration {
        let config = try #require(try ReceiverCases.config("incidentio", entry).incidentIOs.first)
        return IncidentIOIntegration(config, transport)
    }

    @Test("the body is that of a webhook with another version; its limits are those of the entry")
    func body() async throws {
        let transport = RecordingReceiver()
        let integration = try Self.integration(
            "{url: 'http://ii/x', alert_source_token: T, max_alerts: 7, timeout: 2s}", transport)
        #expect(integration.maxAlerts == 7)
        #expect(integration.timeout == 2000)
        #expect(try await ReceiverCases.attempt(integration, ReceiverCases.message()) == .accepted)
        #expect(transport.calls == ["POST http://ii/x"])
        let value = try transport.firstValue
        #expect(value["version"]?.string == "1")
        #expect(value["alerts"]?.array?.count == 2)
    }

    @Test("a body that is too large keeps one alert, and the status of all")
    func large() async throws {
        let transport = RecordingReceiver()
        let integration = try Self.integration("{url: 'http://ii', alert_source_token: T}", transport)
        var resolved = ReceiverCases.alert("b", endsAt: ReceiverCases.time)
        resolved.generatorURL = String(repeating: "u", count: 600 << 10)
        let message = try ReceiverCases.message([resolved, ReceiverCases.alert("a")])
        #expect(try await ReceiverCases.attempt(integration, message) == .accepted)
        let value = try transport.firstValue
        #expect(value["alerts"]?.array?.compactMap { $0["status"]?.string } == ["firing"])
        #expect(value["status"]?.string == "firing")
        #expect(value["truncatedAlerts"]?.number == 1)
    }

    @Test("too many requests are retried; errors do not show the address")
    func answers() async throws {
        for (status, isRetried) in [(429, true), (500, true), (401, false)] {
            let integration = try Self.integration(
                "{url: 'http://ii/SECRETPATH', alert_source_token: T}", RecordingReceiver(status: status, "/SECRETPATH")
            )
            let reason = "unexpected status code \(status): <redacted>"
            #expect(
                try await ReceiverCases.attempt(integration, ReceiverCases.message())
                    == (isRetried ? .retry(reason) : .refused(reason)))
        }
    }
}
