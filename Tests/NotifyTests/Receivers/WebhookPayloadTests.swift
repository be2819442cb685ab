import JSON
import Model
@testable import Notify
import TestSupport
import Testing

@Suite("Webhook payload")
struct WebhookPayloadTests {
    static func message(maxAlerts: Int = 0, receiver: String = "team") throws -> ReceiverMessage {
        let route = Route(receiver: "team", groupBy: ["g"]).numbered()
        let start = Timeline.start
        func alert(_ a: String, endsAt: Int64) -> NotifiedAlert {
            NotifiedAlert(
                Alert(
                    labels: Labels([("a", a), ("g", "x"), ("alertname", "Down")]),
                    annotations: Labels([("summary", "a <b> & \(a)"), ("same", "s")]), startsAt: start,
                    endsAt: endsAt, generatorURL: "http://p/graph?g0.expr=up&g0.tab=1"))
        }
        let alerts = [alert("1", endsAt: 0), alert("2", endsAt: start + 1500)]
        let flush = GroupFlush(
            groupID: "{}:x", groupKey: "{}:{g=\"x\"}", groupLabels: Labels([("g", "x")]), route: route,
            alerts: alerts, time: start, deadline: start + 1000)
        let notification = Notification(
            flush: flush, receiver: receiver, name: "team/webhook/0", integration: Limited(maxAlerts: maxAlerts),
            templates: .standard, alerts: alerts, reason: .firstNotification,
            entry: NotificationEntry(
                groupKey: "", receiver: "", time: 0, firing: [], resolved: [], expiresAt: 0), isSent: true)
        return ReceiverMessage(notification, externalURL: "http://am:9093")
    }

    private struct Limited: Integration {
        static let kind = IntegrationKind.webhook
        var sendsResolved: Bool { true }
        var maxAlerts: Int

        func attempt(_ message: ReceiverMessage, _ context: AttemptContext) async throws -> Verdict { .accepted }
    }

    @Test("is Alertmanager's version 4, byte for byte")
    func bytes() throws {
        let text = String(
            decoding: WebhookPayload.encode(try Self.message()), as: UTF8.self)
        let url = "http://p/graph?g0.expr=up\\u0026g0.tab=1"
        let expected =
            #"{"receiver":"team","status":"firing","alerts":[{"status":"firing","labels":{"a":"1","alertname":"Down","#
            + #""g":"x"},"annotations":{"same":"s","summary":"a \u003cb\u003e \u0026 1"},"#
            + #""startsAt":"2023-11-14T22:13:20Z","endsAt":"0001-01-01T00:00:00Z","generatorURL":"\#(url)","#
            + #""fingerprint":"FINGERPRINT1"},{"status":"resolved","labels":{"a":"2","alertname":"Down","g":"x"},"#
            + #""annotations":{"same":"s","summary":"a \u003cb\u003e \u0026 2"},"startsAt":"2023-11-14T22:13:20Z","#
            + #""endsAt":"2023-11-14T22:13:21.5Z","generatorURL":"\#(url)","fingerprint":"FINGERPRINT2"}],"#
            + #""notification_reason":"first notification","groupLabels":{"g":"x"},"commonLabels":{"alertname":"Down","g":"x"},"#
            + #""commonAnnotations":{"same":"s"},"routeLabels":{},"externalURL":"http://am:9093","version":"4","#
            + #""groupKey":"{}:{g=\"x\"}","truncatedAlerts":0}"# + "\n"
        let second = Fingerprint(Labels([("a", "2"), ("g", "x"), ("alertname", "Down")])).description
        let first = Fingerprint(Labels([("a", "1"), ("g", "x"), ("alertname", "Down")])).description
        #expect(text == expected.replacing("FINGERPRINT2", with: second).replacing("FINGERPRINT1", with: first))
    }

    @Test("annotations that are empty in all alerts are common, also where some lack them")
    func emptyAnnotations() {
        let (both, one) = (Labels(keepingEmpty: [("a", ""), ("b", "x")]), Labels([("b", "x")]))
        #expect(WebhookPayload.common([both, both]) == both)
        #expect(WebhookPayload.common([both, one]) == both)
        #expect(WebhookPayload.common([one, both]) == one)
    }

    @Test("the receiver's name has backslashes as in Alertmanager")
    func receiverName() throws {
        let message = try Self.message(receiver: #"a.b (c) [é]*+?|{}^$\"#)
        let json = try JSONValue.parse(WebhookPayload.encode(message))
        #expect(json["receiver"]?.string == #"a\.b \(c\) \[é\]\*\+\?\|\{\}\^\$\\"#)
    }

    @Test("max_alerts cuts the list and says by how much")
    func truncated() throws {
        let json = try JSONValue.parse(
            WebhookPayload.encode(try Self.message(maxAlerts: 1)))
        #expect(json["alerts"]?.array?.count == 1)
        #expect(json["truncatedAlerts"]?.number == 1)
    }
}
