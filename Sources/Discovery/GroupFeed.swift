import Synchronization

/// Passes the groups of one job on, one list at a time, always the newest.
///
/// The consumer may take long, so no lock is held meanwhile, and no caller waits for another one's call.
final class GroupFeed: Sendable {
    private struct State {
        var next: [TargetGroup]?
        var isBusy = false
    }

    private let state = Mutex(State())

    /// Whether groups are being passed on, or wait for that.
    var isBusy: Bool { state.withLock { $0.isBusy || $0.next != nil } }

    /// Sets the groups that ``pass(_:)`` passes on next; older ones that wait are forgotten.
    func set(_ groups: [TargetGroup]) { state.withLock { $0.next = groups } }

    /// Passes groups on until none wait.
    ///
    /// If another thread does this already, it returns at once, and the other thread passes on these groups too.
    func pass(_ body: ([TargetGroup]) -> Void) {
        while let groups = take() {
            body(groups)
            state.withLock { $0.isBusy = false }
        }
    }

    private func take() -> [TargetGroup]? {
        state.withLock { state in
            guard !state.isBusy, let next = state.next else { return nil }
            state.isBusy = true
            state.next = nil
            return next
        }
    }
}
