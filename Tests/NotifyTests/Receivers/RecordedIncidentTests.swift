import Config
import Foundation
import HTTP
import JSON
import Model
import Platform
import Synchronization
import TestSupport
import Testing

@testable import Notify

/// The requests that Alertmanager 0.32.1 made, compared with those of the same configuration here.
@Suite(
    "Recorded requests to tools for incidents, and mails",
    .enabled(if: SharedFolder.has("conformance/alerting"), "needs ../shared/conformance/alerting"))
struct RecordedIncidentTests {
    private let receiver: ReceiverConfig
    private let requests: [JSONValue]
    /// Two alerts fire; one of them is resolved; the other one is resolved.
    private let messages: [ReceiverMessage]

    init() throws {
        let path = SharedFolder.path("conformance/alerting/receiver-requests.json")
        let recorded = try JSONValue.parse(try RealFileSystem().read(path))
        let text = try #require(recorded["config"]?.string)
        let config = try AlertmanagerConfigLoader.parse(text: Array(text.utf8), path: "am.yml")
        receiver = try #require(config.receivers.first)
        requests = try #require(recorded["requests"]?.array)
        let bodies = try requests.filter { $0["path"]?.string == "/incidentio" }.map { request in
            try JSONValue.parse(request["body"]?.string ?? "")
        }
        messages = try bodies.map { body in
            let alerts = try (body["alerts"]?.array ?? []).map { alert in
                let end = try #require(RFC3339Time.milliseconds(alert["endsAt"]))
                return ReceiverCases.alert(
                    alert["labels"]?["instance"]?.string == "a:1" ? "a" : "b", endsAt: max(0, end))
            }
            return try ReceiverCases.message(alerts, reason: body["notification_reason"]?.string ?? "")
        }
        #expect(messages.map(\.data.alerts.count) == [2, 2, 1])
    }

    private enum RFC3339Time {
        static func milliseconds(_ value: JSONValue?) -> Int64? {
            let parser = ISO8601DateFormatter()
            return parser.date(from: value?.string ?? "").map { Int64($0.timeIntervalSince1970 * 1000) }
        }
    }

    /// `METHOD path`, body and some headers of the recorded requests of a kind.
    private func recorded(_ kind: String) -> [(call: String, body: String, type: String?, authorization: String?)] {
        requests.filter { $0["path"]?.string?.hasPrefix("/\(kind)") == true }.map { request in
            let headers = request["headers"]
            return (
                "\(request["method"]?.string ?? "") http://127.0.0.1:21270\(request["path"]?.string ?? "")",
                request["body"]?.string ?? "", headers?["Content-Type"]?.string, headers?["Authorization"]?.string
            )
        }
    }

