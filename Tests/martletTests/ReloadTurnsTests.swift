import Glibc
import Platform
import Synchronization
import Testing

@testable import martlet

@Suite("Turns of reloads")
struct ReloadTurnsTests {
    @Test("all who ask while a reload is under way share the next one, which begins afterwards")
    func shared() {
        let turns = ReloadTurns()
        let (gate, begun) = (TimedSemaphore(value: 0), TimedSemaphore(value: 0))
        let runs = Atomic(0)
        let outcomes = Mutex<[String?]>([])
        let ask: @Sendable () -> Void = {
            let outcome = turns.run {
                let run = runs.add(1, ordering: .relaxed).newValue
                begun.signal()
                gate.wait()
                return run == 1 ? nil : "failure \(run)"
            }
            outcomes.withLock { $0.append(outcome) }
        }
        var threads = [Thread.start("first", ask)]
        begun.wait()
        for number in 0..<50 { threads.append(Thread.start("later \(number)", ask)) }
        while turns.waiters < 49 { sched_yield() }
        gate.signal()
        begun.wait()
        #expect(turns.waiters == 0)
        // Who asks now needs another one.
        threads.append(Thread.start("last", ask))
        gate.signal()
        begun.wait()
        gate.signal()
        for thread in threads { thread?.join() }
        #expect(outcomes.withLock { $0.count { $0 == nil } } == 1)
        #expect(outcomes.withLock { $0.count { $0 == "failure 2" } } == 50)
        #expect(outcomes.withLock { $0.count { $0 == "failure 3" } } == 1)
        // Nobody is left who would have to pass the turn on.
        gate.signal()
        #expect(turns.run { nil } == nil)
    }
}
