import Glibc
import Synchronization

/// Runs blocking calls, for example reloads, on threads outside of the task pool.
///
/// A few permanent threads run them. While all of them are busy, each further call gets its own thread, up to a limit,
/// so that one blocking call does not delay others. Calls that may block for ever, for example reads of external files,
/// use ``FileReads`` instead.
public enum BlockingCall {
    private static let pool = Pool(threads: 4, most: 64)

    /// Runs `body` on a thread that may block; the calling task waits without blocking a thread.
    public static func run<Value: Sendable>(_ body: @escaping @Sendable () -> Value) async -> Value {
        await withCheckedContinuation { continuation in
            start { continuation.resume(returning: body()) }
        }
    }

    /// Runs `body` on a thread that may block, and returns immediately.
    public static func start(_ body: @escaping @Sendable () -> Void) { pool.add(body) }

    /// Runs `body` on threads that may block, also between its waits.
    ///
    /// So it continues even while all threads of the task pool compute, for example rules.
    @discardableResult
    public static func task(_ body: @escaping @Sendable () async -> Void) -> Task<Void, Never> {
        Task(executorPreference: Executor.shared) { await body() }
    }

    private final class Executor: TaskExecutor {
        static let shared = Executor()

        func enqueue(_ job: consuming ExecutorJob) {
            let job = UnownedJob(job)
            BlockingCall.start { [self] in job.runSynchronously(on: asUnownedTaskExecutor()) }
        }
    }

    final class Pool: Sendable {
        private struct State {
            var waiting: [@Sendable () -> Void] = []
            /// The number of permanent threads that wait for calls.
            var idle = 0
            var threads = 0
        }

        private let state = Mutex(State())
        private let most: Int
        // SAFETY: a POSIX semaphore may be used from all threads; the pool lives as long as the process.
        nonisolated(unsafe) private let signal = UnsafeMutablePointer<sem_t>.allocate(capacity: 1)

        /// - Parameters:
        ///   - threads: The number of permanent threads.
        ///   - most: The most threads at the same time.
        init(threads: Int, most: Int) {
            self.most = most
            sem_init(signal, 0, 0)
            for _ in 0..<threads where start({ [self] in while true { serve() } }) {
                state.withLock {
                    $0.threads += 1
                    $0.idle += 1
                }
            }
        }

        /// Starts a thread.
        ///
        /// Its stack is large, because a call may parse deeply nested expressions.
        private func start(_ body: @escaping @Sendable () -> Void) -> Bool {
            Thread.start("blocking-call", stackSize: 8 << 20, body) != nil
        }

        /// The current number of threads.
        var threads: Int { state.withLock(\.threads) }

        func add(_ body: @escaping @Sendable () -> Void) {
            let (isServed, needsThread) = state.withLock { state -> (Bool, Bool) in
                state.waiting.append(body)
                let needsThread = state.waiting.count > state.idle && state.threads < most
                if needsThread { state.threads += 1 }
                return (state.threads > (needsThread ? 1 : 0), needsThread)
            }
            sem_post(signal)
            guard needsThread, !start({ [self] in while let call = next(isLasting: false) { call() } }) else { return }
            state.withLock { $0.threads -= 1 }
            // If there is no thread, the caller runs the call.
            if !isServed, let call = next(isLasting: false, endsThread: false) { call() }
        }

        private func serve() {
            while sem_wait(signal) != 0 {}
            guard let call = next(isLasting: true) else { return }
            call()
            state.withLock { $0.idle += 1 }
        }

        /// The call that has waited longest.
        ///
        /// If there is none, a thread that is not permanent is removed from the count.
        private func next(isLasting: Bool, endsThread: Bool = true) -> (@Sendable () -> Void)? {
            state.withLock { state in
                if state.waiting.isEmpty {
                    if !isLasting, endsThread { state.threads -= 1 }
                    return nil
                }
                if isLasting { state.idle -= 1 }
                return state.waiting.removeFirst()
            }
        }
    }
}
