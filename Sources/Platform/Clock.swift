import Glibc

/// The time, as a parameter: real in the daemon, moved by hand in tests.
public protocol Clock: AnyObject, Sendable {
    /// Milliseconds since 1970-01-01T00:00Z; may jump.
    func now() -> Int64

    /// Nanoseconds since some moment; never goes back.
    func monotonic() -> Int64

    /// Returns at or after `deadline` (ms, as ``now()``); throws when the task is cancelled.
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
        while true {
            let left = deadline - now()
            if left <= 0 { return }
            // At most a minute at once, so that a clock set forward is noticed.
            try await Task.sleep(nanoseconds: UInt64(min(left, 60_000)) * 1_000_000)
        }
    }
}
