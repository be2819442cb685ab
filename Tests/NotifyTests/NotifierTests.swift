import Model
import Notify
import Synchronization
import Telemetry
import TestSupport
import Testing

@Suite("Notifier")
struct NotifierTests {
    static let configuration = """
        route:
          receiver: team
          group_by: [g]
          group_wait: 30s
          group_interval: 5m
          repeat_interval: 1h
        receivers:
          - name: team
            webhook_configs: [{url: 'http://hook'}]
        """

    @Test("a group waits, gathers, and tells new alerts with the next flush")
    func grouping() async throws {
        let time = try Timeline(Self.configuration)
        await time.push(at: 0, [("a", "1")])
        await time.push(at: 20, [("a", "2")])
        #expect(await time.received(until: 29) == [])
        #expect(await time.received(until: 60) == ["30: +1 +2"])
        await time.push(at: 90, [("a", "1")])
        await time.push(at: 91, [("a", "2")])
        await time.push(at: 100, [("a", "3")])
        #expect(await time.received(until: 329) == [])
        #expect(await time.received(until: 331) == ["330: +1 +2 +3"])
    }

    @Test("groups of other labels are told on their own")
    func separateGroups() async throws {
        let time = try Timeline(Self.configuration)
        await time.push(at: 0, [("a", "1"), ("g", "x")])
        await time.push(at: 10, [("a", "2"), ("g", "y")])
        #expect(await time.received(until: 60) == ["30: +1", "40: +2"])
    }

    @Test("a resolution is told with the next flush, and not again")
    func resolved() async throws {
        let time = try Timeline(Self.configuration)
        await time.push(at: 0, [("a", "1")])
        await time.push(at: 100, [("a", "1")], resolved: true)
        #expect(await time.received(until: 1000) == ["30: +1", "330: -1"])
        await time.push(at: 1001, [("a", "1")], resolved: true)
        #expect(await time.received(until: 3000) == [])
        #expect(time.notifier.groups().isEmpty)
    }

    @Test("an alert that came and went within the group's wait is told to nobody")
    func shortLived() async throws {
        let time = try Timeline(Self.configuration)
        await time.push(at: 0, [("a", "1")])
        await time.push(at: 20, [("a", "1")], resolved: true)
        #expect(await time.received(until: 4000) == [])
    }

    @Test("what keeps firing is told again after the repeat interval")
    func repeats() async throws {
        let time = try Timeline(Self.configuration)
        for minute in 0..<130 { await time.push(at: Double(minute * 60), [("a", "1")]) }
        // Flushes are at 30 s + n · 5 min; the first one more than an hour after the last notification tells.
        #expect(await time.received(until: 7800) == ["30: +1", "3930: +1"])
    }

    @Test("an alert that nobody sends any more is resolved after resolve_timeout")
    func timesOut() async throws {
        let time = try Timeline("global: {resolve_timeout: 2m}\n" + Self.configuration)
        await time.push(at: 0, [("a", "1")])
        #expect(await time.received(until: 1000) == ["30: +1", "330: -1"])
    }

    @Test("without send_resolved nothing is sent, but the log forgets, so that the next fire is told")
    func sendResolvedOff() async throws {
        let quiet = Self.configuration.replacing(
            "{url: 'http://hook'}", with: "{url: 'http://hook', send_resolved: false}")
        let time = try Timeline(quiet)
        await time.push(at: 0, [("a", "1")])
        await time.push(at: 100, [("a", "1")], resolved: true)
        #expect(await time.received(until: 400) == ["30: +1"])
        await time.push(at: 401, [("a", "1")])
        #expect(await time.received(until: 500) == ["431: +1"])
    }

