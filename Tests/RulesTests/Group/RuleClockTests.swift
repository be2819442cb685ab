import Model
import Rules
import TestSupport
import Testing

/// A wall clock that is set while groups wait and alerts are pending.
@Suite("Rules under a wall clock that is set")
struct RuleClockTests {
    static let steps: [Int64] = [
        -3_600_000, -300_000, -60_000, -45_000, 45_000, 60_000, 600_000, 3_600_000, 30 * 86_400_000,
    ]
    private static let start: Int64 = 1_700_000_000_000
    private static let interval: Int64 = 60_000

    /// Waits until the group sleeps; how long it will, ms.
    private func sleep(_ fixture: RuleFixture) async -> Int64 {
        while true {
            if let next = fixture.clock.nextDeadline { return next - fixture.clock.now() }
            await Task.yield()
        }
    }

    /// Lets `time` ms pass, with all evaluations that are due; returns how long each had been waited for.
    private func pass(_ fixture: RuleFixture, _ time: Int64) async -> [Int64] {
        var waits: [Int64] = []
        var left = time
        while true {
            let wait = await sleep(fixture)
            if wait > left { break }
            waits.append(wait)
            left -= wait
            let before = fixture.manager.status()[0].counts.evaluations
            fixture.clock.advance(to: fixture.clock.now() + wait)
            while fixture.manager.status()[0].counts.evaluations == before { await Task.yield() }
        }
        fixture.clock.advance(to: fixture.clock.now() + left)
        return waits
    }

    @Test("evaluations go on without a pause, at the moments of the new time", arguments: steps)
    func grid(_ step: Int64) async throws {
        let fixture = RuleFixture(start: Self.start)
        fixture.set("e", [([], 1)])
        try fixture.manager.apply([
            RuleFixture.group([RuleFixture.record("r", expression: "e")], interval: Self.interval)
        ])
        let offset = Int64(Labels([("name", "g"), ("file", "f.yml")]).stableHash % 60_000_000_000 / 1_000_000)
        fixture.manager.start()
        _ = await pass(fixture, 3 * Self.interval + 20_000)
        for direction in [1, -1, 1, -1] as [Int64] {
            fixture.clock.set(by: step * direction)
            let waits = await pass(fixture, 5 * Self.interval)
            #expect(waits.count >= 5, "\(waits)")
            #expect(waits.allSatisfy { $0 <= Self.interval }, "\(waits)")
            let next = fixture.clock.now() + (await sleep(fixture))
            #expect((next - offset) % Self.interval == 0, "\(next)")
            let samples = fixture.store.select(
                SelectRequest(
                    matchers: [], minTime: fixture.clock.now() - 5 * Self.interval, maxTime: fixture.clock.now()))
            #expect(samples.count == 1)
        }
        await fixture.manager.stop()
        #expect(fixture.manager.status()[0].counts.missed == 0)
    }

    @Test("an alert fires when it has been pending as long as `for` says", arguments: steps)
    func hold(_ step: Int64) async throws {
        let fixture = RuleFixture(start: Self.start)
        fixture.set("e", [([("a", "1")], 1)])
        try fixture.manager.apply([
            RuleFixture.group([RuleFixture.alert(hold: 10 * Self.interval)], interval: Self.interval)
        ])
        fixture.manager.start()
        let began = fixture.clock.monotonic()
        _ = await pass(fixture, 4 * Self.interval)
        #expect(fixture.rule?.state == .pending)
        fixture.clock.set(by: step)
        var fired: Int64?
        for _ in 0..<20 where fired == nil {
            _ = await pass(fixture, Self.interval)
            if !fixture.sink.take().isEmpty { fired = (fixture.clock.monotonic() - began) / 1_000_000 }
        }
        await fixture.manager.stop()
        let waited = try #require(fired)
        #expect(waited >= 9 * Self.interval && waited <= 13 * Self.interval, "fired after \(waited) ms")
    }

    @Test("a firing alert is sent again neither much earlier nor much later than usual", arguments: steps)
    func resend(_ step: Int64) async throws {
        let fixture = RuleFixture(start: Self.start)
        fixture.set("e", [([("a", "1")], 1)])
        try fixture.manager.apply([RuleFixture.group([RuleFixture.alert()], interval: Self.interval)])
        fixture.manager.start()
        var counts: [Int] = []
        for round in 0..<20 {
            if round == 10 { fixture.clock.set(by: step) }
            _ = await pass(fixture, 2 * Self.interval)
            let sent = fixture.sink.take()
            counts.append(sent.count)
            #expect(sent.allSatisfy { $0.endsAt > fixture.clock.now() })
        }
        await fixture.manager.stop()
        // Usually with every second evaluation.
        #expect(zip(counts, counts.dropFirst()).allSatisfy { (1...5).contains($0 + $1) }, "\(counts)")
    }
}
