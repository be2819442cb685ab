/// The requests that run or wait when the daemon stops.
enum LastRequests {
    /// The longest time for the answer of each request, ms, so that one that hangs does not delay the stop.
    static let time: Int64 = 2000
}
