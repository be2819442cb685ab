/// The delays between attempts, growing and with jitter: 0.5 s, × 1.5, at most a minute, ± 50 %.
package struct Backoff: Sendable {
    private var interval = 500.0

    package init() {}

    /// The delay before the next attempt in ms.
    ///
    /// - Parameter random: 0 ..< 1.
    package mutating func next(random: Double) -> Int64 {
        let pause = interval * (0.5 + random)
        interval = min(interval * 1.5, 60_000)
        return Int64(pause)
    }
}
