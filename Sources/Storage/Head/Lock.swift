import Glibc

/// A mutual exclusion that several of can be held at once, taken and released in any order.
///
/// `Mutex` ties the lock to a closure; a commit that touches series of several groups holds their locks together.
final class Lock: Sendable {
    // SAFETY: the pointer never changes, and the system's mutex is made for use from many threads.
    private nonisolated(unsafe) let mutex: UnsafeMutablePointer<pthread_mutex_t>

    init() {
        mutex = .allocate(capacity: 1)
        mutex.initialize(to: pthread_mutex_t())
        pthread_mutex_init(mutex, nil)
    }

    deinit {
        pthread_mutex_destroy(mutex)
        mutex.deallocate()
    }

    func lock() { pthread_mutex_lock(mutex) }

    func unlock() { pthread_mutex_unlock(mutex) }

    /// Hands the system's mutex to a condition that waits with it.
    func withMutex(_ body: (UnsafeMutablePointer<pthread_mutex_t>) -> Void) { body(mutex) }

    func withLock<R, E: Error>(_ body: () throws(E) -> R) throws(E) -> R {
        lock()
        defer { unlock() }
        return try body()
    }
}
