import Glibc
import Synchronization

/// Runs queries about files that are not the daemon's own, each of which may hang for ever, for example on a network
/// mount that is gone.
///
/// One query per path runs at a time, on its own thread, however many callers there are: a file that hangs blocks one
/// thread until it answers. A query returns an answer that was begun after the call, or fails after ``timeout``; while
/// a path has hung for longer, queries about it fail immediately. Other paths are not affected.
package final class FileReads: Sendable {
    package typealias Outcome = Result<FileQuestion.Answer, FileError>

    /// The instance of the daemon.
    package static let shared = FileReads()
    /// The longest wait of a query, ms.
    package static let timeout: Int64 = 10_000
    /// The longest wait of a query after ``hurry()``, ms.
    static let hurriedTimeout: Int64 = 500

    private let clock: any Clock
    private let ask: @Sendable (FileQuestion, String) -> Outcome
    private let state: Mutex<FileReadsState>
    private let pool: ThreadPool<@Sendable () -> Void>

    /// - Parameters:
    ///   - mostThreads: The most files that may hang.
    ///   - ask: Runs a query; may block.
    package init(
        clock: any Clock = SystemClock(), mostThreads: Int = 512,
        ask: @escaping @Sendable (FileQuestion, String) -> Outcome = { question, path in
            Result { () throws(FileError) in try question.ask(path) }
        }
    ) {
        self.clock = clock
        self.ask = ask
        state = Mutex(FileReadsState(timeout: Self.timeout, mostThreads: mostThreads))
        var settings = ThreadPoolSettings(name: "file-read")
        settings.permanent = 2
        settings.most = mostThreads
        // Answers are processed elsewhere, so a small stack suffices.
        settings.stackSize = 1 << 18
        pool = ThreadPool(settings)
    }

    /// The current number of threads; a few stay without work.
    package var threads: Int { pool.threads }
    /// The number of queries without an answer.
    package var waiting: Int { state.withLock(\.asked.count) }
    /// Whether a thread waits for the system.
    package var isBusy: Bool { pool.busy > 0 }

    private var now: Int64 { clock.monotonic() / 1_000_000 }

    // MARK: Asking

    /// Queries `path`; the calling task waits without blocking a thread.
    package func answer(_ question: FileQuestion, _ path: String) async throws(FileError) -> FileQuestion.Answer {
        let outcome = await withCheckedContinuation { continuation in
            add(question, path) { continuation.resume(returning: $0) }
        }
        return try outcome.get()
    }

    /// Queries `path`; the calling thread waits.
    package func waitForAnswer(_ question: FileQuestion, _ path: String) throws(FileError) -> FileQuestion.Answer {
        let answer = AwaitedAnswer()
        add(question, path) { answer.set($0) }
        return try answer.wait().get()
    }

    /// Shortens all current and later waits to half a second, so that the end of the process does not wait for files.
    package func hurry() {
        let now = now
        state.withLock { $0.hurry(now, Self.hurriedTimeout) }
        setAlarm()
    }

    /// Adds a query; `body` is called once, from a thread that must not be blocked.
    private func add(_ question: FileQuestion, _ path: String, _ body: @escaping @Sendable (Outcome) -> Void) {
        let now = now
        switch state.withLock({ $0.add(question, path, now, body) }) {
        case .refused(let error): return body(.failure(error))
        case .waits: break
        case .needsThread(let path): serve(path)
        }
        setAlarm()
    }

    // MARK: Threads

    /// Runs the next query about a path on a thread.
    private func serve(_ path: FileReadsState.Path) {
        let ticket = pool.add { [self] in
            let now = now
            guard let question = state.withLock({ $0.take(path, now) }) else { return }
            let outcome = ask(question, path.text)
            let (waiters, isLeft) = state.withLock { $0.finish(path) }
            for waiter in waiters { waiter.body(outcome) }
            if isLeft { serve(path) }
        }
        if ticket == nil { for waiter in state.withLock({ $0.refuse(path) }) { waiter.fail(EAGAIN) } }
    }

    // MARK: Timeouts

    /// Starts a task that waits until the next query times out, unless there is one.
    private func setAlarm() {
        guard let due = state.withLock({ $0.nextAlarm() }) else { return }
        let end = clock.now() &+ max(0, due &- now)
        BlockingCall.task { [self] in
            try? await clock.sleep(until: end)
            // A wait may end slightly early.
            let now = max(now, due)
            for waiter in state.withLock({ $0.expire(now) }) { waiter.fail(FileError.slow) }
            setAlarm()
        }
    }
}

/// The answer that a thread waits for.
private final class AwaitedAnswer: Sendable {
    private let outcome = Mutex(FileReads.Outcome.failure(FileError("read", "", code: EAGAIN)))
    private let isThere = TimedSemaphore(value: 0)

    func set(_ outcome: FileReads.Outcome) {
        self.outcome.withLock { $0 = outcome }
        isThere.signal()
    }

    func wait() -> FileReads.Outcome {
        isThere.wait()
        return outcome.withLock { $0 }
    }
}
