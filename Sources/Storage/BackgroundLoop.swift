import Glibc
import Platform
import Synchronization

/// A thread that calls its jobs repeatedly, each at its own interval, and sleeps in between.
final class BackgroundLoop: Sendable {
    /// A function that is called each `interval` ms.
    struct Job: Sendable {
        var interval: Int64
        var body: @Sendable () -> Void
    }

    /// The shortest pause before jobs that are called early, ns.
    private static let shortest: Int64 = 50_000_000

    private let isStopping = Atomic(false)
    private let isHurried = Atomic(false)
    private let thread = Mutex<Platform.Thread?>(nil)
    private let lock = Lock()
    private let wake = Condition()
    /// The system's number of the thread.
    private let own = Atomic<UInt>(0)

    /// Starts the thread, which calls each job first after its interval.
    func start(_ jobs: [Job]) {
        let started = Platform.Thread.start("storage") { [self] in
            own.store(UInt(pthread_self()), ordering: .releasing)
            var due = jobs.map { Condition.now() &+ $0.interval &* 1_000_000 }
            while let next = due.min() {
                let earliest = Condition.now() &+ Self.shortest
                lock.withLock {
                    while !isStoppingNow {
                        let end = isHurried.load(ordering: .acquiring) ? min(next, earliest) : next
                        guard Condition.now() < end else { break }
                        wake.wait(lock, until: end)
                    }
                }
                if isStoppingNow { return }
                let isEarly = isHurried.exchange(false, ordering: .acquiringAndReleasing)
                for (index, job) in jobs.enumerated()
                where (isEarly || due[index] <= Condition.now()) && !isStoppingNow {
                    job.body()
                    // The interval starts at the end of the job, so that long jobs leave time for others.
                    due[index] = Condition.now() &+ job.interval &* 1_000_000
                }
            }
        }
        thread.withLock { $0 = started }
    }

    /// Calls all jobs soon.
    func hurry() {
        guard !isHurried.exchange(true, ordering: .acquiringAndReleasing) else { return }
        lock.withLock { wake.signal() }
    }

    /// Whether long work should end soon.
    var isStoppingNow: Bool { isStopping.load(ordering: .acquiring) }

    /// Ends the thread; returns when the current job has ended.
    func stop() {
        lock.withLock {
            isStopping.store(true, ordering: .releasing)
            wake.signal()
        }
        let running = thread.withLock { thread in
            defer { thread = nil }
            return thread
        }
        // A job that has the last reference to its owner ends the loop from within.
        if own.load(ordering: .acquiring) != UInt(pthread_self()) { running?.join() }
    }
}

/// A condition variable that waits by the monotonic clock.
final class Condition: Sendable {
    // SAFETY: the pointer never changes, and the system's condition may be used by many threads.
    private nonisolated(unsafe) let condition: UnsafeMutablePointer<pthread_cond_t>

    init() {
        condition = .allocate(capacity: 1)
        condition.initialize(to: pthread_cond_t())
        var attributes = pthread_condattr_t()
        pthread_condattr_init(&attributes)
        pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC)
        pthread_cond_init(condition, &attributes)
        pthread_condattr_destroy(&attributes)
    }

    deinit {
        pthread_cond_destroy(condition)
        condition.deallocate()
    }

    /// The monotonic clock, ns.
    static func now() -> Int64 {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return Int64(time.tv_sec) &* 1_000_000_000 &+ Int64(time.tv_nsec)
    }

    func signal() { pthread_cond_broadcast(condition) }

    /// Waits for a signal or until `deadline` (ns of the monotonic clock); may return early; needs the lock.
    func wait(_ lock: borrowing Lock, until deadline: Int64) {
        var time = timespec(tv_sec: Int(deadline / 1_000_000_000), tv_nsec: Int(deadline % 1_000_000_000))
        lock.withMutex { _ = pthread_cond_timedwait(condition, $0, &time) }
    }
}
