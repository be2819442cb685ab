import GoCompatibility
import Model
import Platform
import Synchronization
import Telemetry

/// What the store takes for the time where it decides about data.
extension TimeSeriesStore {
    /// The newest time of the head, ms, but none that is ahead of the wall clock by more than the tolerance; `Int64.min`
    /// if the head is empty.
    var newestUntilNow: Int64 {
        min(
            head.newest.load(ordering: .relaxed),
            clock.now().addingReportingOverflow(TrustedTime.tolerance).partialValue)
    }

    /// Steps of the wall clock that were seen since the start.
    public var clockStepCount: Int { clockSteps.withLock { $0.count } }

    /// Why blocks beyond retention are kept for now; nil if none are.
    public var retentionWait: String? { retentionWaits.withLock { $0 } }

    /// Samples of the store that are ahead of the wall clock: the newest time, ms; nil if there are none.
    public var futureTime: Int64? {
        let limit = clock.now().addingReportingOverflow(TrustedTime.tolerance).partialValue
        let newest = ([head.newest.load(ordering: .relaxed)] + blockSet.readers.map(\.maxTime)).max() ?? .min
        return newest > limit ? newest : nil
    }

    /// Takes both clocks in, and says so if the wall clock was set.
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

    /// Drops the blocks beyond retention, as far as the time can be trusted.
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
        // By all that the clock says.
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

    /// Makes blocks of what the head holds of the future, so that what is deleted there is gone, and may come anew when
    /// that time comes; needs the upkeep's lock.
    func cutFuture() throws {
        upkeep.assertHeld()
        let newest = newestUntilNow
        let windows = head.windows().filter { $0 &- options.blockDuration > newest }
        for end in windows { try cutWithinSize([end]) }
        if !windows.isEmpty { try writeCheckpointWithinSize() }
    }
}
