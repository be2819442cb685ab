import Config
import JSON
import Model
import Platform
import TestSupport
import Testing

@testable import AlertClient

/// Requests to a server and what its answers become.
@Suite("Alert server")
struct AlertServerTests {
    private static func stub(
        status: Int = 200, _ text: String
    ) throws -> (stub: HTTPStub, server: AlertServer) {
        let stub = try #require(
            HTTPStub { _ in HTTPStub.Response(status: status, contentType: "application/json", text: text) })
        return (stub, server(stub, "/prefix/"))
    }

    private static func server(_ stub: HTTPStub, _ prefix: String) -> AlertServer {
        AlertServer(url: "http://u:p@127.0.0.1:\(stub.port)\(prefix)", client: HTTPClientConfig(), timeout: 30_000)
    }

    /// The result of a call that blocks its thread, which must not be one of the pool of tasks.
    private func blocking<Value: Sendable>(_ body: @escaping @Sendable () throws -> Value) async throws -> Value {
        try await BlockingCall.run { Result(catching: body) }.get()
    }

    private static func matcher(_ text: String) throws -> Matcher { try AlertMatchers.one(text) }

    private static func silence(_ id: String = "") throws -> PostedSilence {
        try PostedSilence(
            imported: try JSONValue.parse(id.isEmpty ? #"{"comment":"c"}"# : #"{"id":"\#(id)","comment":"c"}"#))
    }

    @Test func `a query of alerts has states, receiver and filters`() async throws {
        let (stub, server) = try Self.stub("[]")
        defer { stub.stop() }
        let states = AlertServer.AlertStates(active: false, silenced: true, inhibited: false, unprocessed: false)
        let alerts = try await blocking { try server.alerts(states, filters: [#"a="b c""#, "d!=e"], receiver: "x|y") }
        #expect(alerts.isEmpty)
        let request = try #require(stub.requests.first)
        #expect(
            request.path == "/prefix/api/v2/alerts?active=false&inhibited=false&silenced=true&unprocessed=false"
                + "&receiver=x%7Cy&filter=a%3D%22b%20c%22&filter=d%21%3De")
        #expect(request.method == "GET" && request.headers["authorization"] == "Basic dTpw")
    }

    @Test func `alerts and silences are sent as the API has them`() async throws {
        let (stub, server) = try Self.stub(#"{"silenceID":"i"}"#)
        defer { stub.stop() }
        var alert = NewAlert(labels: [("alertname", "a"), ("é", "<b>")])
        alert.annotations = [("s", "t")]
        alert.startsAt = AlertTime.parse("2026-01-02T03:04:05+01:00")
        alert.generatorURL = "http://g"
        let start = try #require(alert.startsAt)
        let posted = PostedSilence(
            matchers: [try Self.matcher("a!~b.*"), try Self.matcher("c=d")], startsAt: start, endsAt: start,
            createdBy: "me", comment: "c", annotations: [("k", "v")])
        let id = try await blocking { [alert] in
            try server.add([alert])
            return try server.post(posted)
        }
        #expect(id == "i")
        let requests = stub.requests
        try #require(requests.count == 2)
        #expect(requests[0].method == "POST" && requests[0].path == "/prefix/api/v2/alerts")
        #expect(requests[0].headers["content-type"] == "application/json")
        #expect(
            String(decoding: requests[0].body, as: UTF8.self) == #"[{"labels":{"alertname":"a","é":"\u003cb\u003e"},"#
                + #""annotations":{"s":"t"},"startsAt":"2026-01-02T03:04:05.000+01:00","generatorURL":"http://g"}]"#
                + "\n")
        #expect(
            String(decoding: requests[1].body, as: UTF8.self) == #"{"comment":"c","createdBy":"me","#
                + #""endsAt":"2026-01-02T03:04:05.000+01:00","matchers":[{"isEqual":false,"isRegex":true,"name":"a","#
                + #""value":"b.*"},{"isEqual":true,"isRegex":false,"name":"c","value":"d"}],"#
                + #""startsAt":"2026-01-02T03:04:05.000+01:00","annotations":{"k":"v"}}"# + "\n")
    }

    @Test func `an id is one part of a path`() async throws {
        let (stub, server) = try Self.stub("{}")
        defer { stub.stop() }
        try await blocking { try server.expire("a/../b?c") }
        #expect(stub.requests.first?.path == "/prefix/api/v2/silence/a%2F..%2Fb%3Fc")
        #expect(stub.requests.first?.method == "DELETE")
    }

    @Test(arguments: [
        (400, #""bad matcher format: x""#, "[GET /silences][400] getSilencesBadRequest  bad matcher format: x"),
        (401, "Unauthorized\n", "[GET /silences] getSilences (status 401): Unauthorized"),
        (200, "<html>", "[GET /silences] getSilences: the answer is not JSON: 1:1: unexpected '<', expected a value"),
        (200, "{}", "[GET /silences] getSilences: the answer is no list"),
        (200, #"[{"id":"a"}]"#, "[GET /silences] getSilences: 0.matchers: must be a list"),
    ])
    func `other answers are errors`(status: Int, text: String, reason: String) async throws {
        let (stub, server) = try Self.stub(status: status, text)
        defer { stub.stop() }
        let error = try await #require(throws: AlertServerError.self) {
            try await blocking { try server.silences() }
        }
        #expect(error.description == reason)
    }

    @Test func `answers without what was asked for are errors`() async throws {
        let (stub, server) = try Self.stub("{}")
        defer { stub.stop() }
        await #expect(throws: AlertServerError.self) { try await blocking { _ = try server.configuration() } }
        await #expect(throws: AlertServerError.self) { try await blocking { try server.post(try Self.silence()) } }
        await #expect(throws: AlertServerError.self) { try await blocking { _ = try server.silence("i") } }
    }

    @Test func `a silence that the server does not know is imported without its id`() async throws {
        let stub = try #require(
            HTTPStub { request in
                String(decoding: request.body, as: UTF8.self).contains("\"id\"")
                    ? HTTPStub.Response(status: 404, contentType: "application/json", text: "\"silence not found\"")
                    : HTTPStub.Response(status: 200, contentType: "application/json", text: #"{"silenceID":"n"}"#)
            })
        defer { stub.stop() }
        let server = Self.server(stub, "")
        #expect(try await blocking { try server.importing(try Self.silence("old")) } == "n")
        #expect(stub.requests.count == 2)
        let (other, failing) = try Self.stub(status: 404, "")
        defer { other.stop() }
        await #expect(throws: AlertServerError.self) {
            try await blocking { try failing.importing(try Self.silence()) }
        }
        #expect(other.requests.count == 1)
    }
}
