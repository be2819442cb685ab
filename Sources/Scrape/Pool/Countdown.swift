import Glibc
import Synchronization

/// Waits until a number of things have happened.
final class Countdown: Sendable {
    private let left: Atomic<Int>
    // SAFETY: a POSIX semaphore may be used from all threads; it lives as long as whoever counts or waits.
    nonisolated(unsafe) private let signal = UnsafeMutablePointer<sem_t>.allocate(capacity: 1)

    init(_ count: Int) {
        left = Atomic(count)
        sem_init(signal, 0, 0)
    }

    deinit {
        sem_destroy(signal)
        signal.deallocate()
    }

    func countDown() {
        if left.subtract(1, ordering: .acquiringAndReleasing).newValue == 0 { sem_post(signal) }
    }

    /// Returns when all have happened.
    func wait() { while sem_wait(signal) != 0 {} }
}
