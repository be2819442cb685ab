import GoCompatibility
import Model
import Platform
import Synchronization
import Telemetry

/// The time that the store uses for decisions about data.
extension TimeSeriesStore {
    /// The newest time of the head, ms, but not later than the wall clock plus the tolerance; `Int64.min` if the head
    /// is empty.
    var newestUntilNow: Int64 {
        min(
            head.newest.load(ordering: .relaxed),
            clock.now().addingReportingOverflow(TrustedTime.tolerance).partialValue)
    }

    /// The number of steps of the wall clock that were observed since the start.
    public var clockStepCount: Int { clockSteps.withLock { $0.count } }

    /// The reason why blocks beyond retention are kept for now; nil if none are.
    public var retentionWait: String? { retentionWaits.withLock { $0 } }

    /// The newest time of the store, ms, if it is ahead of the wall clock by more than the tolerance; otherwise nil.
    public var futureTime: Int64? {
        let limit = clock.now().addingReportingOverflow(TrustedTime.tolerance).partialValue
        let newest = ([head.newest.load(ordering: .relaxed)] + blockSet.readers.map(\.maxTime)).max() ?? .min
        return newest > limit ? newest : nil
    }

    /// Observes both clocks, and logs a step of the wall clock.
    func observeClocks() {
        let wall = clock.now()
        trustedTime.withLock { $0.observe(wall: wall, monotonic: clock.monotonic() / 1_000_000) }
        guard let step = clockSteps.withLock({ $0.observe(clock) }) else { return }
        logger.warn(
            "The wall clock was set \(step > 0 ? "forward" : "back")",
            ["by_ms": "\(step.magnitude)", "now": RFC3339.text(wall)])
        if let future = futureTime {
            logger.warn(
                "The store holds samples of the future; delete_series from now on and clean_tombstones remove them",
                ["newest": RFC3339.text(future)])
        }
    }

    /// Drops the blocks beyond retention, as far as the time is trusted.
    func dropExpired() throws {
        let retention = settings.retentionTime
        guard retention > 0 else { return retentionWaits.withLock { $0 = nil } }
        let wall = clock.now()
        let metas = blockSet.readers.map(\.meta)
        guard
            let newest = TrustedTime.newest(
                metas.map(\.maxTime) + [head.newest.load(ordering: .relaxed)].filter { $0 != .min }, wall: wall)
        else { return }
        let trusted = trustedTime.withLock { $0.retentionTime(wall: wall, newest: newest) }
        if let trusted {
            let before = blockSet.readers.count
            try blockSet.retain(now: trusted, time: retention)
            if blockSet.readers.count < before { counters.timeRetentions.wrappingAdd(1, ordering: .relaxed) }
        }
        // These blocks are expired if the wall clock is right.
        let due = CompactionPlanner.expired(blockSet.readers.map(\.meta), now: min(newest, wall), retention: retention)
        let reason =
            due.isEmpty
            ? nil
            : "the wall clock is ahead of the time until which this store is known to have run"
        let isNew = retentionWaits.withLock { known in
            defer { known = reason }
            return known == nil && reason != nil
        }
        if isNew, let reason {
            logger.warn(
                "Blocks beyond retention are kept until the time is certain",
                [
                    "blocks": "\(due.count)", "reason": reason, "now": RFC3339.text(wall),
                    "certain": trusted.map { RFC3339.text($0) } ?? "nothing yet",
                ])
        }
    }

    /// Makes blocks of the head's samples in the future, so that deleted ones are removed, and samples at these times
    /// may be added again later; needs the `maintenanceLock`.
    func cutFuture() throws {
        maintenanceLock.assertHeld()
        let newest = newestUntilNow
        let windows = head.windows().filter { $0 &- options.blockDuration > newest }
        for end in windows {
            try mergeForOpenFiles()
            try cutWithinSize([end])
        }
        if !windows.isEmpty { try writeCheckpointWithinSize() }
    }
}
