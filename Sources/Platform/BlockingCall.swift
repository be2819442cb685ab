import Glibc
import Synchronization

/// Runs calls that block for a while, such as reloads, on threads apart from those that tasks share.
///
/// A few threads serve in turn. While all of them are busy, each further call gets a thread of its own, up to a number: so
/// one call that blocks does not stop those behind it. What may block for ever, such as a file of somebody else, is asked
/// about through ``FileReads`` instead.
public enum BlockingCall {
    private static let pool = Pool(threads: 4, most: 64)

    /// Runs `body` on a thread that may block; the calling task waits without holding a thread.
    public static func run<Value: Sendable>(_ body: @escaping @Sendable () -> Value) async -> Value {
        await withCheckedContinuation { continuation in
            start { continuation.resume(returning: body()) }
        }
    }

    /// Runs `body` on a thread that may block, and returns at once.
    public static func start(_ body: @escaping @Sendable () -> Void) { pool.add(body) }

    /// Runs `body` on threads that may block, between its waits, too.
    ///
    /// So it goes on even while all threads that tasks share compute, as for rules.
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
            /// Threads that stay and wait for calls.
            var idle = 0
            var threads = 0
        }

        private let state = Mutex(State())
        private let most: Int
        // SAFETY: a POSIX semaphore may be used from all threads; the pool lives as long as the process.
        nonisolated(unsafe) private let signal = UnsafeMutablePointer<sem_t>.allocate(capacity: 1)

        /// - Parameters:
        ///   - threads: Those that stay.
        ///   - most: Those that there are at the same time.
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

        /// Starts a thread; a call may parse expressions that are nested deeply.
        private func start(_ body: @escaping @Sendable () -> Void) -> Bool {
            Thread.start("blocking-call", stackSize: 8 << 20, body) != nil
        }

        /// Threads that there are now.
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
            // With no thread to be had, the caller does it.
            if !isServed, let call = next(isLasting: false, endsThread: false) { call() }
        }

        private func serve() {
            while sem_wait(signal) != 0 {}
            guard let call = next(isLasting: true) else { return }
            call()
            state.withLock { $0.idle += 1 }
        }

        /// The call that waits longest; without one, a thread that does not last is counted off.
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
