import Config
import Platform
import Synchronization

/// A file discoverer of a job, and the result of its last check.
final class FileSource: Sendable {
    private struct State {
        var groups: [TargetGroup] = []
        /// The time of the next read without a change of the files, ms of the monotonic clock.
        var nextRefresh = Int64.min
        var isBusy = false
    }

    let job: String
    let config: FileDiscoveryConfig
    private let discoverer: FileDiscoverer
    private let state = Mutex(State())

    init(_ job: String, _ config: FileDiscoveryConfig, _ discoverer: FileDiscoverer) {
        self.job = job
        self.config = config
        self.discoverer = discoverer
    }

    var groups: [TargetGroup] { state.withLock(\.groups) }

    /// Checks the files, and reads them if they have changed or are due.
    ///
    /// - Returns: Whether ``groups`` have changed; nil if nothing was read, or if another check is running.
    func look(_ clock: any Clock) async -> Bool? {
        let isDue = state.withLock { state -> Bool? in
            if state.isBusy { return nil }
            state.isBusy = true
            return clock.monotonic() / 1_000_000 >= state.nextRefresh
        }
        guard let isDue else { return nil }
        var groups: [TargetGroup]?
        if isDue {
            groups = await discoverer.refresh()
        } else if await discoverer.hasChanged() {
            groups = await discoverer.refresh()
        }
        return state.withLock { [groups] state in
            state.isBusy = false
            guard let groups else { return nil }
            let hasChanged = groups != state.groups
            state.groups = groups
            state.nextRefresh = clock.monotonic() / 1_000_000 &+ config.refreshInterval
            return hasChanged
        }
    }
}
