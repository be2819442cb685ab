import CPlatform
import Glibc
import Synchronization

/// Sleeping tasks, and the single thread that wakes them.
///
/// The thread passes each wait to `poll` as a length of time, so that changes of the wall clock do not affect it.
/// Timers of Dispatch, which `Task.sleep` uses, are set to a point in time instead.
final class Sleepers: Sendable {
    /// The instance of the daemon; its thread is started with the first sleeper.
    static let shared = Sleepers()

    fileprivate struct State {
        var sleeping: [Int: CheckedContinuation<Void, any Error>] = [:]
        /// The ids of sleepers by their deadlines; those of cancelled sleepers stay for some time.
        var alarms = DueHeap<Int>()
        /// The sleepers that were cancelled before they slept.
        var cancelled: Set<Int> = []
        var nextID = 0
        var isRunning = false
    }

    private let state = Mutex(State())
    /// Wakes the thread; -1 if the system has no descriptor for it.
    private let bell = cplatform_bell()

    /// The numbers of sleepers and of their alarms.
    var counts: (sleeping: Int, alarms: Int) { state.withLock { ($0.sleeping.count, $0.alarms.count) } }

    /// Returns after `nanoseconds`; throws when the task is cancelled.
    func sleep(nanoseconds: Int64) async throws {
        try Task.checkCancellation()
        guard isRunning() else { return try await Task.sleep(nanoseconds: UInt64(max(0, nanoseconds))) }
        let (sum, overflow) = Self.now().addingReportingOverflow(nanoseconds)
        let deadline = overflow ? Int64.max : sum
        let id = newID()
        // The sleeper may be cancelled before it sleeps.
        defer { state.withLock { _ = $0.cancelled.remove(id) } }
        try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { continuation in
                switch state.withLock({ $0.add(id, deadline, continuation) }) {
                case .cancelled: continuation.resume(throwing: CancellationError())
                case .earliest: ring()
                case .waits: break
                }
            }
        } onCancel: {
            state.withLock { $0.cancel(id) }?.resume(throwing: CancellationError())
        }
    }

    private func newID() -> Int {
        state.withLock { state in
            state.nextID &+= 1
            return state.nextID
        }
    }

    /// Starts the thread with the first sleeper; returns false if the system refuses one.
    private func isRunning() -> Bool {
        state.withLock { state in
            if !state.isRunning, bell >= 0 {
                state.isRunning = Thread.start("timer", stackSize: 1 << 18) { [self] in run() } != nil
            }
            return state.isRunning
        }
    }

    private func ring() {
        var one: UInt64 = 1
        _ = write(bell, &one, 8)
    }

    private func run() {
        while true {
            let (due, next) = state.withLock { $0.takeDue(at: Self.now()) }
            for continuation in due { continuation.resume() }
            var descriptor = pollfd(fd: bell, events: Int16(POLLIN), revents: 0)
            // The wait is rounded up, because a wait that ends early is repeated.
            let wait = next.map { max(0, $0 &- Self.now()) / 1_000_000 + 1 }
            guard poll(&descriptor, 1, wait.map { Int32(clamping: $0) } ?? -1) > 0 else { continue }
            var count: UInt64 = 0
            _ = read(bell, &count, 8)
        }
    }

    /// The monotonic clock, ns.
    private static func now() -> Int64 {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return Int64(time.tv_sec) &* 1_000_000_000 &+ Int64(time.tv_nsec)
    }
}

extension Sleepers.State {
    fileprivate enum Added { case cancelled, earliest, waits }

    fileprivate mutating func add(
        _ id: Int, _ deadline: Int64, _ continuation: CheckedContinuation<Void, any Error>
    ) -> Added {
        if cancelled.contains(id) { return .cancelled }
        sleeping[id] = continuation
        let isEarliest = alarms.earliest.map { deadline < $0 } ?? true
        alarms.insert(id, due: deadline)
        return isEarliest ? .earliest : .waits
    }

    /// Removes and returns a sleeper; nil if it does not sleep.
    fileprivate mutating func cancel(_ id: Int) -> CheckedContinuation<Void, any Error>? {
        guard let continuation = sleeping.removeValue(forKey: id) else {
            cancelled.insert(id)
            return nil
        }
        if alarms.count > 2 * sleeping.count + 64 { alarms.removeAll { sleeping[$0] == nil } }
        return continuation
    }

    /// Removes and returns the sleepers that are due, and the deadline of the next, if there is one.
    fileprivate mutating func takeDue(at now: Int64) -> (due: [CheckedContinuation<Void, any Error>], next: Int64?) {
        var due: [CheckedContinuation<Void, any Error>] = []
        while let id = alarms.first {
            // The alarms of cancelled sleepers need no wake-up.
            guard alarms.pop(at: sleeping[id] == nil ? .max : now) != nil else { break }
            if let continuation = sleeping.removeValue(forKey: id) { due.append(continuation) }
        }
        return (due, alarms.earliest)
    }
}
