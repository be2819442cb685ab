import Glibc
import Platform
import Synchronization
import TestSupport
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

@Suite("Threads")
struct ThreadTests {
    @Test("a thread that is forgotten leaves nothing behind")
    func forgotten() async {
        await #expect(processExitsWith: .success) {
            let counter = Counter()
            func forget(_ count: Int) {
                let end = counter.ended.load(ordering: .relaxed) + count
                for _ in stride(from: 0, to: count, by: 50) {
                    let target = counter.ended.load(ordering: .relaxed) + 50
                    for _ in 0..<50 {
                        #expect(Thread.start("forgotten") { counter.ended.add(1, ordering: .relaxed) } != nil)
                    }
                    while counter.ended.load(ordering: .relaxed) < target { sched_yield() }
                }
                #expect(counter.ended.load(ordering: .relaxed) == end)
            }
            forget(1000)
            let before = ProcessUse()
            forget(10_000)
            // Each thread that is neither joined nor detached keeps two mappings.
            #expect(ProcessUse().growth(since: before, maps: 256) == [])
        }
    }

    final class Counter: Sendable {
        let ended = Atomic(0)
    }
}
