import Platform
import Synchronization

/// Runs a step of the shutdown on a thread of its own, so that its time can be limited.
enum StepThread {
    /// What became of a step.
    enum Outcome { case ended, overdue, noThread }

    private final class State: Sendable {
        let hasEnded = Atomic(false)
        let done = TimedSemaphore(value: 0)
    }

    /// Runs `body`; whether it has ended within `limit` ms, and before there was a hurry.
    ///
    /// Without a thread it is not run: nothing could limit its time.
    static func run(
        _ name: String, within limit: Int64, _ hurry: Hurry = Hurry(), _ body: @escaping @Sendable () -> Void
    ) -> Outcome {
        let state = State()
        let thread = Thread.start(name, stackSize: 8 << 20) {
            body()
            state.hasEnded.store(true, ordering: .releasing)
            state.done.signal()
        }
        guard thread != nil else { return .noThread }
        hurry.cut(state.done)
        _ = state.done.wait(milliseconds: limit)
        return state.hasEnded.load(ordering: .acquiring) ? .ended : .overdue
    }
}

/// Whether the end of the daemon waits for anybody.
final class Hurry: Sendable {
    private let state = Mutex<(isOn: Bool, wait: TimedSemaphore?)>((false, nil))

    var isOn: Bool { state.withLock { $0.isOn } }

    /// Ends the wait that goes on now, and all later ones at once.
    func begin() {
        let wait = state.withLock { state in
            state.isOn = true
            return state.wait
        }
        wait?.signal()
    }

    /// Lets a hurry signal `wait`, now or later.
    func cut(_ wait: TimedSemaphore) {
        let isOn = state.withLock { state in
            state.wait = wait
            return state.isOn
        }
        if isOn { wait.signal() }
    }
}
