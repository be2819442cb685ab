import Platform
import Synchronization

/// Threads that run handlers: one for each request at work, and none for long without work.
///
/// Handlers that may take long get no more than three quarters of them, so that there is always a thread for what is
/// answered at once.
final class HandlerThreads: Sendable {
    typealias Job = @Sendable () -> Void

    private struct State {
        var jobs: [Job] = []
        var waiting = 0
        var threads = 0
        /// Handlers at work that may take long, and those that wait for a place among them.
        var long = 0
        var longJobs: [Job] = []
    }

    private let state = Mutex(State())
    private let wake = TimedSemaphore(value: 0)
    private let most: Int
    private let mostLong: Int
    private let stackSize: Int
    /// How long a thread waits for work before it ends, ms.
    private static let idleTime: Int64 = 5000

    init(most: Int, stackSize: Int) {
        self.most = max(2, most)
        mostLong = max(1, self.most - max(1, self.most / 4))
        self.stackSize = stackSize
    }

    /// Runs a job as soon as there is a thread for it.
    ///
    /// - Returns: False if the system has no thread for it.
    func run(_ job: @escaping Job) -> Bool {
        let (mustStart, mustWake) = state.withLock { state in
            state.jobs.append(job)
            if state.waiting > 0 {
                state.waiting -= 1
                return (false, true)
            }
            guard state.threads < most else { return (false, false) }
            state.threads += 1
            return (true, false)
        }
        if mustWake { wake.signal() }
        guard mustStart else { return true }
        if Thread.start("http", stackSize: stackSize, { [self] in work() }) != nil { return true }
        return state.withLock { state in
            state.threads -= 1
            // With other threads at work the job comes later.
            if state.threads > 0 { return true }
            state.jobs.removeAll()
            return false
        }
    }

    /// Takes a place for a handler that may take long; false, and `job` is run with the place later, if none is free.
    func takeLongPlace(orLater job: @escaping Job) -> Bool {
        state.withLock { state in
            if state.long < mostLong {
                state.long += 1
                return true
            }
            state.longJobs.append(job)
            return false
        }
    }

    /// Gives a place back, to the next one that waits for it.
    func leaveLongPlace() {
        let next: Job? = state.withLock { state in
            if !state.longJobs.isEmpty { return state.longJobs.removeFirst() }
            state.long -= 1
            return nil
        }
        if let next { _ = run(next) }
    }

    /// Whether a thread that waits for a client would be missing elsewhere.
    var isTight: Bool {
        state.withLock { !$0.jobs.isEmpty || ($0.waiting == 0 && $0.threads >= most) }
    }

    private func work() {
        while true {
            if let job = take() {
                job()
                continue
            }
            if wake.wait(milliseconds: Self.idleTime) { continue }
            switch giveUp() {
            case .job(let job): job()
            case .isWoken: wake.wait()
            case .end: return
            }
        }
    }

    private enum AfterWaiting { case job(Job), isWoken, end }

    /// What a thread does that has waited long enough.
    private func giveUp() -> AfterWaiting {
        state.withLock { state in
            // Without a place among those that wait, somebody is just waking this thread.
            guard state.waiting > 0 else { return .isWoken }
            state.waiting -= 1
            if !state.jobs.isEmpty { return .job(state.jobs.removeFirst()) }
            state.threads -= 1
            return .end
        }
    }

    /// The next job; nil, and the thread counts as waiting, if there is none.
    private func take() -> Job? {
        state.withLock { state in
            if !state.jobs.isEmpty { return state.jobs.removeFirst() }
            state.waiting += 1
            return nil
        }
    }

    /// Threads that are there now.
    var count: Int { state.withLock { $0.threads } }
}
