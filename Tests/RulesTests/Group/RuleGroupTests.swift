import Config
import Model
import Platform
import Synchronization
import TestSupport
import Testing

@testable import Rules

@Suite("Rule group")
struct RuleGroupTests {
    @Test("groups are shown by file and name, whatever their order in the files")
    func order() throws {
        let fixture = RuleFixture()
        try fixture.manager.apply(
            ["f2;z", "f2;B", "f2;a", "f1;x"].map { key in
                let parts = key.split(separator: ";").map(String.init)
                return RuleGroupDefinition(file: parts[0], name: parts[1], interval: 60_000, rules: [])
            })
        #expect(fixture.manager.status().map(\.key) == ["f1;x", "f2;B", "f2;a", "f2;z"])
    }

    @Test("a recording rule writes named series, and markers for those that are gone")
    func recording() throws {
        let fixture = RuleFixture()
        try fixture.manager.apply([
            RuleFixture.group([
                RuleFixture.record(
                    "r:x", expression: "e", labels: [Label(name: "l", value: "v"), Label(name: "b", value: "")])
            ])
        ])
        fixture.set("e", [([("__name__", "m"), ("a", "1"), ("b", "2")], 5), ([("a", "2")], 6)])
        fixture.evaluate(at: 60)
        #expect(fixture.samples(at: 60) == [#"r:x{a="1", l="v"} 5"#, #"r:x{a="2", l="v"} 6"#])
        fixture.set("e", [([("a", "2")], 7)])
        fixture.evaluate(at: 120)
        #expect(fixture.samples(at: 120) == [#"r:x{a="1", l="v"} stale"#, #"r:x{a="2", l="v"} 7"#])
        fixture.evaluate(at: 180)
        #expect(fixture.samples(at: 180) == [#"r:x{a="2", l="v"} 7"#])
        #expect(fixture.rule?.health.state == .good)
    }

    @Test("a scalar is one sample, other types are an error")
    func types() throws {
        let fixture = RuleFixture()
        try fixture.manager.apply([RuleFixture.group([RuleFixture.record("r", expression: "e")])])
        fixture.set("e", result: .scalar(3))
        fixture.evaluate(at: 60)
        #expect(fixture.samples(at: 60) == ["r 3"])
        fixture.set("e", result: .other)
        fixture.evaluate(at: 120)
        #expect(fixture.rule?.health.lastError == "rule result is not a vector or scalar")
        // A failure writes nothing, markers neither.
        #expect(fixture.samples(at: 120) == [])
    }

    @Test("groups and rules whose names differ in their bytes only are two")
    func exactNames() throws {
        let names = ["\u{E9}", "e\u{301}"]
        let groups = names.map { RuleGroupDefinition(file: "f", name: $0, interval: 1000, rules: []) }
        let fixture = RuleFixture()
        try fixture.manager.apply(groups + groups)
        #expect(fixture.manager.status().count == 2)
        let text =
            "groups: [{name: g, rules: [" + names.map { "{alert: \($0), expr: x}" }.joined(separator: ", ") + "]}]"
        #expect(RuleSet.duplicates([try RuleFileLoader.parse(text: Array(text.utf8), path: "f")]).isEmpty)
    }

