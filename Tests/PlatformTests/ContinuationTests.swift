import Glibc
import Platform
import Synchronization
import Testing

/// What ThreadSanitizer must know of continuations, so that it reports no race where there is none: see
/// Tests/ThreadSanitizer.
@Suite("Continuations")
struct ContinuationTests {
    // SAFETY: it is written before the continuation is resumed, and read after.
    private final class Box: @unchecked Sendable {
        var value = 0
        let isResumed = Atomic(false)
    }

    @Test("a task whose continuation was resumed before the task waits for it sees what was written before")
    func early() async {
        for round in 1...100 {
            let box = Box()
            await withCheckedContinuation { continuation in
                let thread = Thread.start("resumes") {
                    box.value = round
                    continuation.resume()
                    box.isResumed.store(true, ordering: .relaxed)
                }
                if thread == nil { continuation.resume() }
                // Relaxed, and no join: neither says anything about the value.
                while thread != nil, !box.isResumed.load(ordering: .relaxed) { sched_yield() }
            }
            #expect(box.value == round)
        }
    }
}