    @Test("failures are retried with growing pauses until the answer is good")
    func retries() async throws {
        let time = try Timeline(Self.configuration)
        time.transport.answer([500, 502, 0, 503])
        await time.push(at: 0, [("a", "1")])
        #expect(
            await time.received(until: 60) == ["30: +1", "30.5: +1", "31.25: +1", "32.375: +1", "34.062: +1"])
        let delivery = try #require(time.notifier.deliveries().first)
        #expect(delivery.outcome == .delivered && delivery.attempts == 5 && delivery.status == 200)
    }

    @Test("each reason of a failed attempt is logged once, with the attempt, and so is the success after it")
    func retriesAreLogged() async throws {
        let lines = Mutex<[String]>([])
        try await Log.$listener.withValue({ line in lines.withLock { $0.append(line) } }) {
            let time = try Timeline(Self.configuration)
            time.transport.answer([500, 500, 503, 503])
            await time.push(at: 0, [("a", "1")])
            _ = await time.received(until: 60)
        }
        let told = lines.withLock { $0 }.map { line in
            [
                "level=WARN", "level=INFO", "attempts=1 ", "attempts=3 ", "attempts=5 ", "status code 500",
                "status code 503",
            ]
            .filter(line.contains)
        }
        #expect(
            told == [
                ["level=WARN", "attempts=1 ", "status code 500"], ["level=WARN", "attempts=3 ", "status code 503"],
                ["level=INFO", "attempts=5 ", "status code 503"],
            ])
    }

    @Test("a refusal is final until the next flush", arguments: [400, 404, 429, 302])
    func refusal(status: Int) async throws {
        let time = try Timeline(Self.configuration)
        time.transport.answer([status])
        await time.push(at: 0, [("a", "1")])
        #expect(await time.received(until: 200) == ["30: +1"])
        await time.push(at: 201, [("a", "1")])
        #expect(await time.received(until: 400) == ["330: +1"])
        #expect(time.notifier.deliveries().map(\.outcome) == [.delivered, .failed])
        #expect(time.notifier.deliveries().last?.error == "unexpected status code \(status)")
    }

    @Test("retries end when the next flush takes over")
    func retriesEnd() async throws {
        let time = try Timeline(Self.configuration)
        time.transport.answer([Int](repeating: 500, count: 200))
        await time.push(at: 0, [("a", "1")])
        let calls = await time.received(until: 329).count
        #expect(calls > 10 && calls < 30)
        #expect(time.notifier.deliveries().first?.outcome == .failed)
    }

    @Test("a crash between firing and resolved loses neither")
    func crash() async throws {
        let folder = try TemporaryFolder()
        let time = try Timeline(Self.configuration, folder: folder.path)
        await time.push(at: 0, [("a", "1")])
        #expect(await time.received(until: 60) == ["30: +1"])
        try time.crashAndRestart()
        // Not told again: the ledger remembers.
        await time.push(at: 120, [("a", "1")])
        #expect(await time.received(until: 200) == [])
        #expect(time.notifier.alerts().count == 1)
        await time.push(at: 201, [("a", "1")], resolved: true)
        try time.crashAndRestart()
        #expect(await time.received(until: 1000) == ["201: -1"])
        try time.crashAndRestart()
        #expect(await time.received(until: 2000) == [])
        #expect(time.notifier.deliveries().count == 2)
    }

    @Test("a crash before the delivery loses nothing")
    func crashBeforeDelivery() async throws {
        let folder = try TemporaryFolder()
        let time = try Timeline(Self.configuration, folder: folder.path)
        await time.push(at: 0, [("a", "1")])
        await time.run(until: 10)
        try time.crashAndRestart()
        #expect(await time.received(until: 100) == ["40: +1"])
    }

    @Test("time in which nobody ran does not resolve alerts")
    func downtime() async throws {
        let folder = try TemporaryFolder()
        let time = try Timeline(Self.configuration, folder: folder.path)
        await time.push(at: 0, [("a", "1")])
        #expect(await time.received(until: 60) == ["30: +1"])
        time.clock.advance(to: Timeline.time(3000))
        try time.crashAndRestart()
        #expect(await time.received(until: 3200) == [])
        // Its rule does not send it any more: resolved as long after the start as it had left.
        #expect(await time.received(until: 3700) == ["3300: -1"])
    }

    @Test("silenced alerts are told when the silence ends")
    func silence() async throws {
        let time = try Timeline(Self.configuration)
        let id = try time.notifier.setSilence(
            Silence(
                matchers: [try Matcher("a", .regex, "1|2")], startsAt: Timeline.start,
                endsAt: Timeline.time(7200), createdBy: "me", comment: "c"))
        await time.push(at: 0, [("a", "1")])
        #expect(await time.received(until: 100) == [])
        #expect(time.notifier.alerts().first?.state == .suppressed)
        #expect(time.notifier.alerts().first?.muting.silencedBy == [id])
        await time.push(at: 200, [("a", "1")])
        try time.notifier.expireSilence(id)
        #expect(await time.received(until: 400) == ["330: +1"])
    }

    @Test("silences survive a crash")
    func silenceSurvives() async throws {
        let folder = try TemporaryFolder()
        let time = try Timeline(Self.configuration, folder: folder.path)
        let id = try time.notifier.setSilence(
            Silence(
                matchers: [Matcher(name: "a", equals: "1")], startsAt: Timeline.start,
                endsAt: Timeline.time(7200)))
        try time.crashAndRestart()
        #expect(time.notifier.silences().map(\.id) == [id])
    }

    @Test("inhibited alerts are not told while their source fires")
    func inhibition() async throws {
        let time = try Timeline(
            Self.configuration + """

                inhibit_rules:
                  - source_matchers: [severity=critical]
                    target_matchers: [severity=warning]
                    equal: [host]
                """)
        await time.push(at: 0, [("a", "1"), ("severity", "critical"), ("host", "x")])
        await time.push(at: 1, [("a", "2"), ("severity", "warning"), ("host", "x")])
        await time.push(at: 2, [("a", "3"), ("severity", "warning"), ("host", "y")])
        #expect(await time.received(until: 60) == ["30: +1 +3"])
    }

    @Test("a mute time interval holds back, and an active one lets through only inside")
    func intervals() async throws {
        // The timeline begins at 22:13:20 UTC.
        let time = try Timeline(
            """
            route:
              receiver: team
              group_wait: 10s
              group_interval: 5m
              routes:
                - {receiver: night, matchers: [a=n], mute_time_intervals: [late]}
                - {receiver: day, matchers: [a=d], active_time_intervals: [late]}
            receivers:
              - {name: team}
              - {name: night, webhook_configs: [{url: 'http://night'}]}
              - {name: day, webhook_configs: [{url: 'http://day'}]}
            time_intervals:
              - name: late
                time_intervals: [{times: [{start_time: '22:00', end_time: '22:20'}]}]
            """)
        for second in stride(from: 0.0, to: 600, by: 60) {
            await time.push(at: second, [("a", "n")])
            await time.push(at: second, [("a", "d")])
        }
        // 22:20 is after 400 s.
        #expect(await time.received(until: 700) == ["10: +d", "610: +n"])
    }

    @Test("children inherit, continue goes on to the next, and no match means the parent")
    func routing() async throws {
        let time = try Timeline(
            """
            route:
              receiver: root
              group_wait: 5s
              routes:
                - receiver: one
                  match: {a: '1'}
                  continue: true
                - match_re: {a: '1|2'}
                  group_by: ['...']
                  routes: [{receiver: two, matchers: ['a=2']}]
            receivers:
              - {name: root, webhook_configs: [{url: 'http://root'}]}
              - {name: one, webhook_configs: [{url: 'http://one'}]}
              - {name: two, webhook_configs: [{url: 'http://two'}]}
            """)
        for a in ["1", "2", "3"] { await time.push(at: 0, [("a", a)]) }
        await time.run(until: 10)
        let calls = time.transport.takeCalls().map { call in
            let a = call.body.firstMatch(of: #/"labels":\{"a":"(.)"/#)?.output.1 ?? "?"
            return "\(call.url) \(a)"
        }
        #expect(calls.sorted() == ["http://one 1", "http://root 1", "http://root 3", "http://two 2"])
    }

    @Test("a reload keeps what was told and the rhythm of the groups")
    func reload() async throws {
        let time = try Timeline(Self.configuration)
        await time.push(at: 0, [("a", "1")])
        #expect(await time.received(until: 60) == ["30: +1"])
        try time.reload(Self.configuration)
        #expect(await time.received(until: 100) == [])
        await time.push(at: 101, [("a", "1")], resolved: true)
        #expect(await time.received(until: 1000) == ["330: -1"])
    }

    @Test("the loop of its own wakes for what is due")
    func loop() async throws {
        let clock = ManualClock(now: Timeline.start)
        let time = try Timeline(Self.configuration, clock: clock)
        time.notifier.start()
        time.notifier.send([Alert(labels: Labels([("a", "1")]), startsAt: Timeline.start)])
        // Maintenance and the group are due at the same moment.
        while time.notifier.groups().isEmpty { await Task.yield() }
        await clock.waitForSleeper(until: Timeline.time(30))
        #expect(time.transport.calls.isEmpty)
        clock.advance(to: Timeline.time(30))
        while time.notifier.deliveries().isEmpty { await Task.yield() }
        await time.notifier.stop()
        #expect(time.transport.calls.map(\.time) == [Timeline.time(30)])
    }
}
