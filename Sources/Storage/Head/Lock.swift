import Glibc
import Synchronization

/// A mutual exclusion lock; a thread may hold several at the same time, and take and release them in any order.
///
/// `Mutex` ties a lock to a closure, but a commit that touches series of several groups holds all their locks together.
/// A debug build records which thread holds the lock, and stops if it is not held where it is needed: see
/// ``assertHeld()``.
final class Lock: Sendable {
    // SAFETY: the pointer never changes, and the system's mutex may be used by many threads.
    private nonisolated(unsafe) let mutex: UnsafeMutablePointer<pthread_mutex_t>
    #if DEBUG
        /// The system's number of the thread that holds the lock; 0 if there is none.
        private let owner = Atomic<UInt>(0)
    #endif

    init() {
        mutex = .allocate(capacity: 1)
        mutex.initialize(to: pthread_mutex_t())
        pthread_mutex_init(mutex, nil)
    }

    deinit {
        pthread_mutex_destroy(mutex)
        mutex.deallocate()
    }

    func lock() {
        #if DEBUG
            assert(owner.load(ordering: .relaxed) != UInt(pthread_self()), "the thread holds the lock already")
        #endif
        pthread_mutex_lock(mutex)
        noteTaken()
    }

    func unlock() {
        noteReleased()
        pthread_mutex_unlock(mutex)
    }

    /// Passes the system's mutex to `body`, which waits for a condition with it; the calling thread holds the lock
    /// before and after.
    func withMutex(_ body: (UnsafeMutablePointer<pthread_mutex_t>) -> Void) {
        noteReleased()
        body(mutex)
        noteTaken()
    }

    func withLock<R, E: Error>(_ body: () throws(E) -> R) throws(E) -> R {
        lock()
        defer { unlock() }
        return try body()
    }

    /// Stops a debug build if the calling thread does not hold the lock; a release build does nothing.
    @inline(__always)
    func assertHeld(_ file: StaticString = #file, _ line: UInt = #line) {
        #if DEBUG
            assert(isHeld, "the calling thread does not hold the lock", file: file, line: line)
        #endif
    }

    #if DEBUG
        /// Whether the calling thread holds the lock.
        var isHeld: Bool { owner.load(ordering: .relaxed) == UInt(pthread_self()) }
    #endif

    @inline(__always)
    private func noteTaken() {
        #if DEBUG
            owner.store(UInt(pthread_self()), ordering: .relaxed)
        #endif
    }

    @inline(__always)
    private func noteReleased() {
        #if DEBUG
            assert(isHeld, "the calling thread does not hold the lock")
            owner.store(0, ordering: .relaxed)
        #endif
    }
}

/// A value that many threads use at a high rate, for example once for each series of a query.
///
/// `Mutex` hands itself over to the thread that waits longest (`FUTEX_LOCK_PI`): while several threads want it, each use
/// costs a change of threads. The system's mutex lets a running thread have it again.
final class Guarded<Value>: @unchecked Sendable {
    // SAFETY: the value is only used while the lock is held.
    private let lock = Lock()
    private var value: Value

    init(_ value: Value) { self.value = value }

    @inline(__always)
    func withLock<R, E: Error>(_ body: (inout Value) throws(E) -> R) throws(E) -> R {
        lock.lock()
        defer { lock.unlock() }
        return try body(&value)
    }
}
