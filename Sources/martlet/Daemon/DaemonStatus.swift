import Config
import Model
import Synchronization

/// The current state of the daemon: its configuration, its last reload, and whether it starts, serves or shuts down.
final class DaemonStatus: Sendable {
    /// The configuration that is in use.
    struct InForce: Sendable {
        var configuration = Configuration()
        /// The hash of its files; nil if they are not watched.
        var sum: ConfigurationSum?
        /// Whether the last reload succeeded.
        var reloadSucceeded = true
        /// The time when the configuration was applied, ms.
        var time: Int64 = 0
    }

    private struct State {
        var inForce = InForce()
        var isReady = false
        var isStopping = false
    }

    private let state = Mutex(State())

    var inForce: InForce { state.withLock(\.inForce) }
    var isStopping: Bool { state.withLock(\.isStopping) }

    /// The reason why the daemon is not ready; nil if it is.
    var unreadyReason: String? {
        let (isReady, isStopping) = state.withLock { ($0.isReady, $0.isStopping) }
        if isStopping { return "shutting down" }
        return isReady ? nil : "starting up"
    }

    func serve() { state.withLock { $0.isReady = true } }

    func stop() { state.withLock { $0.isStopping = true } }

    /// Records that a configuration is in use from `time` on.
    func apply(_ configuration: Configuration, _ sum: ConfigurationSum?, at time: Int64) {
        state.withLock {
            $0.inForce = InForce(configuration: configuration, sum: sum, reloadSucceeded: true, time: time)
        }
    }

    /// Records a failed reload; the configuration stays.
    func reloadFailed() { state.withLock { $0.inForce.reloadSucceeded = false } }
}
