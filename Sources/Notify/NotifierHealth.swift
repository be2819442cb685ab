import Model

/// Whether a notifier does its work.
package struct NotifierHealth: Sendable {
    /// Whether its loop runs.
    package var isRunning: Bool
    /// The time for which the oldest due flush has been waiting for the loop, ms; 0 if none waits.
    package var delay: Int64
    /// The integrations whose last notification failed, and the time since which all of theirs have, ms.
    package var failing: [(name: String, since: Int64)]
}
