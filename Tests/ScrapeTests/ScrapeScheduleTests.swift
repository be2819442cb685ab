import Platform
import TestSupport
import Testing

@testable import Scrape

/// Scrapes while the wall clock is set.
@Suite struct ScrapeScheduleTests {
    @Test(arguments: 0..<20) func `No target waits longer than its interval, and all lie on the grid`(_ seed: UInt64) {
        var state = seed &+ 1
        func random(_ range: ClosedRange<Int64>) -> Int64 {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return range.lowerBound + Int64(state >> 33) % (range.upperBound - range.lowerBound + 1)
        }
        let clock = SteppingClock(now: 1_700_000_000_000)
        let interval: Int64 = 15_000
        var schedule = ScrapeSchedule<UInt64>()
        func next(_ target: UInt64) -> Int64 {
            ScrapeOffset.next(after: clock.now(), interval: interval, identity: target, seed: 0)
        }
        func moved(_ target: UInt64, _ due: Int64) -> Int64 {
            ScrapeOffset.next(after: due, interval: interval, identity: target, seed: 0) - interval
        }
        for target in 0..<UInt64(20) {
            schedule.insert(target &* 0x9E37_79B9_7F4A_7C15, due: next(target &* 0x9E37_79B9_7F4A_7C15))
        }
        schedule.observe(clock) { event, _, due in (event, due) }
        var last: [UInt64: Int64] = [:]
        for _ in 0..<2000 {
            if random(0...50) == 0 {
                clock.set(by: [-300_000, -3_600_000, 600_000, 2_592_000_000, -2_592_000_000][Int(random(0...4))])
            }
            schedule.observe(clock) { target, _, due in (target, moved(target, due)) }
            while let (due, target) = schedule.pop(at: clock.now()) {
                let now = clock.monotonic() / 1_000_000
                if let before = last[target] { #expect(now - before <= interval) }
                last[target] = now
                let phase = Int64(target % 15_000_000_000 / 1_000_000)
                #expect((due - phase) % interval == 0)
                schedule.insert(target, due: due + (max(0, clock.now() - due) / interval + 1) * interval)
            }
            clock.pass(max(1, min(1000, schedule.wait(at: clock.now()) ?? 1000)))
        }
        #expect(last.count == 20)
    }

    @Test func `What waits for a length of time goes on waiting for the rest of it`() {
        let clock = SteppingClock(now: 1_700_000_000_000)
        var schedule = ScrapeSchedule<String>()
        schedule.insert("end", due: clock.now() + 10_000)
        schedule.observe(clock) { event, _, due in (event, due) }
        clock.set(by: -3_600_000)
        schedule.observe(clock) { event, _, due in (event, due) }
        #expect(schedule.wait(at: clock.now()) == 10_000)
    }
}
