import Glibc
import Platform

/// What a signal asks of the daemon.
enum SignalRequest: Sendable {
    case reload
    /// The signal's name, as Go prints it.
    case stop(String)
}

/// Waits for signals on a thread of its own, so that handling one may do anything.
enum Signals {
    private static var waited: sigset_t {
        var set = sigset_t()
        sigemptyset(&set)
        for signal in [SIGTERM, SIGINT, SIGHUP] { sigaddset(&set, signal) }
        return set
    }

    /// Ignores the signals that end a process by default but not one that is written in Go.
    ///
    /// SIGPIPE among them: a peer that goes away must be an error of the write, not the end of the process.
    static func ignoreOthers() {
        let others = [SIGPIPE, SIGUSR1, SIGUSR2, SIGALRM, SIGVTALRM, SIGPROF, SIGIO, SIGPWR, SIGXCPU, SIGXFSZ]
        // The first real-time signals belong to the system's library.
        for number in others + (35...64) { signal(number, SIG_IGN) }
    }

    /// Blocks the signals for this thread and all it starts; to be called before there is a second one.
    static func block() {
        var set = waited
        pthread_sigmask(SIG_BLOCK, &set, nil)
    }

    /// Hands each signal to `handler`, those included that came since ``block()``.
    static func listen(_ handler: @escaping @Sendable (SignalRequest) -> Void) {
        let waited = waited
        _ = Thread.start("signals") {
            var set = waited
            while true {
                var signal: Int32 = 0
                guard sigwait(&set, &signal) == 0 else { continue }
                handler(signal == SIGHUP ? .reload : .stop(signal == SIGINT ? "interrupt" : "terminated"))
            }
        }
    }
}
