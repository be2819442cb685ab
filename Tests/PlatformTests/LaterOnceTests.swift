import Synchronization
import TestSupport
import Testing

@testable import Platform

@Suite("Work that is done later, once for several requests")
struct LaterOnceTests {
    @Test(.timeLimit(.minutes(1))) func `requests until the work runs are answered together`() async {
        let clock = ManualClock(now: 1000)
        let runs = Mutex(0)
        let done = TimedSemaphore(value: 0)
        let later = LaterOnce(clock: clock, delay: 5000) {
            runs.withLock { $0 += 1 }
            done.signal()
        }
        for _ in 0..<100 { later.request() }
        await clock.waitForSleeper(until: 6000)
        clock.advance(to: 5999)
        later.request()
        #expect(runs.withLock { $0 } == 0)
        clock.advance(to: 6000)
        #expect(done.wait(milliseconds: 20_000))
        // The next request starts a new wait.
        later.request()
        await clock.waitForSleeper(until: 11_000)
        #expect(runs.withLock { $0 } == 1)
        clock.advance(to: 11_000)
        #expect(done.wait(milliseconds: 20_000))
        #expect(runs.withLock { $0 } == 2)
    }

    @Test(.timeLimit(.minutes(1))) func `a request during the work runs it again`() async throws {
        let clock = ManualClock(now: 0)
        let (began, mayEnd) = (TimedSemaphore(value: 0), TimedSemaphore(value: 0))
        let later = LaterOnce(clock: clock, delay: 10) {
            began.signal()
            _ = mayEnd.wait(milliseconds: 20_000)
        }
        later.request()
        await clock.waitForSleeper(until: 10)
        clock.advance(to: 10)
        #expect(began.wait(milliseconds: 20_000))
        later.request()
        await clock.waitForSleeper(until: 20)
        mayEnd.signal()
        clock.advance(to: 20)
        #expect(began.wait(milliseconds: 20_000))
        mayEnd.signal()
    }
}
