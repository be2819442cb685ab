import Glibc

/// A counting semaphore with timeouts by the monotonic clock.
///
/// The system's semaphore, and also that of Dispatch, waits until a time of the wall clock: if it is set back by an
/// hour, a wait of a fifth of a second takes an hour.
package final class TimedSemaphore: Sendable {
    private struct Parts {
        var mutex = pthread_mutex_t()
        var condition = pthread_cond_t()
        var count: Int
    }

    // SAFETY: the pointer never changes; the count is used with the mutex held, and the system's mutex and condition are
    // made for use from many threads.
    private nonisolated(unsafe) let parts: UnsafeMutablePointer<Parts>

    package init(value: Int) {
        parts = .allocate(capacity: 1)
        parts.initialize(to: Parts(count: value))
        pthread_mutex_init(&parts.pointee.mutex, nil)
        var attributes = pthread_condattr_t()
        pthread_condattr_init(&attributes)
        pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC)
        pthread_cond_init(&parts.pointee.condition, &attributes)
        pthread_condattr_destroy(&attributes)
    }

    deinit {
        pthread_cond_destroy(&parts.pointee.condition)
        pthread_mutex_destroy(&parts.pointee.mutex)
        parts.deinitialize(count: 1)
        parts.deallocate()
    }

    package func signal() {
        pthread_mutex_lock(&parts.pointee.mutex)
        parts.pointee.count += 1
        pthread_mutex_unlock(&parts.pointee.mutex)
        // The thread that wakes finds the mutex free. It may release the semaphore, so this thread keeps it.
        withExtendedLifetime(self) { _ = pthread_cond_signal(&parts.pointee.condition) }
    }

    /// Waits for a signal.
    package func wait() {
        pthread_mutex_lock(&parts.pointee.mutex)
        defer { pthread_mutex_unlock(&parts.pointee.mutex) }
        while parts.pointee.count <= 0 { pthread_cond_wait(&parts.pointee.condition, &parts.pointee.mutex) }
        parts.pointee.count -= 1
    }

    /// Waits for a signal for at most `milliseconds`; returns whether there was one.
    package func wait(milliseconds: Int64) -> Bool {
        var deadline = timespec()
        clock_gettime(CLOCK_MONOTONIC, &deadline)
        // The limit of some years suffices for every wait, and does not overflow.
        let length = Int(min(max(0, milliseconds), 1 << 40))
        deadline.tv_sec += length / 1000
        deadline.tv_nsec += length % 1000 * 1_000_000
        if deadline.tv_nsec >= 1_000_000_000 {
            deadline.tv_sec += 1
            deadline.tv_nsec -= 1_000_000_000
        }
        pthread_mutex_lock(&parts.pointee.mutex)
        defer { pthread_mutex_unlock(&parts.pointee.mutex) }
        while parts.pointee.count <= 0 {
            let result = pthread_cond_timedwait(&parts.pointee.condition, &parts.pointee.mutex, &deadline)
            if result != 0, parts.pointee.count <= 0 { return false }
        }
        parts.pointee.count -= 1
        return true
    }
}
