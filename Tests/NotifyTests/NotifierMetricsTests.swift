import Config
import Model
import Notify
import Telemetry
import TestSupport
import Testing

@Suite("Metrics of notifications")
struct NotifierMetricsTests {
    @Test("notifications and requests are counted by the kind of receiver, and the ledger names it")
    func kinds() async throws {
        let text = """
            route: {receiver: r, group_wait: 0s}
            receivers:
              - name: r
                discord_configs: [{webhook_url: 'http://h/d-secret'}]
                slack_configs: [{api_url: 'http://h/s-secret', send_resolved: true}]
            """
        let clock = ManualClock(now: Timeline.start, jumps: true)
        let transport = AnsweringTransport { request in
            request.url.contains("/s-") ? .text("ok") : .text("no /d-secret", status: 400)
        }
        let registry = MetricRegistry()
        let notifier = try Notifier(
            settings: try Timeline.settings(text, transport), ledger: nil, clock: clock, externalURL: "http://here",
            metrics: registry, random: { 0.5 })
        notifier.send([Alert(labels: Labels([("a", "1")]), startsAt: Timeline.start)])
        for _ in 0..<3 {
            clock.advance(to: min(notifier.step(at: clock.now()), Timeline.start + 1000))
            await notifier.settle()
        }
        func value(_ name: String, _ kind: String) -> Double? {
            let family = registry.families().first { $0.name == "alertmanager_" + name }
            return family?.samples.first { $0.labels.contains { $0 == ("integration", kind) } }?.value
        }
        for (kind, count, failed) in [("slack", 1.0, 0.0), ("discord", 1, 1), ("email", 0, 0)] {
            #expect(value("notifications_total", kind) == count)
            #expect(value("notifications_failed_total", kind) == failed)
            #expect(value("notification_requests_total", kind) == count)
            #expect(value("notification_requests_failed_total", kind) == failed)
        }
        let deliveries = notifier.deliveries()
        #expect(Set(deliveries.map(\.integration)) == ["r/slack/0", "r/discord/0"])
        let failed = try #require(deliveries.first { $0.outcome == .failed })
        #expect(failed.integration == "r/discord/0" && failed.status == 400 && failed.attempts == 1)
        #expect(failed.error == "unexpected status code 400: no <redacted>")
    }
}
