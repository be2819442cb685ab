import JSON
import Model
import Platform
import Synchronization
import TestSupport
import Testing

@testable import Notify

/// Why receivers were or were not notified, in scripted situations.
@Suite("Explanations of alerts")
struct AlertExplanationTests {
    private static func kinds(_ time: Timeline, _ name: String = "1") throws -> [ExplanationStep.Kind] {
        try steps(time, name).map(\.kind)
    }

    private static func steps(_ time: Timeline, _ name: String = "1") throws -> [ExplanationStep] {
        let found = time.notifier.explanations(of: [Matcher(name: "a", equals: name)], limit: 10)
        return try #require(found.first).steps
    }

    private static func step(_ kind: ExplanationStep.Kind, _ time: Timeline) throws -> ExplanationStep {
        try #require(try steps(time).first { $0.kind == kind })
    }

    private static func detail(_ step: ExplanationStep, _ key: String) -> JSONValue? {
        step.details.last { $0.key == key }?.value
    }

    @Test("silenced: the silence, its author and its end")
    func silenced() async throws {
        let time = try Timeline(NotifierTests.configuration)
        let id = try time.notifier.setSilence(
            Silence(
                matchers: [Matcher(name: "a", equals: "1")], startsAt: Timeline.start, endsAt: Timeline.time(7200),
                createdBy: "me", comment: "works"))
        await time.push(at: 0, [("a", "1")])
        #expect(await time.received(until: 60) == [])
        #expect(try Self.kinds(time) == [.firing, .defaultRoute, .group, .silenced])
        let step = try Self.step(.silenced, time)
        #expect(Self.detail(step, "silence")?.string == id)
        #expect(step.sentence == "It is silenced until 2023-11-15T00:13:20Z by the silence \(id) of me: works.")
        let changes = try #require(time.notifier.explanations(of: [], limit: 1).first).changes
        #expect(changes.map(\.state) == [.silenced] && changes.map(\.causes) == [[id]])
        // The end of the silence is a change as well.
        try time.notifier.expireSilence(id)
        await time.push(at: 250, [("a", "1")])
        #expect(await time.received(until: 340) == ["330: +1"])
        #expect(try Self.kinds(time) == [.firing, .defaultRoute, .group, .notified, .repeats])
    }

    @Test("inhibited: the alert that inhibits")
    func inhibited() async throws {
        let time = try Timeline(
            NotifierTests.configuration + """

                inhibit_rules: [{source_matchers: [severity=critical], target_matchers: [severity=warning]}]
                """)
        await time.push(at: 0, [("a", "2"), ("severity", "critical")])
        await time.push(at: 1, [("a", "1"), ("severity", "warning")])
        #expect(await time.received(until: 60) == ["30: +2"])
        #expect(try Self.kinds(time) == [.firing, .defaultRoute, .group, .inhibited])
        let step = try Self.step(.inhibited, time)
        let source = Fingerprint(Labels([("a", "2"), ("severity", "critical")])).description
        #expect(Self.detail(step, "inhibitedBy")?.array?.map(\.string) == [source])
        #expect(step.sentence.contains(#"{a="2", severity="critical"} (\#(source))"#), "\(step.sentence)")
    }

    @Test("muted: the time interval, whether it mutes or is not active")
    func muted() async throws {
        // The timeline begins at 22:13:20 UTC.
        let time = try Timeline(
            """
            route:
              receiver: team
              group_wait: 10s
              routes:
                - {receiver: team, matchers: [a=1], mute_time_intervals: [late]}
                - {receiver: team, matchers: [a=2], active_time_intervals: [early]}
            receivers: [{name: team, webhook_configs: [{url: 'http://hook'}]}]
            time_intervals:
              - {name: late, time_intervals: [{times: [{start_time: '22:00', end_time: '23:00'}]}]}
              - {name: early, time_intervals: [{times: [{start_time: '02:00', end_time: '03:00'}]}]}
            """)
        await time.push(at: 0, [("a", "1")])
        await time.push(at: 0, [("a", "2")])
        #expect(await time.received(until: 60) == [])
        #expect(try Self.kinds(time) == [.firing, .route, .group, .muted])
        #expect(try Self.step(.muted, time).sentence == "The route is muted by the time intervals late.")
        #expect(Self.detail(try Self.step(.route, time), "route")?.string == #"{}/{a="1"}"#)
        #expect(try Self.kinds(time, "2") == [.firing, .route, .group, .outsideActiveTime])
    }

