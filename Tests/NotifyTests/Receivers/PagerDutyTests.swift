import Config
import Foundation
import Model
import TestSupport
import Testing

@testable import Notify

@Suite("PagerDuty")
struct PagerDutyTests {
    private static func integration(
        _ entry: String, _ transport: RecordingReceiver
    ) throws -> PagerDutyIntegration {
        let config = try #require(try ReceiverCases.config("pagerduty", entry).pagerDuties.first)
        return PagerDutyIntegration(config, transport)
    }

    private static let full = """
        {routing_key: '{{ .Receiver }}-key', url: 'http://pd/v2', client: C, client_url: 'http://c', description: D,
        severity: '{{ .CommonLabels.severity }}', source: S, class: K, component: P, group: G, timeout: 3s,
        details: {firing: f, resolved: r, num_firing: nn, num_resolved: '7', z: {b: '{{ .Status }}', a: [1, true]}},
        images: [{src: s, alt: a, href: h}, {src: '', alt: left out}], links: [{href: h, text: t}, {text: left out}]}
        """

    @Test("an event has all configured keys")
    func event() async throws {
        let transport = RecordingReceiver()
        let integration = try Self.integration(Self.full, transport)
        #expect(integration.timeout == 3000)
        #expect(try await ReceiverCases.attempt(integration, ReceiverCases.message()) == .accepted)
        #expect(transport.calls == ["POST http://pd/v2"])
        #expect(
            transport.bodies == [
                #"{"routing_key":"all-key","dedup_key":"\#(ReceiverCases.hash)","event_action":"trigger","payload":{"#
                    + #""summary":"D","source":"S","severity":"critical","class":"K","component":"P","group":"G","#
                    + #""custom_details":{"firing":"f","num_firing":"nn","num_resolved":7,"resolved":"r","#
                    + #""z":{"a":[1,true],"b":"firing"}}},"client":"C","client_url":"http://c","#
                    + #""images":[{"href":"h","src":"s","alt":"a"}],"links":[{"href":"h","text":"t"}]}"# + "\n"
            ])
    }

    @Test("a service key means the older interface")
    func service() async throws {
        let entry = """
            {service_key: SK, client: C, client_url: U, description: '{{ .Status }}',
            details: {firing: f, resolved: r, num_firing: 1, num_resolved: 0}}
            """
        let transport = RecordingReceiver()
        let integration = try Self.integration(entry, transport)
        #expect(try await ReceiverCases.attempt(integration, ReceiverCases.message()) == .accepted)
        #expect(
            try await ReceiverCases.attempt(integration, ReceiverCases.message(ReceiverCases.resolved)) == .accepted)
        #expect(
            Set(transport.calls) == ["POST https://events.pagerduty.com/generic/2010-04-15/create_event.json"])
        func body(_ action: String, _ status: String, _ client: String) -> String {
            #"{"service_key":"SK","incident_key":"\#(ReceiverCases.hash)","event_type":"\#(action)","#
                + #""description":"\#(status)","event_action":"","payload":null,\#(client)"#
                + #""details":{"firing":"f","num_firing":1,"num_resolved":0,"resolved":"r"}}"# + "\n"
        }
        #expect(
            transport.bodies == [
                body(
                    "trigger", "firing",
                    #""client":"C","client_url":"U","#),
                body("resolve", "resolved", ""),
            ])
    }

    @Test("a long description is cut, and an event that is too large loses its details")
    func limits() async throws {
        let long = String(repeating: "é", count: 2000)
        let transport = RecordingReceiver()
        let integration = try Self.integration(
            "{routing_key: K, description: '\(long)', details: {big: '{{ .GroupLabels.big }}'}}", transport)
        var message = try ReceiverCases.message()
        message.data.groupLabels = Labels([("big", String(repeating: "x", count: 512_000))])
        #expect(try await ReceiverCases.attempt(integration, message) == .accepted)
        let body = try #require(transport.bodies.first)
        #expect(body.contains(#""summary":"\#(String(repeating: "é", count: 1023))…","#))
        #expect(
            body.contains(
                #""custom_details":{"error":"Custom details have been removed because the original event exceeds the maximum size of 512KB"}"#
            ))
        #expect(body.utf8.count < 5000)
    }

    @Test(
        "another attempt follows errors of the server and too many requests",
        arguments: [(500, true), (503, true), (429, true), (403, false), (404, false), (302, false)])
    func answers(_ status: Int, _ isRetried: Bool) async throws {
        let integration = try Self.integration("{routing_key: K}", RecordingReceiver(status: status, "text"))
        let reason = "unexpected status code \(status)"
        #expect(
            try await ReceiverCases.attempt(integration, ReceiverCases.message())
                == (isRetried ? .retry(reason) : .refused(reason)))
    }

    @Test("the older interface limits requests with 403")
    func serviceAnswers() async throws {
        for (status, isRetried) in [(403, true), (429, false), (500, true)] {
            let integration = try Self.integration("{service_key: K}", RecordingReceiver(status: status))
            let reason = "unexpected status code \(status)"
            #expect(
                try await ReceiverCases.attempt(integration, ReceiverCases.message())
                    == (isRetried ? .retry(reason) : .refused(reason)))
        }
    }

    @Test("a bad event is refused with the reasons, but without the key")
    func badEvent() async throws {
        let answer = #"{"status":"invalid","message":"Event is invalid","errors":["length","key SECRETKEY"]}"#
        let integration = try Self.integration("{routing_key: SECRETKEY}", RecordingReceiver(status: 400, answer))
        #expect(
            try await ReceiverCases.attempt(integration, ReceiverCases.message())
                == .refused("unexpected status code 400: Event is invalid: length,key <redacted>"))
    }

    @Test("no answer is retried; an empty key is refused")
    func failures() async throws {
        let silent = try Self.integration("{routing_key: K}", RecordingReceiver { _ in nil })
        #expect(try await ReceiverCases.attempt(silent, ReceiverCases.message()) == .retry("no route to host"))
        let transport = RecordingReceiver()
        let empty = try Self.integration("{routing_key: '{{ .CommonLabels.none }}'}", transport)
        #expect(
            try await ReceiverCases.attempt(empty, ReceiverCases.message())
                == .refused("routing key cannot be empty"))
        #expect(transport.calls == [])
    }

    @Test("a key is read from its file in each attempt")
    func file() async throws {
        let folder = try TemporaryFolder()
        let path = folder.path + "/key"
        try "first\n".write(toFile: path, atomically: true, encoding: .utf8)
        let transport = RecordingReceiver()
        let integration = try Self.integration("{routing_key_file: '\(path)'}", transport)
        _ = try await ReceiverCases.attempt(integration, ReceiverCases.message())
        try "second".write(toFile: path, atomically: true, encoding: .utf8)
        _ = try await ReceiverCases.attempt(integration, ReceiverCases.message())
        #expect(transport.bodies.first?.hasPrefix(#"{"routing_key":"first","#) == true)
        #expect(transport.bodies.last?.hasPrefix(#"{"routing_key":"second","#) == true)
    }
}
