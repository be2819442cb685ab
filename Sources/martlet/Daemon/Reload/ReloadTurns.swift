import Platform
import Synchronization

/// Reloads, one at a time; all who ask while one is under way share the next one.
///
/// So nobody waits for longer than two reloads, however many ask.
final class ReloadTurns: Sendable {
    typealias Outcome = String?

    /// A reload that begins when the one under way has ended.
    private final class Turn: Sendable {
        let begins = TimedSemaphore(value: 0)
        let ends = TimedSemaphore(value: 0)
        let outcome = Mutex<Outcome>(nil)
    }

    private struct State {
        var isBusy = false
        var next: Turn?
        /// Those who share ``next`` and do not run it.
        var guests = 0
    }

    private enum Part { case runs, leads(Turn), shares(Turn) }

    private let state = Mutex(State())

    /// Those who share the next reload and do not run it.
    var guests: Int { state.withLock(\.guests) }

    /// Runs `body`, or shares what another's `body` returns that begins from now on; the thread waits.
    func run(_ body: () -> Outcome) -> Outcome {
        let part = state.withLock { state -> Part in
            if !state.isBusy {
                state.isBusy = true
                return .runs
            }
            if let next = state.next {
                state.guests += 1
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
            let guests = state.withLock { state in
                defer { (state.next, state.guests) = (nil, 0) }
                return state.guests
            }
            let outcome = body()
            turn.outcome.withLock { $0 = outcome }
            for _ in 0..<guests { turn.ends.signal() }
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
