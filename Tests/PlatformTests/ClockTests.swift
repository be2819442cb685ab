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
    func forgotten() throws {
        let before = ProcessUse()
        let counter = Counter()
        for _ in 0..<100 {
            for _ in 0..<50 { #expect(Thread.start("forgotten") { counter.ended.add(1, ordering: .relaxed) } != nil) }
            while counter.ended.load(ordering: .relaxed) % 50 != 0 { sched_yield() }
        }
        while counter.ended.load(ordering: .relaxed) < 5000 { sched_yield() }
        let after = ProcessUse()
        // Each thread that is neither joined nor detached keeps two mappings.
        #expect(after.maps < before.maps + 2000, "\(before.maps) → \(after.maps)")
    }

    final class Counter: Sendable {
        let ended = Atomic(0)
    }
}