    private func compare(
        _ kind: String, _ integration: any Integration, _ transport: RecordingReceiver,
        _ change: (String) -> String = { $0 }
    ) async throws {
        for message in messages {
            #expect(try await ReceiverCases.attempt(integration, message) == .accepted)
        }
        let expected = recorded(kind)
        #expect(transport.calls == expected.map(\.call))
        for (body, recorded) in zip(transport.bodies, expected) { #expect(change(body) == change(recorded.body)) }
        for (request, recorded) in zip(transport.requests, expected) {
            #expect(request.headers.first { $0.name == "Content-Type" }?.value == recorded.type)
        }
    }

    @Test("PagerDuty")
    func pagerDuty() async throws {
        let transport = RecordingReceiver()
        let integration = PagerDutyIntegration(try #require(receiver.pagerDuties.first), transport)
        // From 0.34 on a text inside of a JSON value stays a text.
        try await compare("pagerduty", integration, transport) { $0.replacing(#""b":2"#, with: #""b":"2""#) }
    }

    @Test("OpsGenie")
    func opsGenie() async throws {
        let transport = RecordingReceiver()
        let integration = OpsGenieIntegration(try #require(receiver.opsGenies.first), transport)
        try await compare("opsgenie", integration, transport)
        #expect(
            transport.requests.map { $0.headers.first { $0.name == "Authorization" }?.value }
                == recorded("opsgenie").map(\.authorization))
    }

    @Test("VictorOps")
    func victorOps() async throws {
        let transport = RecordingReceiver()
        let integration = VictorOpsIntegration(try #require(receiver.victorOps.first), transport)
        try await compare("victorops", integration, transport)
    }

    @Test("incident.io")
    func incidentIO() async throws {
        let transport = RecordingReceiver()
        let config = try #require(receiver.incidentIOs.first)
        #expect(config.client.authorization?.credentials == "T")
        try await compare("incidentio", IncidentIOIntegration(config, transport), transport) { body in
            body.replacing(#""routeLabels":{},"#, with: "")
        }
    }

    @Test("SNS")
    func sns() async throws {
        let transport = RecordingReceiver()
        let integration = SNSIntegration(try #require(receiver.snses.first), transport)
        try await compare("sns", integration, transport)
    }

    @Test("Jira")
    func jira() async throws {
        let searches = requests.filter { $0["path"]?.string == "/jira/rest/api/2/search" }.count
        #expect(searches == 3)
        let made = Atomic(0)
        let transport = RecordingReceiver { request in
            if request.url.hasSuffix("/search") {
                let issue = #"{"key":"P-1","fields":{"status":{"statusCategory":{"key":"new"}}}}"#
                return ReceiverAnswer(
                    status: 200,
                    body: Array(#"{"issues":[\#(made.add(1, ordering: .relaxed).oldValue == 0 ? "" : issue)]}"#.utf8))
            }
            return ReceiverAnswer(
                status: 200,
                body: Array((request.method == "GET" ? #"{"transitions":[{"id":"7","name":"Done"}]}"# : "").utf8))
        }
        try await compare("jira", JiraIntegration(try #require(receiver.jiras.first), transport), transport)
    }

    @Test("mails")
    func email() async throws {
        let config = try #require(receiver.emails.first)
        let transport = RecordingReceiver()
        let integration = EmailIntegration(config, transport)
        for message in messages {
            #expect(try await ReceiverCases.attempt(integration, message) == .accepted)
        }
        let recorded = requests.filter { $0["method"]?.string == "SMTP" }.compactMap { $0["body"]?.string }
        #expect(recorded.count == 3)
        for (mail, transcript) in zip(transport.mails, recorded) {
            let lines = transcript.components(separatedBy: "\n")
                .compactMap { $0.hasPrefix("C: ") ? String($0.dropFirst(3)) : nil }
            #expect(lines.contains("MAIL FROM:<\(mail.sender)> BODY=8BITMIME"))
            #expect(
                lines.filter { $0.hasPrefix("RCPT") } == mail.recipients.map { "RCPT TO:<\($0)>" })
            let start = try #require(lines.firstIndex(of: "DATA"))
            let end = try #require(lines.firstIndex(of: "."))
            let made = String(decoding: mail.message, as: UTF8.self).components(separatedBy: "\r\n").dropLast()
            #expect(Self.comparable(Array(made)) == Self.comparable(Array(lines[(start + 1)..<end])))
        }
    }

    /// The sorted headers and the body of a mail, without what differs from mail to mail.
    private static func comparable(_ lines: [String]) -> [String] {
        let boundary = lines.first { $0.hasPrefix("Content-Type: multipart") }?.components(separatedBy: "boundary=")
            .last
        let shown = lines.map { line -> String in
            if line.hasPrefix("Message-Id: ") || line.hasPrefix("Date: ") {
                return String(line.prefix { $0 != ":" })
            }
            // The day is that of the machine's zone.
            if line.hasPrefix("References: ") || line.hasPrefix("In-Reply-To: ") {
                return line.components(separatedBy: "-2026-11-").first ?? ""
            }
            return line.replacing(boundary ?? "boundary", with: "BOUNDARY")
        }
        let body = shown.firstIndex(of: "") ?? shown.endIndex
        return shown[..<body].sorted() + shown[body...]
    }
}
