import Synchronization

/// Lets one request at a time compute the hash of its password; the others wait without a thread.
///
/// The next turn is that of the address that has had the fewest since somebody last had to wait, so that one that sends
/// many wrong passwords does not keep others out.
final class PasswordTurns: Sendable {
    enum Outcome: Sendable {
        case turn
        /// Too many wait.
        case refused
    }
    typealias Job = @Sendable (Outcome) -> Void

    private struct Waiter {
        var address: String
        var job: Job
    }

    private struct State {
        var isTaken = false
        /// In order of arrival.
        var waiting: [Waiter] = []
        /// Turns by address since the last time that nobody waited.
        var turns: [String: Int] = [:]
    }

    /// Most requests that wait.
    static let most = 64

    private let state = Mutex(State())

    /// Takes the turn.
    ///
    /// - Parameter job: Called with the turn later, or with a refusal, if it is not free.
    /// - Returns: Whether it is free; else a job that has to be called, too, because its place is another's now.
    func take(for address: String, orLater job: @escaping Job) -> (isFree: Bool, refused: Job?) {
        state.withLock { state in
            if !state.isTaken {
                state.isTaken = true
                state.turns[address, default: 0] += 1
                return (true, nil)
            }
            state.waiting.append(Waiter(address: address, job: job))
            guard state.waiting.count > Self.most else { return (false, nil) }
            return (false, Self.removeOfLargest(&state).job)
        }
    }

    /// Takes the last waiter of the address with the most of them away; of several such addresses, the last one.
    private static func removeOfLargest(_ state: inout State) -> Waiter {
        var counts: [String: Int] = [:]
        for waiter in state.waiting { counts[waiter.address, default: 0] += 1 }
        let largest = counts.values.max() ?? 0
        let index = state.waiting.lastIndex { counts[$0.address] == largest }
        return state.waiting.remove(at: index ?? state.waiting.count - 1)
    }

    /// Gives the turn to another; returns the job that has it now, which the caller must start.
    func leave() -> Job? {
        state.withLock { state in
            guard let next = Self.next(state) else {
                state.isTaken = false
                state.turns = [:]
                return nil
            }
            let waiter = state.waiting.remove(at: next)
            state.turns[waiter.address, default: 0] += 1
            return waiter.job
        }
    }

    private static func next(_ state: State) -> Int? {
        state.waiting.indices.min {
            // Of equal ones the first in order.
            (state.turns[state.waiting[$0].address] ?? 0, $0) < (state.turns[state.waiting[$1].address] ?? 0, $1)
        }
    }

    /// Whether somebody waits.
    var isWaitedFor: Bool { waiting > 0 }

    /// Requests that wait.
    var waiting: Int { state.withLock { $0.waiting.count } }
}
