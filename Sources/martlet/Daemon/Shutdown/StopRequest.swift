import Glibc
import Platform
import Synchronization
import Telemetry

/// The requests to stop the daemon, and their urgency.
final class StopRequest: Sendable {
    /// The meaning of a signal that asks for the stop.
    enum Meaning: Equatable {
        /// The signal repeats the one before it.
        case repetition
        /// The shutdown begins.
        case begin
        /// The shutdown does not wait any more.
        case hurry
        /// The process ends immediately.
        case exit
    }

    private struct State {
        var signals = 0
        /// The time of the last signal, of the monotonic clock, ns; nil before the first.
        var last: Int64?
    }

    /// The time in which a second signal counts as a repetition, ns.
    static let sameStop: Int64 = 300_000_000

    let hurry = Hurry()
    private let clock: any Clock
    private let state = Mutex(State())
    private let requested = TimedSemaphore(value: 0)
    private let log = Log("main")

    init(clock: any Clock) { self.clock = clock }

    /// Waits until the stop is requested.
    func wait() { requested.wait() }

    /// Requests the stop.
    func request() { requested.signal() }

    /// Handles a signal that asks for the stop.
    func signal(_ name: String, isStopping: Bool) {
        switch meaning(isStopping: isStopping) {
        case .repetition: break
        case .begin:
            log.info("Received an OS signal, exiting gracefully...", ["signal": name])
            request()
        case .hurry:
            log.warn("Received another OS signal, ending all waits", ["signal": name])
            hurry.begin()
        case .exit: _exit(1)
        }
    }

    /// Counts a signal: the first begins the shutdown, the second ends its waits, and the third ends the process, even
    /// while the storage is being closed; then its write-ahead log is replayed at the next start.
    ///
    /// A signal within ``sameStop`` of the last one is a repetition: `timeout` and terminals signal a process and its
    /// group at the same time.
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
