import Model

/// The daemon's state and the ways to control it, for the API.
package protocol DaemonControl: Sendable {
    /// The reason why the daemon is not ready; nil if it is.
    var unreadyReason: String? { get }
    /// Whether the daemon is shutting down.
    var isStopping: Bool { get }
    /// The configuration without its secrets.
    var configurationText: String { get }
    var externalLabels: Labels { get }
    /// Whether the last reload succeeded, and when the configuration was last applied, ms.
    var lastReload: (succeeded: Bool, time: Int64) { get }

    /// Reads the configuration again. Returns the reason if that failed.
    func reload() -> String?
    /// Asks the daemon to end.
    func quit()
}
