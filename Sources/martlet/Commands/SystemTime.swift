import Platform

/// The time, for commands that need no clock of their own.
enum SystemTime {
    /// ms since the epoch.
    static var now: Int64 { SystemClock().now() }
}
