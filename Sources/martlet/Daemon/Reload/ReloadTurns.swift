import Platform
import Synchronization

/// Runs reloads one at a time; all requests during a reload share the next one.
///
/// So nobody waits for more than two reloads, however many requests there are.
final class ReloadTurns: Sendable {
    typealias Outcome = String?

    /// A reload that begins after the current one.
    private final class Turn: Sendable {
        let begins = TimedSemaphore(value: 0)
        let ends = TimedSemaphore(value: 0)
        let outcome = Mutex<Outcome>(nil)
    }

    private struct State {
        var isBusy = false
        var next: Turn?
        /// The number of requests that share ``next`` and do not run it.
        var waiters = 0
    }

    private enum Part { case runs, leads(Turn), shares(Turn) }

    private let state = Mutex(State())

    /// The number of requests that share the next reload and do not run it.
    var waiters: Int { state.withLock(\.waiters) }

    /// Runs `body`, or waits for a `body` of another caller that begins after this call, and returns its result.
    ///
    /// Blocks the thread.
    func run(_ body: () -> Outcome) -> Outcome {
        let part = state.withLock { state -> Part in
            if !state.isBusy {
                state.isBusy = true
                return .runs
            }
            if let next = state.next {
                state.waiters += 1
                return .shares(next)
            }
            let turn = Turn()
            state.next = turn
            return .leads(turn)
        }
        switch part {
        case .runs:
            defer { passOn() }
            return body()
        case .leads(let turn):
            turn.begins.wait()
            let waiters = state.withLock { state in
                defer { (state.next, state.waiters) = (nil, 0) }
                return state.waiters
            }
            let outcome = body()
            turn.outcome.withLock { $0 = outcome }
            for _ in 0..<waiters { turn.ends.signal() }
            passOn()
            return outcome
        case .shares(let turn):
            turn.ends.wait()
            return turn.outcome.withLock { $0 }
        }
    }

    private func passOn() {
        let next = state.withLock { state in
            state.isBusy = state.next != nil
            return state.next
        }
        next?.begins.signal()
    }
}
