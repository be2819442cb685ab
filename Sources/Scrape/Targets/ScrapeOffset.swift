/// Distributes the scrapes of targets over the interval.
package enum ScrapeOffset {
    /// The first grid time after `now`.
    ///
    /// Each target has its own, stable phase.
    ///
    /// - Parameters:
    ///   - now: ms since the epoch.
    ///   - interval: ms, positive.
    ///   - identity: The identity of the target.
    ///   - seed: The seed of this daemon, so that replicas differ.
    package static func next(after now: Int64, interval: Int64, identity: UInt64, seed: UInt64) -> Int64 {
        // The phase is computed in nanoseconds, because it is a hash modulo the interval in nanoseconds.
        let (nanoseconds, overflow) = UInt64(max(1, interval)).multipliedReportingOverflow(by: 1_000_000)
        let offset = Int64((identity ^ seed) % (overflow ? UInt64(Int64.max) : nanoseconds) / 1_000_000)
        let base = interval - now % interval
        let next = base + offset
        return now + (next > interval ? next - interval : next)
    }
}
