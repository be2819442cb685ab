import Platform
import Synchronization

/// A clock that stands until it is moved; its wall clock can be set, which no sleeper notices.
public final class ManualClock: Clock {
    private struct Sleeper {
        var id: Int
        /// ms of the monotonic clock.
        var deadline: Int64
        var continuation: CheckedContinuation<Void, any Error>
    }
    private struct State {
        /// ms of the monotonic clock.
        var now: Int64
        /// The wall clock less the monotonic clock, ms.
        var offset: Int64 = 0
        var nextID = 0
        var sleepers: [Sleeper] = []
        var cancelled: Set<Int> = []
    }
    private let state: Mutex<State>
    private let jumps: Bool

    /// - Parameters:
    ///   - now: ms.
    ///   - jumps: Whether a sleep moves the time to its end instead of waiting for ``advance(to:)``.
    public init(now: Int64 = 0, jumps: Bool = false) {
        state = Mutex(State(now: now))
        self.jumps = jumps
    }

    public func now() -> Int64 { state.withLock { $0.now + $0.offset } }

    public func monotonic() -> Int64 { state.withLock { $0.now } &* 1_000_000 }

    /// Sets the wall clock forward or back by `step` ms.
    public func set(by step: Int64) { state.withLock { $0.offset += step } }

    /// Moves the time to `time` of the wall clock, never back, and wakes who has slept until then.
    public func advance(to time: Int64) {
        let due = state.withLock { state in
            state.now = max(state.now, time - state.offset)
            let due = state.sleepers.filter { $0.deadline <= state.now }.sorted { $0.deadline < $1.deadline }
            state.sleepers.removeAll { $0.deadline <= state.now }
            return due
        }
        for sleeper in due { sleeper.continuation.resume() }
    }

    /// When the next sleeper wakes; nil if nobody sleeps.
    public var nextDeadline: Int64? {
        state.withLock { state in state.sleepers.map { $0.deadline &+ state.offset }.min() }
    }

    /// Returns when somebody sleeps until exactly `deadline`.
    public func waitForSleeper(until deadline: Int64) async {
        while !state.withLock({ state in state.sleepers.contains { $0.deadline &+ state.offset == deadline } }) {
            await Task.yield()
        }
    }

    public func sleep(until deadline: Int64) async throws {
        if jumps {
            advance(to: deadline)
            return
        }
        let id = state.withLock { state in
            state.nextID += 1
            return state.nextID
        }
        try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { continuation in
                enum Fate { case sleeps, wakes, cancelled }
                let fate = state.withLock { state -> Fate in
                    if state.cancelled.remove(id) != nil { return .cancelled }
                    let end = deadline.subtractingReportingOverflow(state.offset)
                    let deadline = end.overflow ? Int64.max : end.partialValue
                    if deadline <= state.now { return .wakes }
                    state.sleepers.append(Sleeper(id: id, deadline: deadline, continuation: continuation))
                    return .sleeps
                }
                switch fate {
                case .sleeps: break
                case .wakes: continuation.resume()
                case .cancelled: continuation.resume(throwing: CancellationError())
                }
            }
        } onCancel: {
            let sleeper = state.withLock { state -> Sleeper? in
                guard let index = state.sleepers.firstIndex(where: { $0.id == id }) else {
                    state.cancelled.insert(id)
                    return nil
                }
                return state.sleepers.remove(at: index)
            }
            sleeper?.continuation.resume(throwing: CancellationError())
        }
    }
}
