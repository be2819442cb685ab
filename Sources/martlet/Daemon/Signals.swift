import Glibc
import Platform

/// The action that a signal requests.
enum SignalRequest: Sendable {
    case reload
    /// The signal's name, as Go prints it.
    case stop(String)
}

/// Waits for signals on its own thread, so that a handler may call any function.
enum Signals {
    private static var waited: sigset_t {
        var set = sigset_t()
        sigemptyset(&set)
        for signal in [SIGTERM, SIGINT, SIGHUP] { sigaddset(&set, signal) }
        return set
    }

    /// Ignores the signals that end a process by default, but not a process that is written in Go.
    ///
    /// One of them is SIGPIPE: a closed connection must be an error of the write, and must not end the process.
    static func ignoreOthers() {
        let others = [SIGPIPE, SIGUSR1, SIGUSR2, SIGALRM, SIGVTALRM, SIGPROF, SIGIO, SIGPWR, SIGXCPU, SIGXFSZ]
        // The first real-time signals belong to the system's library.
        for number in others + (35...64) { signal(number, SIG_IGN) }
    }

    /// Blocks the signals for this thread and all threads that it starts.
    ///
    /// Call it before there is a second thread.
    static func block() {
        var set = waited
        pthread_sigmask(SIG_BLOCK, &set, nil)
    }

    /// Passes each signal to `handler`, including those since ``block()``.
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
