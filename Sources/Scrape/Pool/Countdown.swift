import Platform
import Synchronization

/// Waits for a number of events.
final class Countdown: Sendable {
    private let left: Atomic<Int>
    private let done = TimedSemaphore(value: 0)

    init(_ count: Int) { left = Atomic(count) }

    func countDown() {
        if left.subtract(1, ordering: .acquiringAndReleasing).newValue == 0 { done.signal() }
    }

    /// Returns after all events, or after the timeout.
    func wait(milliseconds: Int64) { _ = done.wait(milliseconds: milliseconds) }
}
