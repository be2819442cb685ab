import Glibc
import Synchronization

/// Runs calls that block, such as file reads, on a few threads apart from those that tasks share.
public enum BlockingCall {
    private static let pool = Pool(threads: 4)

    /// Runs `body` on a thread that may block; the calling task waits without holding a thread.
    public static func run<Value: Sendable>(_ body: @escaping @Sendable () -> Value) async -> Value {
        await withCheckedContinuation { continuation in
            start { continuation.resume(returning: body()) }
        }
    }

    /// Runs `body` on a thread that may block, and returns at once.
    public static func start(_ body: @escaping @Sendable () -> Void) { pool.add(body) }

    private final class Pool: Sendable {
        private let waiting = Mutex<[@Sendable () -> Void]>([])
        // SAFETY: a POSIX semaphore may be used from all threads; the pool lives as long as the process.
        nonisolated(unsafe) private let signal = UnsafeMutablePointer<sem_t>.allocate(capacity: 1)
        private let hasThreads = Atomic(false)

        init(threads: Int) {
            sem_init(signal, 0, 0)
            for _ in 0..<threads {
                // A call may parse expressions that are nested deeply.
                let thread = Thread.start("blocking-call", stackSize: 8 << 20) { [self] in
                    while true { next()() }
                }
                if thread != nil { hasThreads.store(true, ordering: .relaxed) }
            }
        }

        func add(_ body: @escaping @Sendable () -> Void) {
            // With no thread to be had, the caller does it.
            guard hasThreads.load(ordering: .relaxed) else { return body() }
            waiting.withLock { $0.append(body) }
            sem_post(signal)
        }

        private func next() -> @Sendable () -> Void {
            while sem_wait(signal) != 0 {}
            let call = waiting.withLock { waiting -> (@Sendable () -> Void)? in
                waiting.isEmpty ? nil : waiting.removeFirst()
            }
            return call ?? {}
        }
    }
}
