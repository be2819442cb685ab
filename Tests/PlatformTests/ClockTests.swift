import Platform
import Synchronization
import Testing

@Suite("Clock and threads")
struct ClockTests {
    @Test("the monotonic clock does not go back")
    func monotonic() {
        let clock = SystemClock()
        var last = clock.monotonic()
        for _ in 0..<1000 {
            let now = clock.monotonic()
            #expect(now >= last)
            last = now
        }
        #expect(clock.now() > 1_700_000_000_000)
    }

    @Test("a thread runs its body and can be joined")
    func thread() throws {
        let box = Box()
        let thread = try #require(Thread.start("test-thread-name") { box.ran.store(true, ordering: .releasing) })
        thread.join()
        let ran = box.ran.load(ordering: .acquiring)
        #expect(ran)
    }

    final class Box: Sendable {
        let ran = Atomic<Bool>(false)
    }
}
