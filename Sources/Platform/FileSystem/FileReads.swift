import Glibc
import Synchronization

/// Asks about files that are not the daemon's own, each of which may hang for ever, as on a network mount that is gone.
///
/// One question per path is under way at a time, on a thread that does nothing else, however many ask and however often:
/// a file that hangs costs one thread until it answers. A question gets an answer that was begun after it was asked, or
/// fails after ``patience``; while a path has hung for longer, questions about it fail at once. Other paths do not notice.
package final class FileReads: Sendable {
    package typealias Outcome = Result<FileQuestion.Answer, FileError>

    /// The daemon's.
    package static let shared = FileReads()
    /// How long a question waits, ms.
    package static let patience: Int64 = 10_000
    /// How long a question waits after ``hurry()``, ms.
    static let hurriedPatience: Int64 = 500

    private let clock: any Clock
    private let ask: @Sendable (FileQuestion, String) -> Outcome
    private let state: Mutex<FileReadsState>
    private let wake = TimedSemaphore(value: 0)

    /// - Parameters:
    ///   - mostThreads: The most files that may hang.
    ///   - ask: Gets an answer; may block.
    package init(
        clock: any Clock = SystemClock(), mostThreads: Int = 512,
        ask: @escaping @Sendable (FileQuestion, String) -> Outcome = { question, path in
            Result { () throws(FileError) in try question.ask(path) }
        }
    ) {
        self.clock = clock
        self.ask = ask
        state = Mutex(FileReadsState(patience: Self.patience, mostThreads: mostThreads))
    }

    /// Threads that there are now; a few stay when nothing is to be asked.
    package var threads: Int { state.withLock(\.threads) }
    /// Questions that have no answer yet.
    package var waiting: Int { state.withLock(\.asked.count) }
    /// Whether a thread waits for the system.
    package var isBusy: Bool { state.withLock { $0.threads > $0.idle } }

    private var now: Int64 { clock.monotonic() / 1_000_000 }

    // MARK: Asking

    /// Asks about `path`; the calling task waits without holding a thread.
    package func answer(_ question: FileQuestion, _ path: String) async throws(FileError) -> FileQuestion.Answer {
        let outcome = await withCheckedContinuation { continuation in
            add(question, path) { continuation.resume(returning: $0) }
        }
        return try outcome.get()
    }

    /// Asks about `path`; the calling thread waits.
    package func waitForAnswer(_ question: FileQuestion, _ path: String) throws(FileError) -> FileQuestion.Answer {
        let answer = AwaitedAnswer()
        add(question, path) { answer.set($0) }
        return try answer.wait().get()
    }

    /// Shortens all waits, of now and later, to half a second: the end of the process waits for no file.
    package func hurry() {
        let now = now
        state.withLock { $0.hurry(now, Self.hurriedPatience) }
        setAlarm()
    }

    /// Adds a question; `body` is called once, from a thread that must not be held.
    private func add(_ question: FileQuestion, _ path: String, _ body: @escaping @Sendable (Outcome) -> Void) {
        let now = now
        switch state.withLock({ $0.add(question, path, now, body) }) {
        case .refused(let error): return body(.failure(error))
        case .waits: break
        case .wakesThread: wake.signal()
        case .needsThread: startThread()
        }
        setAlarm()
    }

    // MARK: Threads

    private func startThread() {
        // Answers are used elsewhere, so a small stack is enough.
        if Thread.start("file-read", stackSize: 1 << 18, { [self] in work() }) != nil { return }
        for waiter in state.withLock({ $0.threadRefused() }) { waiter.fail(EAGAIN) }
    }

    private func work() {
        while true {
            let now = now
            switch state.withLock({ $0.take(now) }) {
            case .end: return
            case .idle: wake.wait()
            case .ask(let question, let path):
                let outcome = ask(question, path.text)
                for waiter in state.withLock({ $0.finish(path) }) { waiter.body(outcome) }
            }
        }
    }

    // MARK: Patience

    /// Lets a task wait until the next question has waited too long, unless one does.
    private func setAlarm() {
        guard let due = state.withLock({ $0.nextAlarm() }) else { return }
        let end = clock.now() &+ max(0, due &- now)
        BlockingCall.task { [self] in
            try? await clock.sleep(until: end)
            // A wait may end a little early.
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
