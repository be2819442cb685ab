import Dispatch
import Glibc
import Platform
import Synchronization
import Telemetry

/// Who asked the daemon to end, and how urgently.
final class StopRequest: Sendable {
    /// What a signal that asks for the end means.
    enum Meaning: Equatable {
        /// The signal repeats the one before it.
        case repetition
        /// The shutdown begins.
        case begin
        /// The shutdown waits for nobody any more.
        case hurry
        /// The process ends at once.
        case exit
    }

    private struct State {
        var signals = 0
        /// When the last of them came, of the monotonic clock, ns; nil before the first.
        var last: Int64?
    }

    /// How soon a second signal is no second wish, ns.
    static let sameStop: Int64 = 300_000_000

    let hurry = Hurry()
    private let clock: any Clock
    private let state = Mutex(State())
    private let requested = DispatchSemaphore(value: 0)
    private let log = Log("main")

    init(clock: any Clock) { self.clock = clock }

    /// Waits until somebody asks for the end.
    func wait() { requested.wait() }

    /// Asks for the end.
    func request() { requested.signal() }

    /// Takes a signal that asks for the end.
    func signal(_ name: String, isStopping: Bool) {
        switch meaning(isStopping: isStopping) {
        case .repetition: break
        case .begin:
            log.info("Received an OS signal, exiting gracefully...", ["signal": name])
            request()
        case .hurry:
            log.warn("Received another OS signal, waiting for nobody any more", ["signal": name])
            hurry.begin()
        case .exit: _exit(1)
        }
    }

    /// Counts a signal: the first begins the shutdown, the second cuts its waits short, and the third ends the process
    /// even while the store is being closed, whose log is then replayed.
    ///
    /// One that follows another within ``sameStop`` says the same again: `timeout` and terminals signal a process and
    /// its group at once.
    func meaning(isStopping: Bool) -> Meaning {
        let now = clock.monotonic()
        return state.withLock { state in
            let last = state.last
            state.last = now
            if let last, now &- last < Self.sameStop { return .repetition }
            state.signals += 1
            if state.signals == 1, !isStopping { return .begin }
            return hurry.isOn ? .exit : .hurry
        }
    }
}
