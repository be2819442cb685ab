import Platform
import Synchronization

/// Runs a step of the shutdown on its own thread, so that its time can be limited.
enum StepThread {
    /// The outcome of a step.
    enum Outcome { case ended, overdue, noThread }

    private final class State: Sendable {
        let hasEnded = Atomic(false)
        let done = TimedSemaphore(value: 0)
    }

    /// Runs `body`; returns whether it has ended within `limit` ms and before the shutdown was hurried.
    ///
    /// Without a thread it is not run, because its time could not be limited.
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

/// Whether the shutdown still waits for anything.
final class Hurry: Sendable {
    private let state = Mutex<(isOn: Bool, wait: TimedSemaphore?)>((false, nil))

    var isOn: Bool { state.withLock { $0.isOn } }

    /// Ends the current wait, and all later ones immediately.
    func begin() {
        let wait = state.withLock { state in
            state.isOn = true
            return state.wait
        }
        wait?.signal()
    }

    /// Makes a hurry signal `wait`, now or later.
    func cut(_ wait: TimedSemaphore) {
        let isOn = state.withLock { state in
            state.wait = wait
            return state.isOn
        }
        if isOn { wait.signal() }
    }
}
