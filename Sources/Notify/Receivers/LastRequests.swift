/// The requests that are under way or still to be sent when the daemon ends.
enum LastRequests {
    /// How long a partner may take for the answer of each, ms: one that hangs must not hold up the end.
    static let time: Int64 = 2000
}
