/// The rule for how far the wall clock is trusted when data is deleted.
///
/// A clock may be wrong for a second, for example at boot. Therefore the time from which retention counts advances with
/// the monotonic clock. A wall clock that is ahead of this time is only trusted after it has run without a step for a
/// while, which is longer the farther it is ahead. An earlier time is trusted immediately, because it deletes less.
struct TrustedTime: Sendable {
    /// The longest wait before a wall clock that is ahead is trusted, ms.
    static let longestWait: Int64 = 12 * 3_600_000
    /// The shortest wait, ms.
    static let shortestWait: Int64 = 600_000
    /// The farthest that a sample or block may be ahead of the wall clock to show what time it is, ms.
    static let tolerance: Int64 = 600_000

    /// The latest trusted time, ms; nil while none is known.
    private(set) var limit: Int64?
    private var last: (wall: Int64, monotonic: Int64)?
    /// The time of the last step of the wall clock, in ms of the monotonic clock.
    private var stableSince: Int64 = 0
    private let longestWait: Int64

    /// - Parameters:
    ///   - limit: The latest trusted time before the restart, ms.
    ///   - longestWait: The longest wait, ms.
    init(limit: Int64?, longestWait: Int64 = Self.longestWait) {
        self.limit = limit
        self.longestWait = longestWait
    }

    /// Observes both clocks, ms.
    mutating func observe(wall: Int64, monotonic: Int64) {
        defer { last = (wall, monotonic) }
        guard let last else {
            stableSince = monotonic
            believe(wall, monotonic)
            return
        }
        let elapsed = max(0, monotonic &- last.monotonic)
        limit = limit.map { $0.addingReportingOverflow(elapsed).partialValue }
        let step = (wall.subtractingReportingOverflow(last.wall).partialValue).subtractingReportingOverflow(elapsed)
            .partialValue
        if step.magnitude >= 10_000 { stableSince = monotonic }
        believe(wall, monotonic)
    }

    private mutating func believe(_ wall: Int64, _ monotonic: Int64) {
        if monotonic &- stableSince >= wait(wall) { limit = max(limit ?? wall, wall) }
    }

    /// The time that the wall clock must run without a step to be trusted, ms.
    private func wait(_ wall: Int64) -> Int64 {
        guard let limit else { return longestWait }
        let (ahead, overflow) = wall.subtractingReportingOverflow(limit)
        if overflow { return longestWait }
        return min(longestWait, max(Self.shortestWait, ahead / 3))
    }

    /// The time from which retention counts, ms, given the newest time in the store that is not in the future; nil if
    /// no time is trusted.
    func retentionTime(wall: Int64, newest: Int64) -> Int64? {
        limit.map { min($0, wall, newest) }
    }

    /// The newest of `times` that is at most ``tolerance`` after `wall`, ms; nil if there is none.
    static func newest(_ times: some Sequence<Int64>, wall: Int64) -> Int64? {
        let latest = wall.addingReportingOverflow(tolerance).partialValue
        return times.filter { $0 <= latest }.max()
    }
}
