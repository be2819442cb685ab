/// Runs blocking calls, for example reloads, on threads outside of the pool of Swift's tasks.
///
/// A few permanent threads run them. While all of them are busy, each further call gets its own thread, up to a limit,
/// so that one blocking call does not delay others. Calls that may block for ever, for example reads of external files,
/// use ``FileReads`` instead.
public enum BlockingCall {
    private static let pool = {
        var settings = ThreadPoolSettings(name: "blocking-call")
        settings.permanent = 4
        settings.startsAtOnce = true
        settings.most = 64
        // A call may parse deeply nested expressions.
        settings.stackSize = 8 << 20
        settings.withoutThread = .callerRuns
        return ThreadPool<@Sendable () -> Void>(settings)
    }()

    /// Runs `body` on a thread that may block; the calling task waits without blocking a thread.
    public static func run<Value: Sendable>(_ body: @escaping @Sendable () -> Value) async -> Value {
        await pool.run(body)
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
}
