/// Decides how far the wall clock is believed where it deletes data.
///
/// A clock may be wrong for a second, at boot for instance. So the time that retention counts from advances with the
/// monotonic clock; a wall clock that is ahead of that is believed only after it has gone on without a step for a
/// while, the longer the farther it is ahead. A time that is earlier is believed at once: it deletes less.
struct TrustedTime: Sendable {
    /// The longest wait before a wall clock that is ahead is believed, ms.
    static let longestWait: Int64 = 12 * 3_600_000
    /// The shortest, ms.
    static let shortestWait: Int64 = 600_000
    /// A sample or block that is farther ahead of the wall clock says nothing about the time, ms.
    static let tolerance: Int64 = 600_000

    /// The latest time that is believed, ms; nil while none is known.
    private(set) var limit: Int64?
    private var last: (wall: Int64, monotonic: Int64)?
    /// When the wall clock was last set, in ms of the monotonic clock.
    private var stableSince: Int64 = 0
    private let longestWait: Int64

    /// - Parameters:
    ///   - limit: What was believed before the restart, ms.
    ///   - longestWait: Shortened by tests.
    init(limit: Int64?, longestWait: Int64 = Self.longestWait) {
        self.limit = limit
        self.longestWait = longestWait
    }

    /// Takes both clocks in, ms.
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

    /// How long the wall clock must have gone on without a step to be believed, ms.
    private func wait(_ wall: Int64) -> Int64 {
        guard let limit else { return longestWait }
        let (ahead, overflow) = wall.subtractingReportingOverflow(limit)
        if overflow { return longestWait }
        return min(longestWait, max(Self.shortestWait, ahead / 3))
    }

    /// The time that retention counts from, given the newest time that the store holds and that is not in the future;
    /// nil if none can be trusted.
    func retentionTime(wall: Int64, newest: Int64) -> Int64? {
        limit.map { min($0, wall, newest) }
    }

    /// The newest of `times` that is not in the future of `wall`, ms.
    static func newest(_ times: some Sequence<Int64>, wall: Int64) -> Int64? {
        let latest = wall.addingReportingOverflow(tolerance).partialValue
        return times.filter { $0 <= latest }.max()
    }
}
