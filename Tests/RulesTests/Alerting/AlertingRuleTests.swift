import Model
import Rules
import TestSupport
import Testing

@Suite("Alerting rule")
struct AlertingRuleTests {
    static let one: [([(String, String)], Double)] = [([("__name__", "m"), ("a", "1")], 7)]

    @Test("a rule that fails has been evaluated")
    func failing() throws {
        let fixture = RuleFixture()
        try fixture.manager.apply([RuleFixture.group([RuleFixture.alert()])])
        #expect(fixture.rule?.state == .unknown)
        fixture.evaluate(at: 0)
        #expect(fixture.rule?.health.lastError != nil)
        #expect(fixture.rule?.state == .inactive)
    }

    @Test("pending until `for` has passed, then firing, then resolved for a quarter of an hour")
    func life() throws {
        let fixture = RuleFixture()
        try fixture.manager.apply([
            RuleFixture.group([
                RuleFixture.alert(
                    labels: [Label(name: "v", value: "{{ $value }}")],
                    annotations: [Label(name: "s", value: "{{ $labels.a }} is {{ $value }}")], hold: 120_000)
            ])
        ])
        #expect(fixture.rule?.state == .unknown)
        fixture.set("e", [])
        fixture.evaluate(at: 0)
        #expect(fixture.rule?.state == .inactive)
        fixture.set("e", Self.one)
        fixture.evaluate(at: 60)
        #expect(fixture.rule?.state == .pending)
        #expect(
            fixture.samples(at: 60) == [
                #"ALERTS{a="1", alertname="A", alertstate="pending", v="7"} 1"#,
                #"ALERTS_FOR_STATE{a="1", alertname="A", v="7"} 60"#,
            ])
        fixture.evaluate(at: 120)
        #expect(fixture.sink.take().isEmpty)
        fixture.evaluate(at: 180)
        #expect(fixture.rule?.state == .firing)
        #expect(
            fixture.samples(at: 180) == [
                #"ALERTS{a="1", alertname="A", alertstate="firing", v="7"} 1"#,
                #"ALERTS{a="1", alertname="A", alertstate="pending", v="7"} stale"#,
                #"ALERTS_FOR_STATE{a="1", alertname="A", v="7"} 60"#,
            ])
        let sent = fixture.sink.take()
        #expect(sent.count == 1)
        #expect(sent.first?.labels == Labels([("a", "1"), ("alertname", "A"), ("v", "7")]))
        #expect(sent.first?.annotations == Labels([("s", "1 is 7")]))
        #expect(sent.first?.startsAt == 180_000)
        // Four times the longer of interval and resend delay.
        #expect(sent.first?.endsAt == 420_000)
        #expect(sent.first?.generatorURL == "http://here/graph?g0.expr=e&g0.tab=1")
        fixture.set("e", [])
        fixture.evaluate(at: 240)
        #expect(fixture.rule?.state == .inactive)
        #expect(fixture.sink.take().map(\.endsAt) == [240_000])
        #expect(
            fixture.samples(at: 240) == [
                #"ALERTS{a="1", alertname="A", alertstate="firing", v="7"} stale"#,
                #"ALERTS_FOR_STATE{a="1", alertname="A", v="7"} stale"#,
            ])
        var resent = 0
        for minute in Int64(5)..<40 {
            fixture.evaluate(at: minute * 60)
            resent += fixture.sink.take().count
        }
        // At most every minute-and-a-bit, for 15 minutes.
        #expect(resent == 7)
    }

    @Test("firing alerts are sent again only after the resend delay")
    func resend() throws {
        let fixture = RuleFixture()
        try fixture.manager.apply([RuleFixture.group([RuleFixture.alert()], interval: 15_000)])
        fixture.set("e", Self.one)
        var times: [Int64] = []
        for second in stride(from: Int64(15), through: 240, by: 15) {
            fixture.evaluate(at: second)
            if !fixture.sink.take().isEmpty { times.append(second) }
        }
        #expect(times == [15, 90, 165, 240])
    }

    @Test("keep_firing_for bridges gaps")
    func keepFiring() throws {
        let fixture = RuleFixture()
        try fixture.manager.apply([RuleFixture.group([RuleFixture.alert(keep: 120_000)])])
        fixture.set("e", Self.one)
        fixture.evaluate(at: 60)
        fixture.set("e", [])
        fixture.evaluate(at: 120)
        #expect(fixture.rule?.state == .firing)
        #expect(fixture.rule?.alerts.first?.keepFiringSince == 120_000)
        fixture.set("e", Self.one)
        fixture.evaluate(at: 180)
        #expect(fixture.rule?.alerts.first?.keepFiringSince == 0)
        fixture.set("e", [])
        fixture.evaluate(at: 240)
        fixture.evaluate(at: 300)
        #expect(fixture.rule?.state == .firing)
        fixture.evaluate(at: 360)
        #expect(fixture.rule?.state == .inactive)
    }

    @Test("a template that fails leaves its error as the text")
    func templateError() throws {
        let fixture = RuleFixture()
        try fixture.manager.apply([
            RuleFixture.group([RuleFixture.alert(annotations: [Label(name: "s", value: "{{ toUpper 5.0 }}")])])
        ])
        fixture.set("e", Self.one)
        fixture.evaluate(at: 60)
        #expect(
            fixture.rule?.alerts.first?.annotations["s"]
                == "<error expanding template: error executing template __alert_A: template: __alert_A:1:123: "
                + "executing \"__alert_A\" at <5.0>: expected string; found 5.0>")
    }

    @Test("a template that cannot be read is refused with label or annotation")
    func badTemplate() throws {
        let fixture = RuleFixture()
        let error = #expect(throws: RuleError.self) {
            try fixture.manager.apply([
                RuleFixture.group([RuleFixture.alert(annotations: [Label(name: "s", value: "{{ nope }}")])])
            ])
        }
        #expect(error?.description.hasPrefix("annotation \"s\": error parsing template __alert_A") == true)
    }

    // MARK: Restart

    /// Runs until an alert has been pending for some minutes, "crashes", and comes back later.
    ///
    /// - Parameter reload: Called before the state is restored.
    static func restart(
        hold: Int64, pendingMinutes: Int64, downMinutes: Int64, isBroken: Bool = false,
        reload: (RuleFixture) throws -> Void = { _ in }
    ) async throws -> RuleFixture {
        let store = ArrayStore()
        let before = RuleFixture(store: store)
        try before.manager.apply([RuleFixture.group([RuleFixture.alert(hold: hold * 60_000)])])
        before.set("e", Self.one)
        for minute in 0...pendingMinutes { before.evaluate(at: minute * 60) }
        let after = RuleFixture(
            restores: true, isBroken: isBroken, store: store, start: (pendingMinutes + downMinutes) * 60_000)
        try after.manager.apply([RuleFixture.group([RuleFixture.alert(hold: hold * 60_000)])])
        after.set("e", Self.one)
        try reload(after)
        after.manager.start()
        for _ in 0..<2 {
            while after.clock.nextDeadline == nil { await Task.yield() }
            let next = after.clock.nextDeadline ?? 0
            after.clock.advance(to: next)
            await after.clock.waitForSleeper(until: next + 60_000)
        }
        return after
    }

    @Test("after a restart a firing alert fires on, without counting from the start")
    func restoreFiring() async throws {
        let fixture = try await Self.restart(hold: 20, pendingMinutes: 25, downMinutes: 10)
        #expect(fixture.rule?.alerts.first?.activeAt == 0)
        await fixture.manager.stop()
        fixture.evaluate(at: 40 * 60)
        #expect(fixture.rule?.state == .firing)
    }

    @Test("the outage does not count towards `for`")
    func restorePending() async throws {
        let fixture = try await Self.restart(hold: 60, pendingMinutes: 10, downMinutes: 20)
        let alert = try #require(fixture.rule?.alerts.first)
        let restoredAt = fixture.manager.status()[0].lastEvaluation
        #expect(alert.state == .pending)
        #expect(alert.activeAt == restoredAt - 10 * 60_000)
        await fixture.manager.stop()
    }

    @Test("an alert that was about to fire waits the grace period")
    func restoreGrace() async throws {
        let fixture = try await Self.restart(hold: 30, pendingMinutes: 25, downMinutes: 5)
        let restoredAt = fixture.manager.status()[0].lastEvaluation
        #expect(fixture.rule?.alerts.first?.activeAt == restoredAt + 10 * 60_000 - 30 * 60_000)
        await fixture.manager.stop()
    }

    /// The series that the next evaluation writes.
    private static func nextSeries(_ fixture: RuleFixture) async -> [String] {
        await fixture.manager.stop()
        let next = (fixture.clock.now() / 60_000 + 1) * 60
        fixture.evaluate(at: next)
        return fixture.samples(at: next).compactMap { $0.split(separator: "{").first.map(String.init) }
    }

    @Test("a reload before the state is restored does not prevent that")
    func restoreAfterReload() async throws {
        let fixture = try await Self.restart(hold: 60, pendingMinutes: 10, downMinutes: 20) { fixture in
            try fixture.manager.apply([
                RuleFixture.group([
                    RuleFixture.alert(hold: 60 * 60_000), RuleFixture.record("r", expression: "e"),
                ])
            ])
        }
        let restoredAt = fixture.manager.status()[0].lastEvaluation
        #expect(fixture.rule?.alerts.first?.activeAt == restoredAt - 10 * 60_000)
        #expect(Set(await Self.nextSeries(fixture)) == ["ALERTS", "ALERTS_FOR_STATE", "r"])
    }

    @Test("an alert whose state cannot be read begins again, and its series are written")
    func restoreBroken() async throws {
        let fixture = try await Self.restart(hold: 60, pendingMinutes: 10, downMinutes: 20, isBroken: true)
        #expect(fixture.rule?.alerts.first?.state == .pending)
        #expect(Set(await Self.nextSeries(fixture)) == ["ALERTS", "ALERTS_FOR_STATE"])
    }

    @Test("after an outage longer than the tolerance counting begins anew")
    func restoreTooLate() async throws {
        let fixture = try await Self.restart(hold: 20, pendingMinutes: 25, downMinutes: 70)
        #expect((fixture.rule?.alerts.first?.activeAt ?? 0) > 95 * 60_000)
        await fixture.manager.stop()
    }
}
