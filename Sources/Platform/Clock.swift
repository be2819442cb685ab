import Glibc

/// The time, as a parameter: the system's clock in the daemon, a manual clock in tests.
public protocol Clock: AnyObject, Sendable {
    /// Milliseconds since 1970-01-01T00:00Z; may jump.
    func now() -> Int64

    /// Nanoseconds since an arbitrary time; never decreases.
    func monotonic() -> Int64

    /// Waits for the time from now to `deadline` (ms, as ``now()``). Throws when the task is cancelled.
    ///
    /// The wait uses the monotonic clock: its length does not change when the wall clock is set meanwhile.
    func sleep(until deadline: Int64) async throws
}

/// The machine's clock.
public final class SystemClock: Clock {
    public init() {}

    public func now() -> Int64 {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return Int64(time.tv_sec) * 1000 + Int64(time.tv_nsec) / 1_000_000
    }

    public func monotonic() -> Int64 {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
    }

    public func sleep(until deadline: Int64) async throws {
        // Extremely long waits would overflow.
        let left = min(deadline.subtractingReportingOverflow(now()).partialValue, 1 << 40)
        if left > 0 { try await Sleepers.shared.sleep(nanoseconds: left * 1_000_000) }
    }
}