    @Test("grouped: the group waits, and for how long")
    func waiting() async throws {
        let time = try Timeline(NotifierTests.configuration)
        await time.push(at: 0, [("a", "1")])
        await time.run(until: 10)
        #expect(try Self.kinds(time) == [.firing, .defaultRoute, .group, .waiting])
        #expect(
            try Self.step(.waiting, time).sentence
                == "The group waits to notify team/webhook/0 until 2023-11-14T22:13:50Z.")
        #expect(await time.received(until: 60) == ["30: +1"])
        await time.push(at: 70, [("a", "2")])
        #expect(try Self.kinds(time, "2").last == .waiting)
    }

    @Test("repeated: the last notification, and the flush that repeats it")
    func repeats() async throws {
        let time = try Timeline(NotifierTests.configuration)
        for minute in 0..<10 { await time.push(at: Double(minute * 60), [("a", "1")]) }
        #expect(await time.received(until: 560) == ["30: +1"])
        #expect(try Self.kinds(time) == [.firing, .defaultRoute, .group, .notified, .repeats])
        #expect(Self.detail(try Self.step(.notified, time), "time")?.string == "2023-11-14T22:13:50Z")
        #expect(Self.detail(try Self.step(.notified, time), "reason")?.string == "first notification")
        let next = try #require(Self.detail(try Self.step(.repeats, time), "time")?.string)
        for minute in 10..<70 { await time.push(at: Double(minute * 60), [("a", "1")]) }
        #expect(await time.received(until: 4140) == ["3930: +1"])
        #expect(next == "2023-11-14T23:18:50Z")
    }

    @Test("refused: the answer of the receiver, and the next try")
    func refused() async throws {
        let time = try Timeline(NotifierTests.configuration)
        time.transport.answer([404])
        await time.push(at: 0, [("a", "1")])
        #expect(await time.received(until: 60) == ["30: +1"])
        #expect(try Self.kinds(time) == [.firing, .defaultRoute, .group, .refused, .waiting])
        let step = try Self.step(.refused, time)
        #expect(Self.detail(step, "status")?.number == 404)
        #expect(step.sentence.contains("refused the notification at 2023-11-14T22:13:50Z: unexpected status code 404."))
        #expect(Self.detail(try Self.step(.waiting, time), "time")?.string == "2023-11-14T22:18:50Z")
        await time.push(at: 61, [("a", "1")])
        #expect(await time.received(until: 340) == ["330: +1"])
        #expect(try Self.kinds(time) == [.firing, .defaultRoute, .group, .notified, .repeats])
        let changes = try #require(time.notifier.explanations(of: [], limit: 1).first).changes
        #expect(changes.map(\.state) == [.failed, .notified])
    }

    @Test("retried: the attempt that succeeded, and the errors before it")
    func retried() async throws {
        let time = try Timeline(NotifierTests.configuration)
        time.transport.answer([500, 503])
        await time.push(at: 0, [("a", "1")])
        #expect(await time.received(until: 60).count == 3)
        #expect(try Self.kinds(time) == [.firing, .defaultRoute, .group, .notified, .retried, .repeats])
        #expect(
            try Self.step(.retried, time).sentence == "Attempt 3 succeeded; before that: unexpected status code 503.")
        let log = try #require(time.notifier.deliveries().first).log
        #expect(log.map(\.status) == [500, 503, 200])
        #expect(log.map(\.outcome) == [.failed, .failed, .accepted])
        #expect(log.map { $0.time - Timeline.start } == [30_000, 30_500, 31_250])
    }

    @Test("a delivery that is tried again says so while it lasts, and has failed afterwards")
    func retrying() async throws {
        let clock = ManualClock(now: Timeline.start, jumps: true)
        let made = Mutex<Notifier?>(nil)
        let seen = Mutex<[ExplanationStep.Kind]>([])
        let calls = Mutex(0)
        let transport = AnsweringTransport { _ in
            let count = calls.withLock { count in
                count += 1
                return count
            }
            if count == 3, let notifier = made.withLock({ $0 }) {
                let steps = notifier.explanations(of: [], limit: 1).first?.steps ?? []
                seen.withLock { $0 = steps.map(\.kind) }
            }
            return .text("down", status: 500)
        }
        let notifier = try Notifier(
            settings: try Timeline.settings(NotifierTests.configuration, transport), ledger: nil, clock: clock,
            externalURL: "http://here", random: { 0.5 })
        made.withLock { $0 = notifier }
        notifier.send([Alert(labels: Labels([("a", "1")]), startsAt: Timeline.start)])
        _ = notifier.step(at: clock.now())
        clock.advance(to: Timeline.time(30))
        _ = notifier.step(at: clock.now())
        await notifier.settle()
        #expect(seen.withLock { $0 } == [.firing, .defaultRoute, .group, .retrying])
        let delivery = try #require(notifier.deliveries().first)
        #expect(delivery.outcome == .failed && delivery.attempts > DeliveryAttempt.kept)
        #expect(delivery.log.count == DeliveryAttempt.kept)
        #expect(delivery.log.first?.time == Timeline.time(30))
        #expect(delivery.log.last.map { $0.time > Timeline.time(200) } ?? false)
        #expect(delivery.log.allSatisfy { $0.answer == "down" })
        made.withLock { $0 = nil }
    }

    @Test("a receiver without integrations: nobody gets the notifications")
    func unread() async throws {
        let time = try Timeline(
            """
            route: {receiver: team, group_wait: 5s, routes: [{receiver: nobody, matchers: [a=1]}]}
            receivers: [{name: team, webhook_configs: [{url: 'http://hook'}]}, {name: nobody}]
            """)
        await time.push(at: 0, [("a", "1")])
        #expect(await time.received(until: 60) == [])
        #expect(try Self.kinds(time) == [.firing, .route, .group, .noIntegrations])
        let changes = try #require(time.notifier.explanations(of: [], limit: 1).first).changes
        #expect(changes.map(\.state) == [.unread])
    }

    @Test("an alert that nobody has sent is not explained")
    func noMatch() async throws {
        let time = try Timeline(NotifierTests.configuration)
        await time.push(at: 0, [("a", "1")])
        #expect(time.notifier.explanations(of: [Matcher(name: "a", equals: "2")], limit: 10).isEmpty)
    }

    @Test("not firing: resolved before or after a notification, and long ago")
    func resolved() async throws {
        let folder = try TemporaryFolder()
        let time = try Timeline(NotifierTests.configuration, folder: folder.path)
        await time.push(at: 0, [("a", "2")])
        await time.push(at: 1, [("a", "1")])
        await time.push(at: 20, [("a", "1")], resolved: true)
        #expect(await time.received(until: 31) == ["30: -1 +2"])
        await time.push(at: 40, [("a", "3")])
        await time.push(at: 50, [("a", "3")], resolved: true)
        await time.push(at: 100, [("a", "2")], resolved: true)
        #expect(try Self.kinds(time, "2") == [.resolved, .defaultRoute, .group, .waiting])
        #expect(await time.received(until: 340) == ["330: -2 -3"])
        #expect(try Self.kinds(time, "2") == [.resolved, .defaultRoute, .group, .resolutionNotified])
        await time.push(at: 400, [("a", "4")])
        await time.push(at: 410, [("a", "4")], resolved: true)
        #expect(await time.received(until: 500) == [])
        #expect(try Self.kinds(time, "4") == [.resolved, .defaultRoute, .group, .resolvedBeforeNotified])
        // Later only the ledger knows them, also after a compaction.
        await time.run(until: 2000)
        #expect(time.notifier.alerts().isEmpty)
        for _ in 0..<2 {
            #expect(try Self.kinds(time, "2") == [.resolved, .notified, .resolutionNotified])
            #expect(try Self.kinds(time, "4") == [.resolved, .resolvedBeforeNotified])
            let past = try #require(time.notifier.explanations(of: [Matcher(name: "a", equals: "2")], limit: 1).first)
            #expect(past.state == .past && past.endsAt == Timeline.time(100))
            let (ledger, state) = try Ledger.open(folder: folder.path, RealFileSystem())
            try ledger.compact(state)
            try time.crashAndRestart()
        }
    }

    @Test("without send_resolved the end is not told")
    func silentEnd() async throws {
        let time = try Timeline(
            NotifierTests.configuration.replacing("'http://hook'", with: "'http://hook', send_resolved: false"))
        await time.push(at: 0, [("a", "1")])
        #expect(await time.received(until: 60) == ["30: +1"])
        await time.push(at: 100, [("a", "1")], resolved: true)
        #expect(await time.received(until: 340) == [])
        #expect(try Self.kinds(time).last == .resolutionNotSent)
        await time.run(until: 2000)
        #expect(try Self.kinds(time) == [.resolved, .notified, .resolutionNotSent])
    }
}