    @Test("results that become equal are an error")
    func duplicates() throws {
        let fixture = RuleFixture()
        try fixture.manager.apply([
            RuleFixture.group([
                RuleFixture.record("r", expression: "e"), RuleFixture.alert(labels: [Label(name: "a", value: "x")]),
            ])
        ])
        fixture.set("e", [([("__name__", "m"), ("a", "1")], 1), ([("__name__", "n"), ("a", "1")], 1)])
        fixture.evaluate(at: 60)
        let errors = fixture.manager.status()[0].rules.map(\.health.lastError)
        #expect(
            errors == [
                "vector contains metrics with the same labelset after applying rule labels",
                "vector contains metrics with the same labelset after applying alert labels",
            ])
        #expect(fixture.manager.status()[0].counts.failures == 2)
    }

    @Test("more than the limit is an error and clears the alerts")
    func limit() throws {
        let fixture = RuleFixture()
        try fixture.manager.apply([
            RuleFixture.group([RuleFixture.alert(), RuleFixture.record("r", expression: "e")], limit: 1)
        ])
        fixture.set("e", [([("a", "1")], 1)])
        fixture.evaluate(at: 60)
        #expect(fixture.rule?.alerts.count == 1)
        fixture.set("e", [([("a", "1")], 1), ([("a", "2")], 1)])
        fixture.evaluate(at: 120)
        #expect(fixture.rule?.alerts.count == 0)
        #expect(
            fixture.manager.status()[0].rules.map(\.health.lastError) == [
                "exceeded limit of 1 with 2 alerts", "exceeded limit of 1 with 2 series",
            ])
    }

    @Test("with a query offset results are stamped earlier")
    func queryOffset() throws {
        let fixture = RuleFixture()
        try fixture.manager.apply([RuleFixture.group([RuleFixture.record("r", expression: "e")], offset: 10_000)])
        fixture.set("e", [([], 1)])
        fixture.evaluate(at: 60)
        #expect(fixture.samples(at: 50) == ["r 1"])
    }

    @Test("a reload keeps the state of rules of the same name and labels, and ends the series of others")
    func reload() throws {
        let fixture = RuleFixture()
        let other = RuleFixture.record("other", expression: "e")
        try fixture.manager.apply([RuleFixture.group([RuleFixture.alert(hold: 120_000), other])])
        fixture.set("e", [([("a", "1")], 1)])
        fixture.set("f", [([("a", "1")], 1)])
        fixture.evaluate(at: 60)
        try fixture.manager.apply([RuleFixture.group([RuleFixture.alert(expression: "f", hold: 60_000)])])
        #expect(fixture.rule?.alerts.first?.activeAt == 60_000)
        fixture.evaluate(at: 120)
        #expect(fixture.rule?.state == .firing)
        #expect(fixture.samples(at: 120).contains(#"other{a="1"} stale"#))
    }

    @Test("groups are evaluated at their own moment of each interval, and missed ones are counted")
    func schedule() async throws {
        let fixture = RuleFixture(start: 1_000_000)
        fixture.set("e", [([], 1)])
        try fixture.manager.apply([RuleFixture.group([RuleFixture.record("r", expression: "e")])])
        fixture.manager.start()
        while fixture.clock.nextDeadline == nil { await Task.yield() }
        let first = try #require(fixture.clock.nextDeadline)
        let offset = Int64(Labels([("name", "g"), ("file", "f.yml")]).stableHash % 60_000_000_000 / 1_000_000)
        #expect(first > 1_000_000 && first <= 1_060_000)
        #expect(first % 60_000 == offset)
        fixture.clock.advance(to: first)
        await fixture.clock.waitForSleeper(until: first + 60_000)
        #expect(fixture.manager.status()[0].counts.iterations == 1)
        // The daemon stood still for more than three intervals.
        fixture.clock.advance(to: first + 245_000)
        await fixture.clock.waitForSleeper(until: first + 300_000)
        await fixture.manager.stop()
        let counts = fixture.manager.status()[0].counts
        #expect(counts.missed == 2)
        // Recording rules catch up, which does not count as an iteration.
        #expect(counts.iterations == 5)
        #expect(counts.evaluations == 5)
    }

    /// Evaluates a group once, lets the daemon stand still for `pause` minutes, and lets it evaluate again.
    ///
    /// - Returns: The minutes after the first evaluation with a sample of the recording rule, and with one of the alert.
    private func samplesAfterPause(
        _ pause: Int64, during: @escaping @Sendable (ManualClock) -> Void = { _ in }
    ) async throws -> (recorded: [Int64], alerts: [Int64]) {
        let fixture = RuleFixture(start: 1_000_000)
        fixture.set("e", [([], 1)])
        try fixture.manager.apply([
            RuleFixture.group([RuleFixture.record("r", expression: "e"), RuleFixture.alert()])
        ])
        fixture.manager.start()
        while fixture.clock.nextDeadline == nil { await Task.yield() }
        let first = try #require(fixture.clock.nextDeadline)
        fixture.clock.advance(to: first)
        await fixture.clock.waitForSleeper(until: first + 60_000)
        let clock = fixture.clock
        fixture.during { during(clock) }
        fixture.clock.advance(to: first + pause * 60_000 + 1000)
        while fixture.manager.status()[0].lastEvaluation < first + pause * 60_000
            || fixture.manager.status()[0].counts.iterations < Int(pause) + 1
        { await Task.yield() }
        await fixture.manager.stop()
        func minutes(_ name: String) throws -> [Int64] {
            let series = fixture.store.select(
                SelectRequest(
                    matchers: [Matcher(name: "__name__", equals: name)], minTime: first,
                    maxTime: first + (pause + 5) * 60_000))
            var columns = SampleColumns()
            guard series.count > 0 else { return [] }
            try series.read(0, into: &columns)
            return (0..<columns.count).map { (columns.timestamps[$0] - first) / 60_000 }
        }
        return (try minutes("r"), try minutes("ALERTS"))
    }

    @Test("after a pause recording rules catch up, alerting rules do not")
    func catchUp() async throws {
        let result = try await samplesAfterPause(10)
        #expect(result.recorded == Array(0...10))
        #expect(result.alerts == [0, 1, 10])
    }

    @Test("after a long pause recording rules catch up with the last hour")
    func catchUpHour() async throws {
        let result = try await samplesAfterPause(300)
        #expect(result.recorded == [0, 1] + Array(241...300))
    }

    @Test("catching up takes half an interval at most, so that alerts do not wait")
    func catchUpSlowly() async throws {
        let result = try await samplesAfterPause(20) { $0.advance(to: $0.now() + 10_000) }
        // The first evaluation after the pause, three that were missed in 30 s, and the present.
        #expect(result.recorded.filter { $0 <= 20 } == [0, 1, 2, 3, 4, 20])
    }

    @Test("a group that is always too slow does not catch up")
    func tooSlow() throws {
        var group = RuleGroup(
            try RuleGroup.Compiled(RuleFixture.group([RuleFixture.record("r", expression: "e")])),
            needsRestore: false, store: ArrayStore())
        let clock = ManualClock(now: 0)
        let environment = RuleEnvironment(
            query: { _, _, _ in
                clock.advance(to: clock.now() + 200_000)
                return .scalar(1)
            }, queryText: { _, _ in [] }, store: ArrayStore(), clock: clock)
        group.evaluate(at: 0, environment)
        #expect(group.missedTimes(after: 0, before: 180_000, now: clock.now()) == [60_000, 120_000])
        group.evaluate(at: 180_000, environment)
        #expect(group.missedTimes(after: 180_000, before: 360_000, now: clock.now()) == [])
    }

    @Test("a slow rule delays no other group")
    func slowRule() async throws {
        let fixture = RuleFixture(start: 1_000_000)
        fixture.set("e", [([], 1)])
        let gate = DispatchGate()
        try fixture.manager.apply([
            RuleFixture.group([RuleFixture.record("slow", expression: "e")], name: "slow"),
            RuleFixture.group([RuleFixture.record("fast", expression: "f")], name: "fast"),
        ])
        fixture.set("f", [([], 1)])
        fixture.during("e") { gate.wait() }
        fixture.manager.start()
        var fast = 0
        while fast < 5 {
            while fixture.clock.nextDeadline == nil { await Task.yield() }
            fixture.clock.advance(to: fixture.clock.now() + 60_000)
            while fixture.manager.status().first(where: { $0.name == "fast" })?.counts.evaluations ?? 0 <= fast {
                await Task.yield()
            }
            fast += 1
        }
        #expect(fixture.manager.status().first { $0.name == "slow" }?.counts.evaluations == 0)
        gate.open()
        await fixture.manager.stop()
    }

    @Test("readers during an evaluation get the state after the last one, and do not wait")
    func readers() async throws {
        let fixture = RuleFixture(start: 1_000_000)
        fixture.set("e", [([("a", "1")], 1)])
        try fixture.manager.apply([RuleFixture.group([RuleFixture.alert()])])
        let seen = Mutex<[Int]>([])
        let manager = fixture.manager
        fixture.during {
            let counts = manager.status().flatMap(\.rules).map(\.alerts.count)
            seen.withLock { $0 += counts }
        }
        manager.start()
        while fixture.clock.nextDeadline == nil { await Task.yield() }
        let first = try #require(fixture.clock.nextDeadline)
        for round in Int64(0)..<3 {
            fixture.clock.advance(to: first + round * 60_000)
            await fixture.clock.waitForSleeper(until: first + (round + 1) * 60_000)
        }
        await manager.stop()
        #expect(seen.withLock { $0 } == [0, 1, 1])
    }

    @Test("a group that is removed ends its series after two intervals")
    func removal() async throws {
        let fixture = RuleFixture(start: 1_000_000)
        fixture.set("e", [([], 1)])
        try fixture.manager.apply([RuleFixture.group([RuleFixture.record("r", expression: "e")])])
        fixture.manager.start()
        while fixture.clock.nextDeadline == nil { await Task.yield() }
        let first = try #require(fixture.clock.nextDeadline)
        fixture.clock.advance(to: first)
        await fixture.clock.waitForSleeper(until: first + 60_000)
        fixture.clock.advance(to: first + 1000)
        try fixture.manager.apply([])
        await fixture.clock.waitForSleeper(until: first + 121_000)
        fixture.clock.advance(to: first + 121_000)
        while fixture.samples(at: 0).isEmpty {
            let series = fixture.store.select(
                SelectRequest(matchers: [], minTime: first + 1000, maxTime: first + 1000))
            if series.count == 1 { break }
            await Task.yield()
        }
        await fixture.manager.stop()
        #expect(fixture.manager.status().isEmpty)
    }
}
