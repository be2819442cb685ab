import Config
import Model
import Synchronization

/// What the daemon does now: its configuration, its last reload, and whether it starts, serves or shuts down.
final class DaemonStatus: Sendable {
    /// A configuration in force.
    struct InForce: Sendable {
        var configuration = Configuration()
        /// The files that it was read from; nil if nobody looks at them.
        var sum: ConfigurationSum?
        /// Whether the last reload worked.
        var reloadSucceeded = true
        /// When the configuration was applied, ms.
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

    /// Why the daemon is not ready; nil if it is.
    var unreadyReason: String? {
        let (isReady, isStopping) = state.withLock { ($0.isReady, $0.isStopping) }
        if isStopping { return "shutting down" }
        return isReady ? nil : "starting up"
    }

    func serve() { state.withLock { $0.isReady = true } }

    func stop() { state.withLock { $0.isStopping = true } }

    /// Notes a configuration that is in force from `time` on.
    func apply(_ configuration: Configuration, _ sum: ConfigurationSum?, at time: Int64) {
        state.withLock {
            $0.inForce = InForce(configuration: configuration, sum: sum, reloadSucceeded: true, time: time)
        }
    }

    /// Notes a reload that failed; the configuration stays.
    func reloadFailed() { state.withLock { $0.inForce.reloadSucceeded = false } }
}
