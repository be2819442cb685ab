/// Finds steps of the wall clock: moments when it was set, against the monotonic clock.
///
/// A value that is told both clocks now and then. Slow corrections, as NTP makes them, are no steps.
public struct ClockSteps: Sendable {
    /// A smaller difference is no step, ms.
    public static let threshold: Int64 = 500

    /// The wall clock less the monotonic clock at the last look, ms; nil before the first.
    private var offset: Int64?
    /// Steps found.
    public private(set) var count = 0

    public init() {}

    /// Looks at both clocks.
    ///
    /// - Parameters:
    ///   - wall: ms since the epoch.
    ///   - monotonic: ns.
    /// - Returns: By how many ms the wall clock was set forward (positive) or back since the last look; nil if it was
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

    /// Looks at the clocks of `clock`.
    public mutating func observe(_ clock: any Clock) -> Int64? {
        // A thread that is put aside between two reads would see a step that there was not.
        for _ in 0..<8 {
            let before = clock.monotonic()
            let wall = clock.now()
            let after = clock.monotonic()
            if after &- before < 50_000_000 { return observe(wall: wall, monotonic: after) }
        }
        return nil
    }
}
