import Glibc
import Platform

/// What a signal asks of the daemon.
enum SignalRequest: Sendable {
    case reload
    case stop
}

/// Waits for signals on a thread of its own, so that handling one may do anything.
enum Signals {
    /// Blocks the signals for all threads started from now on, and hands each to `handler`.
    static func listen(_ handler: @escaping @Sendable (SignalRequest) -> Void) {
        var set = sigset_t()
        sigemptyset(&set)
        for signal in [SIGTERM, SIGINT, SIGHUP] { sigaddset(&set, signal) }
        pthread_sigmask(SIG_BLOCK, &set, nil)
        let waited = set
        _ = Thread.start("signals") {
            var set = waited
            while true {
                var signal: Int32 = 0
                guard sigwait(&set, &signal) == 0 else { continue }
                handler(signal == SIGHUP ? .reload : .stop)
            }
        }
    }
}
