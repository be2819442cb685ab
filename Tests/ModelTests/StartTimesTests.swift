import TestSupport
import Testing

@testable import Model

@Suite struct StartTimesTests {
    @Test func `steps are what changes`() {
        var starts = StartTimes()
        starts.append(0, from: 5)
        #expect(starts.isEmpty)
        starts.append(7, from: 10)
        starts.append(7, from: 20)
        starts.append(0, from: 30)
        #expect(starts.steps == [.init(time: 10, start: 7), .init(time: 30, start: 0)])
        #expect([9, 10, 29, 30].map { starts.start(at: $0) } == [0, 7, 7, 0])
        starts.forget(before: 15)
        #expect(starts.start(at: 15) == 7)
        starts.forget(before: 31)
        #expect(starts.isEmpty)
    }

    @Test(arguments: 0..<200) func `any order of samples gives what each sample said`(seed: Int) {
        var random = SeededRandom(seed: SeededRandom.runSeed &+ UInt64(seed))
        var starts = StartTimes()
        var said: [Int64: Int64] = [:]
        var newest: Int64 = 0
        for _ in 0..<40 {
            let start = [0, 3, 4][Int.random(in: 0..<3, using: &random)] as Int64
            if Bool.random(using: &random) || newest < 3 {
                newest += Int64.random(in: 1...3, using: &random)
                starts.append(start, from: newest)
                said[newest] = start
            } else {
                let late = Int64.random(in: 1..<newest, using: &random)
                guard said[late] == nil else { continue }
                starts.set(start, at: late)
                said[late] = start
            }
        }
        for (time, start) in said { #expect(starts.start(at: time) == start) }
        for (a, b) in zip(starts.steps, starts.steps.dropFirst()) { #expect(a.time < b.time && a.start != b.start) }
        let part = starts.part(from: newest / 3, to: newest / 2)
        for (time, start) in said where time >= newest / 3 && time <= newest / 2 {
            #expect(part.start(at: time) == start)
        }
    }

    /// A change of one sample in a list of steps, in the simplest way.
    private static func set(_ start: Int64, at time: Int64, in steps: inout [StartTimes.Step]) {
        func value(at time: Int64) -> Int64 { steps.last { $0.time <= time }?.start ?? 0 }
        let (before, own, rest) = (value(at: time - 1), value(at: time), steps.filter { $0.time > time + 1 })
        let next = steps.first { $0.time == time + 1 }?.start ?? own
        let kept = steps.filter { $0.time < time }
        steps = kept
        var last = before
        for step in [StartTimes.Step(time: time, start: start), .init(time: time + 1, start: next)] + rest
        where step.start != last {
            steps.append(step)
            last = step.start
        }
    }

    @Test(arguments: 0..<6) func `thousands of late samples equal a list of steps`(seed: Int) {
        var random = SeededRandom(seed: SeededRandom.runSeed &+ UInt64(seed))
        var starts = StartTimes()
        var steps: [StartTimes.Step] = []
        for _ in 0..<1500 {
            let start = Int64.random(in: 0...3, using: &random)
            let time = Int64.random(in: -2000...2000, using: &random)
            switch Int.random(in: 0..<1000, using: &random) {
            case 0:
                starts.append(start, from: time)
                steps.removeAll { $0.time >= time }
                if start != steps.last?.start ?? 0 { steps.append(.init(time: time, start: start)) }
            case 1:
                starts.forget(before: time - 1500)
                let own = steps.last { $0.time <= time - 1500 }
                steps.removeAll { $0.time < own?.time ?? .min || $0 == own && $0.start == 0 }
            default:
                starts.set(start, at: time)
                Self.set(start, at: time, in: &steps)
            }
            #expect(starts.start(at: time) == (steps.last { $0.time <= time }?.start ?? 0))
        }
        #expect(starts.steps == steps)
        let part = starts.part(from: -100, to: 100)
        for time: Int64 in -100...100 { #expect(part.start(at: time) == starts.start(at: time)) }
        var joined = StartTimes()
        joined.append(9, from: -50_000)
        joined.append(starts, from: 7)
        for time: Int64 in 7...2001 { #expect(joined.start(at: time) == starts.start(at: time)) }
        #expect(joined.start(at: 6) == 9)
    }

    @Test func `a change at the last possible time changes nothing before`() {
        var starts = StartTimes()
        starts.append(7, from: 1)
        starts.set(3, at: .max)
        #expect(starts.start(at: .max) == 3 && starts.start(at: .max - 1) == 7)
    }
}
