import Model

/// The daemon, as the API asks about it and controls it.
package protocol DaemonControl: Sendable {
    /// Why the daemon is not ready; nil if it is.
    var unreadyReason: String? { get }
    /// Whether the daemon is shutting down.
    var isStopping: Bool { get }
    /// The configuration as it may be shown.
    var configurationText: String { get }
    var externalLabels: Labels { get }
    /// Whether the last reload worked, and when the configuration was last applied, ms.
    var lastReload: (succeeded: Bool, time: Int64) { get }

    /// Reads the configuration again; the reason if that failed.
    func reload() -> String?
    /// Asks the daemon to end.
    func quit()
}
