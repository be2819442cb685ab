import Glibc
import Synchronization

/// The limits of messages that repeat, one for each message of each component.
///
/// The messages are constants of the program, so that there are few limits.
package final class LogRepeats: Sendable {
    private struct Kind: Hashable {
        var component: String
        var message: String
    }
    private let limits = Mutex<[Kind: RepeatLimit]>([:])
    private let now: @Sendable () -> Int64

    /// - Parameter now: The time in ms of a clock that is never set.
    package init(now: @escaping @Sendable () -> Int64 = LogRepeats.monotonic) { self.now = now }

    /// The number of equal messages that were left out before this one, or nil if this one is left out.
    func admit(_ component: String, _ message: String, _ subject: [String]) -> Int? {
        let kind = Kind(component: component, message: message)
        // The value depends on a random seed: nobody can find a subject that has the value of another one.
        let hash = subject.hashValue
        let time = now()
        return limits.withLock { $0[kind, default: RepeatLimit()].admit(hash, at: time) }
    }

    package static let monotonic: @Sendable () -> Int64 = {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return Int64(time.tv_sec) * 1000 + Int64(time.tv_nsec) / 1_000_000
    }
}
