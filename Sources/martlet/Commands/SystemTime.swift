import Platform

/// The current time, for commands without their own clock.
enum SystemTime {
    /// ms since the epoch.
    static var now: Int64 { SystemClock().now() }
}
