import Config
import Model
@testable import Notify
import Synchronization
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
            let samples = family?.samples.filter { $0.labels.contains { $0 == ("integration", kind) } } ?? []
            return samples.isEmpty ? nil : samples.reduce(0) { $0 + $1.value }
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

    @Test(
        "a failure is counted by its reason, and all reasons exist from the start",
        arguments: [
            (401, "authError"), (403, "authError"), (429, "rateLimited"), (404, "clientError"), (302, "other"),
            (500, "serverError"), (0, "other"),
        ])
    func reasons(_ status: Int, _ expected: String) async throws {
        let registry = MetricRegistry()
        let clock = ManualClock(now: Timeline.start, jumps: true)
        let transport = AnsweringTransport(
            [ReceiverAnswer?](repeating: status == 0 ? nil : ReceiverAnswer(status: status), count: 100))
        let notifier = try Notifier(
            settings: try Timeline.settings(NotifierTests.configuration, transport), ledger: nil, clock: clock,
            externalURL: "http://here", metrics: registry, random: { 0.5 })
        func failed() -> [String: Double] {
            let samples =
                registry.families().first { $0.name == "alertmanager_notifications_failed_total" }?.samples ?? []
            #expect(samples.count == 18 * 7)
            return Dictionary(
                uniqueKeysWithValues: samples.filter { $0.labels.contains { $0 == ("integration", "webhook") } }.map {
                    ($0.labels.first { $0.name == "reason" }?.value ?? "", $0.value)
                })
        }
        #expect(failed().values.allSatisfy { $0 == 0 })
        notifier.send([Alert(labels: Labels([("a", "1")]), startsAt: Timeline.start)])
        _ = notifier.step(at: clock.now())
        clock.advance(to: Timeline.time(30))
        _ = notifier.step(at: clock.now())
        await notifier.settle()
        #expect(failed().filter { $0.value > 0 } == [expected: 1])
    }

    @Test("suppressed alerts are counted at each flush by what mutes them, and the states are those of now")
    func suppressed() async throws {
        let text = """
            route:
              receiver: team
              group_wait: 10s
              group_interval: 1m
              routes:
                - {receiver: team, matchers: [a=m], mute_time_intervals: [all]}
                - {receiver: team, matchers: [a=n], active_time_intervals: [none]}
            receivers: [{name: team, webhook_configs: [{url: 'http://hook'}]}, {name: unused}]
            inhibit_rules: [{source_matchers: [a=s], target_matchers: [a=t]}]
            time_intervals:
              - {name: all, time_intervals: [{}]}
              - {name: none, time_intervals: [{years: ['2000']}]}
            """
        let registry = MetricRegistry()
        let clock = ManualClock(now: Timeline.start, jumps: true)
        let notifier = try Notifier(
            settings: try Timeline.settings(text, AnsweringTransport()), ledger: nil, clock: clock,
            externalURL: "http://here", metrics: registry)
        func values(_ name: String) -> [String: Double] {
            let samples = registry.families().first { $0.name == "alertmanager_" + name }?.samples ?? []
            return Dictionary(uniqueKeysWithValues: samples.map { ($0.labels.first?.value ?? "", $0.value) })
        }
        _ = try notifier.setSilence(
            Silence(
                matchers: [Matcher(name: "a", equals: "q")], startsAt: Timeline.start, endsAt: Timeline.time(7200)))
        notifier.send(
            ["m", "n", "s", "t", "q"].map { Alert(labels: Labels([("a", $0)]), startsAt: Timeline.start) })
        #expect(values("alerts") == ["active": 0, "suppressed": 0, "unprocessed": 5])
        for seconds in [0.0, 10, 70] {
            clock.advance(to: Timeline.time(seconds))
            _ = notifier.step(at: clock.now())
            await notifier.settle()
        }
        #expect(
            values("notifications_suppressed_total")
                == ["silence": 2, "inhibition": 2, "mute_time_interval": 2, "active_time_interval": 2])
        #expect(values("alerts") == ["active": 3, "suppressed": 2, "unprocessed": 0])
        #expect(values("silences") == ["active": 1, "pending": 0, "expired": 0])
        #expect(values("receivers") == ["": 1] && values("integrations") == ["": 1])
        #expect(values("inhibition_rules") == ["": 1] && values("cluster_enabled") == ["": 0])
        #expect(values("config_hash").values.allSatisfy { $0 > 0 && $0 < 0x1p48 && $0 == $0.rounded() })
    }

    @Test("alerts are counted again for the metrics only after a change, and as the API shows them")
    func counts() async throws {
        let text = """
            route: {receiver: r, group_wait: 1s}
            receivers: [{name: r, webhook_configs: [{url: 'http://hook'}]}]
            inhibit_rules: [{source_matchers: [s=1], target_matchers: [t=1]}]
            """
        let time = try Timeline(text)
        let notifier = time.notifier
        func check(_ active: Int, _ suppressed: Int, looks: Int) {
            let before = notifier.state.withLock { $0.counted?.looks ?? 0 }
            for _ in 0..<3 {
                let gauges = notifier.gauges()
                #expect(gauges.active == active && gauges.suppressed == suppressed)
            }
            let shown = notifier.alerts()
            #expect(shown.count { $0.state == .active } == active && shown.count == active + suppressed)
            #expect(notifier.state.withLock { $0.counted?.looks ?? 0 } - before == looks)
        }
        func send(_ labels: [(String, String)], end: Double) {
            notifier.send([Alert(labels: Labels(labels), startsAt: Timeline.start, endsAt: Timeline.time(end))])
            _ = notifier.step(at: time.clock.now())
        }
        check(0, 0, looks: 1)
        send([("a", "1"), ("t", "1")], end: 100)
        check(1, 0, looks: 1)
        send([("a", "1"), ("t", "1")], end: 200)
        check(1, 0, looks: 0)
        send([("a", "2"), ("s", "1")], end: 50)
        check(1, 1, looks: 1)
        let now = time.clock.now()
        let silence = Silence(matchers: [Matcher(name: "a", equals: "2")], startsAt: now, endsAt: now + 20_000)
        _ = try notifier.setSilence(silence)
        check(0, 2, looks: 1)
        await time.run(until: 30)
        check(1, 1, looks: 1)
        await time.run(until: 60)
        check(1, 0, looks: 1)
        try time.reload(text.replacing("[t=1]", with: "[a=1]"))
        check(1, 0, looks: 1)
    }
}
