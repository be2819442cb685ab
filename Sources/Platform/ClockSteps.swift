/// Finds steps of the wall clock: the times when it was set, compared with the monotonic clock.
///
/// It is a value to which both clocks are passed repeatedly. Slow corrections, as by NTP, do not count as steps.
public struct ClockSteps: Sendable {
    /// The smallest difference that counts as a step, ms.
    public static let threshold: Int64 = 500

    /// The wall clock minus the monotonic clock at the last check, ms; nil before the first.
    private var offset: Int64?
    /// The number of steps.
    public private(set) var count = 0

    public init() {}

    /// Checks both clocks.
    ///
    /// - Parameters:
    ///   - wall: ms since the epoch.
    ///   - monotonic: ns.
    /// - Returns: The ms by which the wall clock was set forward (positive) or back since the last check; nil if it was
    ///   not.
    public mutating func observe(wall: Int64, monotonic: Int64) -> Int64? {
        let next = wall.subtractingReportingOverflow(monotonic / 1_000_000).partialValue
        defer { offset = next }
        guard let offset else { return nil }
        let step = next.subtractingReportingOverflow(offset).partialValue
        guard step.magnitude >= Self.threshold.magnitude else { return nil }
        count += 1
        return step
    }

    /// Checks the clocks of `clock`.
    public mutating func observe(_ clock: any Clock) -> Int64? {
        // If the thread is interrupted between two reads, there would seem to be a step.
        for _ in 0..<8 {
            let before = clock.monotonic()
            let wall = clock.now()
            let after = clock.monotonic()
            if after &- before < 50_000_000 { return observe(wall: wall, monotonic: after) }
        }
        return nil
    }
}
