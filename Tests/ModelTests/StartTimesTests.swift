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
}
