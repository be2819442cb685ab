import Synchronization

/// Work that runs some time after it was requested, once for all requests until then.
final class LaterOnce: Sendable {
    private let isPlanned = Atomic(false)
    private let clock: any Clock
    private let delay: Int64
    private let work: @Sendable () -> Void

    /// - Parameter delay: The time between the first request and the work, ms.
    init(clock: any Clock, delay: Int64, _ work: @escaping @Sendable () -> Void) {
        (self.clock, self.delay, self.work) = (clock, delay, work)
    }

    func request() {
        if isPlanned.exchange(true, ordering: .relaxed) { return }
        BlockingCall.task { [self] in
            try? await clock.sleep(until: clock.now() &+ delay)
            // A request during the work may be about something that the work has already passed.
            isPlanned.store(false, ordering: .relaxed)
            work()
        }
    }
}
