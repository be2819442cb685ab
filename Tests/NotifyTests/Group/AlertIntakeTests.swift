import Model
import TestSupport
import Testing

@testable import Notify

@Suite("Alerts of requests")
struct AlertIntakeTests {
    private static let configuration = """
        route: {receiver: r, group_wait: 10s}
        receivers: [{name: r, webhook_configs: [{url: 'http://h/'}]}]
        """
    private static let start = Timeline.start

    private static func alert(
        _ name: String, start: Int64 = 0, end: Int64 = 0, annotations: Labels = .empty
    ) -> Alert {
        Alert(labels: Labels([("alertname", name)]), annotations: annotations, startsAt: start, endsAt: end)
    }

    @Test("missing times are filled in, and valid alerts are taken though others are not")
    func validity() throws {
        let time = try Timeline(Self.configuration)
        let refusals = try time.notifier.receive([
            Self.alert("plain"), Self.alert("ends", end: Self.start + 1000),
            Self.alert("late", start: Self.start + 400_000),
            Self.alert("turned", start: Self.start, end: Self.start - 1),
            Alert(labels: Labels([("alertname", "")]), startsAt: 0),
            Alert(labels: Labels([("", "x")]), startsAt: 0),
            Self.alert("noted", annotations: Labels(keepingEmpty: [("", "x")])),
            Self.alert("empty", annotations: Labels(keepingEmpty: [("note", "")])),
        ])
        #expect(
            refusals == [
                "start time must be before end time", "start time must be before end time",
                "at least one label pair required", "invalid label set: invalid name \"\"",
                "invalid annotations: invalid name \"\"",
            ])
        let alerts = Dictionary(
            uniqueKeysWithValues: time.notifier.alerts().map { ($0.alert.alert.labels["alertname"] ?? "", $0.alert) })
        #expect(alerts.keys.sorted() == ["empty", "ends", "plain"])
        #expect(alerts["plain"]?.alert.startsAt == Self.start)
        #expect(alerts["plain"]?.alert.endsAt == Self.start + 300_000)
        #expect(alerts["plain"]?.endIsAssumed == true && alerts["ends"]?.endIsAssumed == false)
        #expect(alerts["ends"]?.alert.startsAt == Self.start + 1000)
        #expect(alerts["empty"]?.alert.annotations["note"] == "")
    }

    @Test("an accepted alert is in the ledger when the call returns, and is notified after a crash")
    func durable() async throws {
        let folder = try TemporaryFolder()
        let time = try Timeline(Self.configuration, folder: folder.path)
        #expect(try time.notifier.receive([Self.alert("x", start: Self.start, end: Self.start + 600_000)]) == [])
        try time.crashAndRestart()
        #expect(time.notifier.alerts().count == 1)
        await time.run(until: 11)
        #expect(time.transport.takeCalls().count == 1)
    }

    @Test("an alert that the ledger did not get is answered with the reason, and repeated without harm")
    func failure() throws {
        let files = FaultyFileSystem()
        let clock = ManualClock(now: Self.start, jumps: true)
        let notifier = try Timeline.notifier(files, clock, groupWait: 10)
        files.setCapacity(0)
        #expect(throws: (any Error).self) { try notifier.receive([Self.alert("x", end: Self.start + 60_000)]) }
        files.setCapacity(.max)
        clock.advance(to: Self.start + 10_000)
        #expect(try notifier.receive([Self.alert("x", end: Self.start + 60_000)]) == [])
        #expect(try Timeline.notifier(files, clock, groupWait: 10).alerts().count == 1)
    }

    @Test("the number of alerts and their size are limited, and a resolution of a known one always gets in")
    func limits() throws {
        var alerts = ActiveAlerts()
        for number in 0..<AlertIntake.most {
            _ = alerts.update(Self.alert("\(number)"), now: Self.start, resolveTimeout: 300_000)
        }
        var intake = AlertIntake(alerts, now: Self.start, resolveTimeout: 300_000)
        func refusal(_ alert: Alert, isKnown: Bool) -> AlertIntake.Refusal? {
            do throws(AlertIntake.Refusal) {
                try intake.accept(alert, isKnown: isKnown)
                return nil
            } catch { return error }
        }
        #expect(refusal(Self.alert("new"), isKnown: false)?.isLimit == true)
        #expect(refusal(Self.alert("1"), isKnown: true) == nil)
        #expect(refusal(Self.alert("1", start: 1, end: Self.start), isKnown: true) == nil)
        let large = Self.alert(
            "1", annotations: Labels([("a", String(repeating: "x", count: AlertIntake.mostBytesOfOne))]))
        #expect(refusal(large, isKnown: true)?.reason.hasPrefix("alert exceeded maximum size: ") == true)
        #expect(refusal(large, isKnown: true)?.isLimit == false)
        for number in 0..<AlertIntake.most { alerts.remove(Fingerprint(Labels([("alertname", "\(number)")]))) }
        #expect(alerts.bytes == 0)
    }

    @Test("an alert is listed with one receiver for each route, and in each of its groups with all")
    func receivers() async throws {
        let time = try Timeline(
            """
            route:
              receiver: r
              routes:
                - {receiver: b, matchers: [a="1"], continue: true, group_by: [a]}
                - {receiver: a, matchers: [a="1"], continue: true}
                - {receiver: b, matchers: [a=~".+"], group_by: ['...']}
            receivers: [{name: r}, {name: b}, {name: a}]
            """)
        await time.push(at: 0, [("a", "1"), ("z", "2")])
        #expect(time.notifier.alerts().map(\.receivers) == [["b", "a", "b"]])
        let groups = time.notifier.groups()
        #expect(groups.map { "\($0.receiver) \($0.labels)" } == ["a {}", "b {a=\"1\"}", "b {a=\"1\", z=\"2\"}"])
        #expect(groups.allSatisfy { $0.alerts.map(\.receivers) == [["a", "b"]] })
    }

    @Test("a time interval mutes an alert in its group only")
    func muted() async throws {
        let time = try Timeline(
            """
            route: {receiver: r, routes: [{receiver: q, mute_time_intervals: [always], matchers: [a="1"]}]}
            receivers: [{name: r}, {name: q}]
            time_intervals: [{name: always, time_intervals: [{}]}]
            """)
        await time.push(at: 0, [("a", "1")])
        #expect(time.notifier.alerts().first?.state == .active)
        #expect(time.notifier.alerts().first?.muting.mutedBy == [])
        let alert = try #require(time.notifier.groups().first?.alerts.first)
        #expect(alert.state == .suppressed && alert.muting.mutedBy == ["always"])
    }
}
