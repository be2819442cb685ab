import Platform
import Synchronization

/// Threads that run handlers: one for each running request; idle threads end after a short time.
///
/// Long handlers use at most three quarters of the threads, so that short requests always find one.
final class HandlerThreads: Sendable {
    typealias Job = @Sendable () -> Void

    private struct State {
        var jobs: [Job] = []
        var waiting = 0
        /// The threads that were woken or started for a job and have not taken one yet.
        var coming = 0
        var threads = 0
        var longPlaces: LongPlaces<Job>
    }

    private let state: Mutex<State>
    private let wake = TimedSemaphore(value: 0)
    private let most: Int
    private let stackSize: Int
    /// The time after which an idle thread ends, ms.
    private static let idleTime: Int64 = 5000

    init(most: Int, stackSize: Int) {
        self.most = max(2, most)
        state = Mutex(State(longPlaces: LongPlaces(most: self.most - max(1, self.most / 4))))
        self.stackSize = stackSize
    }

    /// Runs a job as soon as there is a thread for it.
    ///
    /// - Returns: False if the system has no thread for it.
    func run(_ job: @escaping Job) -> Bool {
        let (mustStart, mustWake) = state.withLock { state in
            state.jobs.append(job)
            // A thread that has ended another job may take a job for which one is coming. Then that one takes this.
            if state.jobs.count <= state.coming { return (false, false) }
            if state.waiting > 0 {
                state.waiting -= 1
                state.coming += 1
                return (false, true)
            }
            guard state.threads < most else { return (false, false) }
            state.threads += 1
            state.coming += 1
            return (true, false)
        }
        if mustWake { wake.signal() }
        guard mustStart else { return true }
        if Thread.start("http", stackSize: stackSize, { [self] in work() }) != nil { return true }
        return state.withLock { state in
            state.threads -= 1
            state.coming -= 1
            // Another thread runs the job later.
            if state.threads > 0 { return true }
            state.jobs.removeAll()
            return false
        }
    }

    /// Acquires a place for a long handler.
    ///
    /// If none is free for the client, returns false and runs `job` later with the place.
    func takeLongPlace(for client: String, orLater job: @escaping Job) -> Bool {
        state.withLock { $0.longPlaces.take(for: client, orLater: job) }
    }

    /// Releases a place of a client, and passes it to the next waiting handler.
    func leaveLongPlace(of client: String) {
        if let next = state.withLock({ $0.longPlaces.leave(client) }) { _ = run(next) }
    }

    /// Whether there are not enough threads for one to wait for a client.
    var isTight: Bool {
        state.withLock { $0.jobs.count > $0.coming || ($0.waiting == 0 && $0.threads >= most) }
    }

    private func work() {
        var isComing = true
        while true {
            if let job = take(isComing: isComing) {
                isComing = false
                job()
                continue
            }
            isComing = wake.wait(milliseconds: Self.idleTime)
            if isComing { continue }
            switch giveUp() {
            case .job(let job): job()
            case .isWoken:
                wake.wait()
                isComing = true
            case .end: return
            }
        }
    }

    private enum AfterWaiting { case job(Job), isWoken, end }

    /// The action of a thread whose idle time is over.
    private func giveUp() -> AfterWaiting {
        state.withLock { state in
            // If the thread does not count as waiting, another thread is waking it at this moment.
            guard state.waiting > 0 else { return .isWoken }
            state.waiting -= 1
            if !state.jobs.isEmpty { return .job(state.jobs.removeFirst()) }
            state.threads -= 1
            return .end
        }
    }

    /// The next job; nil if there is none, and then the thread counts as waiting.
    private func take(isComing: Bool) -> Job? {
        state.withLock { state in
            if isComing { state.coming -= 1 }
            if !state.jobs.isEmpty { return state.jobs.removeFirst() }
            state.waiting += 1
            return nil
        }
    }

    /// The current number of threads.
    var count: Int { state.withLock { $0.threads } }
}
