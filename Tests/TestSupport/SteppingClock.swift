import Platform
import Synchronization

/// A wall clock that a test sets, and a monotonic clock that only goes on.
public final class SteppingClock: Clock {
    private struct State {
        var wall: Int64
        var monotonic: Int64 = 1_000_000_000
    }
    private let state: Mutex<State>

    /// - Parameter now: ms of the wall clock.
    public init(now: Int64) { state = Mutex(State(wall: now)) }

    public func now() -> Int64 { state.withLock { $0.wall } }

    public func monotonic() -> Int64 { state.withLock { $0.monotonic } }

    /// Lets `time` ms pass on both clocks.
    public func pass(_ time: Int64) {
        state.withLock { state in
            state.wall += time
            state.monotonic += time * 1_000_000
        }
    }

    /// Sets the wall clock forward or back by `step` ms.
    public func set(by step: Int64) { state.withLock { $0.wall += step } }

    public func sleep(until deadline: Int64) async throws { pass(max(0, deadline - now())) }
}
