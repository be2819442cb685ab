import Config
import GoCompatibility
import JSON
import Model
@testable import Notify
import TestSupport
import Testing

/// Requests that Alertmanager made for a receiver with many entries.
struct RecordedRequests {
    struct Request {
        var method: String
        var path: String
        var headers: [(key: String, value: JSONValue)]
        var body: String
    }

    static let name = "conformance/alerting/receiver-requests.json"
    static let address = "http://127.0.0.1:21270"

    var config: AlertmanagerConfig
    /// Those of each flush.
    var flushes: [[Request]]

    init() throws {
        let json = try JSONValue.parse(try ConfigFile.read(SharedFolder.path(Self.name)))
        let text = json["config"]?.string ?? ""
        config = try AlertmanagerConfigLoader.parse(text: Array(text.utf8), path: "am.yml")
        flushes = [[], [], []]
        for request in json["requests"]?.array ?? [] {
            let time = request["t"]?.number ?? 0
            let flush = time < 3 ? 0 : time < 9 ? 1 : 2
            flushes[flush].append(
                Request(
                    method: request["method"]?.string ?? "", path: request["path"]?.string ?? "",
                    headers: request["headers"]?.object ?? [], body: request["body"]?.string ?? ""))
        }
    }

    /// The message of a flush, as the webhook's request has it.
    func message(_ flush: Int) throws -> ReceiverMessage {
        let body = try #require(flushes[flush].first { $0.path == "/webhook" }).body
        let json = try JSONValue.parse(body)
        func labels(_ value: JSONValue?) -> Labels {
            Labels((value?.object ?? []).map { ($0.key, $0.value.string ?? "") })
        }
        func time(_ value: JSONValue?) -> Int64 {
            guard let text = value?.string, !text.hasPrefix("0001") else { return 0 }
            return RFC3339.parse(text) ?? 0
        }
        let alerts = (json["alerts"]?.array ?? []).map { alert in
            NotificationData.Item(
                labels: labels(alert["labels"]), annotations: labels(alert["annotations"]),
                startsAt: time(alert["startsAt"]), endsAt: time(alert["endsAt"]),
                generatorURL: alert["generatorURL"]?.string ?? "", fingerprint: alert["fingerprint"]?.string ?? "")
        }
        return ReceiverMessage(
            data: NotificationData(
                receiver: "all", alerts: alerts, groupLabels: labels(json["groupLabels"]),
                externalURL: json["externalURL"]?.string ?? "",
                notificationReason: json["notification_reason"]?.string ?? ""),
            groupKey: json["groupKey"]?.string ?? "", templates: .standard, time: 0)
    }
}

@Suite(
    "Recorded requests to receivers",
    .enabled(if: SharedFolder.has(RecordedRequests.name), "needs ../shared/conformance"))
struct RecordedRequestTests {
    static func answer(_ request: ReceiverRequest) -> ReceiverAnswer {
        if request.url.contains("/slack") { return .text("ok") }
        if request.url.contains("gettoken") { return .json(#"{"errcode":0,"access_token":"TOK"}"#) }
        return .json(#"{"ok":true,"success":true,"errcode":0}"#)
    }

    @Test(
        "are made in the same way",
        arguments: [
            "/webhook", "/webhook-payload", "/slack", "/discord", "/msteams", "/msteamsv2", "/telegram", "/webex",
            "/wechat", "/rocketchat", "/mattermost",
        ])
    func same(_ path: String) async throws {
        let recorded = try RecordedRequests()
        let transport = AnsweringTransport(standard: Self.answer)
        let integrations = try #require(recorded.config.receivers.first?.integrations { _ in transport })
        var seen = 0
        for flush in 0..<3 {
            let message = try recorded.message(flush)
            for placed in integrations where placed.integration.sendsResolved || message.isFiring {
                _ = await IntegrationCall.attempt(
                    placed.integration, message, AttemptContext(clock: ManualClock(), deadline: 10_000))
            }
            let made = transport.requests.dropFirst(seen).filter { Self.isOf(path, $0.url) }
            seen = transport.requests.count
            let expected = recorded.flushes[flush].filter { Self.isOf(path, RecordedRequests.address + $0.path) }
            #expect(!expected.isEmpty)
            #expect(made.map(\.url) == expected.map { RecordedRequests.address + $0.path })
            #expect(made.map(\.method) == expected.map(\.method))
            for (one, other) in zip(made, expected) {
                #expect(Self.current(one.body) == Self.known(other.body, path))
                // Credentials of the client's settings are added by the transport.
                for header in other.headers where !["User-Agent", "Authorization"].contains(header.key) {
                    #expect(one.headers.first { $0.name == header.key }?.value == header.value.string)
                }
            }
        }
    }

    private static func isOf(_ path: String, _ url: String) -> Bool {
        let rest = url.dropFirst(RecordedRequests.address.count)
        return rest == path || rest.hasPrefix(path + "/")
    }

    /// The body without what is newer than the recorded version.
    private static func current(_ body: [UInt8]) -> String {
        String(decoding: body, as: UTF8.self).replacing(#""routeLabels":{},"#, with: "")
    }

    /// The recorded body with what later versions do otherwise: a value that a template produced is not read again.
    private static func known(_ body: String, _ path: String) -> String {
        path == "/webhook-payload" ? body.replacing(#""b":2,"#, with: #""b":"2","#) : body
    }
}
