import Model
import Platform
import Synchronization
import Telemetry

/// Groups, mutes and delivers alerts as Alertmanager does, in this process.
///
/// ``Dispatcher``, ``NotificationPipeline``, ``NotificationLog`` and ``LedgerPlan`` make the decisions; this class runs
/// them by the clock, delivers notifications and writes the ledger. A notification is recorded after its delivery, so
/// that a crash may repeat one but loses none.
package final class Notifier: AlertSink {
    static let log = Log("notify")
    /// The time for which a resolved alert is kept after all receivers were notified, ms.
    private static let resolvedRetention: Int64 = 300_000
    private static let maintenanceInterval: Int64 = 30_000
    /// The most alerts that are looked up in their groups while the state is locked once.
    private static let alertsPerLock = 256

    let state: Mutex<State>
    let ledger: Ledger?
    /// Is locked while a change is made in memory and in the ledger.
    ///
    /// So both have the same order, and a new file contains no record that is appended to it afterwards. It is locked
    /// before ``state``, which is free during writes.
    private let order = Mutex(())
    let clock: any Clock
    private let externalURL: String
    private let random: @Sendable () -> Double
    private let wake: AsyncStream<Void>.Continuation
    private let wakes: AsyncStream<Void>
    let metrics: NotifierMetrics

    /// Makes a notifier, and reads its last state.
    ///
    /// - Parameters:
    ///   - place: The directory of the ledger; nil keeps everything in memory.
    ///   - externalURL: The URL of this daemon for receivers.
    ///   - random: 0 ..< 1, for the jitter of retries.
    package init(
        settings: NotifierSettings, ledger place: LedgerFolder?, clock: any Clock, externalURL: String,
        metrics registry: MetricRegistry = MetricRegistry(),
        random: @escaping @Sendable () -> Double = { Double.random(in: 0..<1) }
    ) throws {
        self.clock = clock
        self.externalURL = externalURL
        self.random = random
        let now = clock.now()
        var memory = LedgerState()
        if let place {
            let (ledger, stored) = try Ledger.open(folder: place.path, place.fileSystem)
            self.ledger = ledger
            memory = stored.resumed(at: now)
        } else {
            ledger = nil
        }
        memory.log.removeExpired(now: now)
        state = Mutex(
            State(
                settings: settings, dispatcher: Self.dispatcher(settings, memory, now: now), memory: memory,
                nextMaintenance: now &+ Self.maintenanceInterval))
        (wakes, wake) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
        metrics = NotifierMetrics(registry)
        metrics.collect(registry) { [weak self] in self?.gauges() ?? .init() }
    }

    // MARK: Input

    /// Accepts alerts; the loop sorts them into groups.
    package func send(_ alerts: [Alert]) {
        if alerts.isEmpty { return }
        state.withLock { $0.incoming += alerts }
        wake.yield()
    }

    /// Accepts alerts of a request, except those that are not valid.
    ///
    /// - Returns: The reasons of those that were not accepted.
    /// - Throws: If the others are not in the ledger yet.
    package func receive(_ alerts: [Alert]) throws(FileError) -> [String] {
        let now = clock.now()
        let (accepted, refusals) = admit(alerts, at: now)
        metrics.refused(invalid: refusals.count { !$0.isLimit }, overLimit: refusals.count { $0.isLimit })
        let failure = takeIn(at: now, accepted)
        wake.yield()
        if let failure { throw failure }
        return refusals.map(\.reason)
    }

    /// Starts the deliveries.
    package func start() {
        state.withLock { state in
            guard state.loop == nil else { return }
            state.isStopping = false
            state.loop = Task { [weak self] in await self?.run() }
        }
        wake.yield()
    }

    /// Stops all deliveries.
    ///
    /// Deliveries that have not succeeded are made after the next start.
    ///
    /// - Parameter grace: The time to wait for running requests to receivers, ms.
    package func stop(grace: Int64 = 5000) async {
        let tasks = state.withLock { state in
            state.isStopping = true
            let tasks = [state.loop].compactMap { $0 } + state.running.values
            state.loop = nil
            return tasks
        }
        for task in tasks { task.cancel() }
        wake.yield()
        // Running requests may take a short time to end; a receiver that does not answer must not delay the stop.
        let (over, end) = AsyncStream<Void>.makeStream()
        Task {
            for task in tasks { await task.value }
            end.finish()
        }
        let clock = clock
        let timer = Task {
            try? await clock.sleep(until: clock.now() &+ grace)
            end.finish()
        }
        for await _ in over {}
        timer.cancel()
        // The last alerts are processed, so that they are in the ledger.
        takeIn(at: clock.now())
        order.withLock { _ in
            if ledger?.isBehind == true { carryOut(.maintain) }
        }
    }

    /// Replaces routing, receivers and conditions; the state of alerts and notifications stays.
    package func reload(_ settings: NotifierSettings) {
        let now = clock.now()
        // No alert and no notification changes while ``order`` is locked; the state is free meanwhile.
        order.withLock { _ in
            let (memory, shifted) = state.withLock { ($0.memory, $0.shifted) }
            var dispatcher = Self.dispatcher(settings, memory, now: now)
            var (inhibition, alerts) = (KeptInhibitor(), memory.alerts)
            _ = inhibition.inhibitor(settings.pipeline.inhibitRules, &alerts, at: now)
            state.withLock { state in
                dispatcher.shift(by: state.shift(since: shifted))
                dispatcher.adopt(state.dispatcher)
                state.dispatcher = dispatcher
                state.settings = settings
                state.failing = [:]
                state.inhibition.replace(by: inhibition)
            }
        }
        wake.yield()
    }

    // MARK: Silences

    /// Writes the silences that `change` returns to the ledger, and then changes those in memory.
    func changeSilences(_ change: (Silences, Int64) throws -> [Silence]) throws -> [Silence] {
        try order.withLock { _ in
            let now = clock.now()
            let changed = try state.withLock { try change($0.memory.silences, now) }
            let records = changed.map { LedgerRecord.silence($0) }
            try write(change: records)
            apply(records)
            return changed
        }
    }

    private func apply(_ records: [LedgerRecord]) {
        state.withLock { state in
            for record in records { state.memory.apply(record) }
        }
    }

    // MARK: Loop

    private func run() async {
        var iterator = wakes.makeAsyncIterator()
        while !Task.isCancelled {
            followClock()
            let now = clock.now()
            let next = min(step(at: now), now &+ Self.maintenanceInterval)
            let (clock, wake) = (clock, wake)
            let timer = Task {
                do { try await clock.sleep(until: next) } catch { return }
                wake.yield()
            }
            _ = await iterator.next()
            timer.cancel()
        }
    }

    /// Adjusts times after the wall clock was set; tests with a manual clock call this themselves.
    package func followClock() {
        state.withLock { state in
            if let step = state.steps.observe(clock) { state.shift(by: step) }
        }
    }

    /// Processes new alerts, begins flushes that are due, and removes old state.
    ///
    /// The loop of ``start()`` calls this; tests with a manual clock call it themselves.
    ///
    /// - Returns: The time of the next call, ms.
    package func step(at now: Int64) -> Int64 {
        takeIn(at: now)
        maintain(at: now)
        var (due, inhibitor, next) = state.withLock { state in
            let due: [DueGroup] = state.isStopping ? [] : state.dispatcher.takeDue(at: now).reversed()
            let inhibitor = due.isEmpty ? nil : state.inhibitor(at: now)
            return (due, inhibitor, min(state.dispatcher.nextDeadline ?? .max, state.nextMaintenance))
        }
        // A group is no longer held when its delivery begins, so that the end of the flush changes the alerts in place.
        var changes: [(AlertChange, [Fingerprint])] = []
        while let inhibitor, let flush = due.popLast()?.flush { changes += begin(flush, inhibitor) }
        // They are written at once: a storm has very many groups.
        if !changes.isEmpty { keep(nil, nil, changes) }
        return next
    }

    /// Updates alerts and groups with the new alerts, and records changes in the ledger.
    ///
    /// - Parameter more: Alerts that are not in the state yet.
    /// - Returns: The reason if records are not in the ledger.
    @discardableResult
    private func takeIn(at now: Int64, _ more: [Alert] = []) -> FileError? {
        order.withLock { _ in
            let incoming = state.withLock { state in
                defer { state.incoming = [] }
                return state.incoming + more
            }
            metrics.received(incoming, at: now)
            let records = inBatches(incoming, at: now) { state, alert in Self.take(alert, now: now, &state) }
            let failure = carryOut(.record, records)
            return ledger?.isBehind == true ? failure : nil
        }
    }

    /// Calls `body` with each alert, and frees the state now and then.
    private func inBatches<Element: Sendable, Result: Sendable>(
        _ alerts: [Element], at now: Int64, _ body: (inout State, Element) -> Result?
    ) -> [Result] {
        var results: [Result] = []
        for start in stride(from: 0, to: alerts.count, by: Self.alertsPerLock) {
            let batch = alerts.dropFirst(start).prefix(Self.alertsPerLock)
            results += state.withLock { state in
                defer { _ = state.inhibitor(at: now) }
                return batch.compactMap { body(&state, $0) }
            }
        }
        return results
    }

    private static func take(_ alert: Alert, now: Int64, _ state: inout State) -> LedgerRecord? {
        let old = state.memory.alerts.byFingerprint[Fingerprint(alert.labels)]
        if old == nil, alert.isResolved(at: now) {
            // Senders repeat resolutions for longer than the alerts are kept here.
            var alert = alert
            alert.updatedAt = now
            if alert.startsAt == 0 { alert.startsAt = alert.endsAt }
            state.dispatcher.repeatResolution(NotifiedAlert(alert))
            return nil
        }
        let new = state.memory.alerts.update(
            alert, now: now, resolveTimeout: state.settings.resolveTimeout)
        if old?.isResolved(at: now) ?? false, new.isResolved(at: now) {
            state.dispatcher.repeatResolution(new)
        } else {
            state.dispatcher.insert(new, now: now)
        }
        guard let old, old.alert.annotations == new.alert.annotations, old.alert.startsAt == new.alert.startsAt,
            old.alert.generatorURL == new.alert.generatorURL, old.endIsAssumed == new.endIsAssumed
        else { return .alert(new) }
        return .extended(new.fingerprint, endsAt: new.alert.endsAt, updatedAt: now)
    }

    // MARK: Ledger

    /// Does what ``LedgerPlan`` decides; ``order`` is locked.
    ///
    /// - Returns: The first failure.
    @discardableResult
    private func carryOut(_ task: LedgerPlan.Task, _ records: [LedgerRecord] = []) -> FileError? {
        guard let ledger else { return nil }
        let wasBehind = ledger.isBehind
        var failure: FileError?
        var action = decide(ledger) { $0.begin(task, $1, at: $2) }
        while true {
            var isDone = true
            do throws(FileError) {
                switch action {
                case .append: if task == .change { try ledger.append(records) } else { try ledger.record(records) }
                case .replace: try replace(ledger)
                case .wait(let time):
                    state.withLock { $0.nextMaintenance = min($0.nextMaintenance, clock.now() &+ time) }
                    return failure
                case .end: return failure
                }
            } catch {
                isDone = false
                if failure == nil { report(error, task, wasBehind: wasBehind) }
                failure = failure ?? error
            }
            action = decide(ledger) { $0.next(isDone, $1, at: $2) }
        }
    }

    private func decide(
        _ ledger: Ledger, _ body: (inout LedgerPlan, LedgerStatus, _ now: Int64) -> LedgerPlan.Action
    ) -> LedgerPlan.Action {
        let (status, now) = (ledger.status, clock.monotonic() / 1_000_000)
        return state.withLock { body(&$0.ledgerPlan, status, now) }
    }

    private func report(_ error: FileError, _ task: LedgerPlan.Task, wasBehind: Bool) {
        metrics.ledgerFailures.increment()
        if wasBehind { return }
        if task == .maintain {
            Self.log.error("Compacting the notification log failed", ["err": "\(error)"])
        } else if ledger?.isBehind == true {
            Self.log.error(
                "The notification log cannot be written; missing records will be added as soon as possible",
                ["err": "\(error)"])
        }
    }

    /// Replaces the file by one with the memory; ``order`` is locked.
    private func replace(_ ledger: Ledger) throws(FileError) {
        let wasBehind = ledger.isBehind
        try ledger.compact(state.withLock { $0.memory })
        if wasBehind { Self.log.info("The notification log is complete again") }
    }

    /// Writes records of what is not in memory yet; ``order`` is locked.
    private func write(change records: [LedgerRecord]) throws {
        guard let ledger, let failure = carryOut(.change, records) else { return }
        let remaining = ledger.takeRemaining()
        if remaining.isEmpty { throw failure }
        // Memory must be what the next start reads.
        apply(remaining)
        Self.log.error(
            "A change of a silence failed, but could not be reversed", about: ["\(failure)"], ["err": "\(failure)"])
        throw LedgerError(description: "\(failure); the change is effective, because it could not be reversed")
    }

    private func maintain(at now: Int64) {
        order.withLock { _ in
            let old: (alerts: [NotifiedAlert], silences: [String])? = state.withLock { state in
                guard now >= state.nextMaintenance else { return nil }
                state.nextMaintenance = now &+ Self.maintenanceInterval
                state.memory.log.removeExpired(now: now)
                let alerts = state.memory.alerts.resolved(before: now &- Self.resolvedRetention)
                return (alerts, state.memory.silences.removeExpired(now: now))
            }
            guard let old else { return }
            // The alerts stay resolved, because they are updated only while ``order`` is locked.
            let removed = inBatches(old.alerts, at: now) { state, alert -> LedgerRecord? in
                if state.dispatcher.holds(alert) { return nil }
                let record = LedgerRecord.alertRemoved(alert.fingerprint)
                state.memory.apply(record)
                return record
            }
            carryOut(.record, removed + old.silences.map { .silenceRemoved($0) })
            metrics.maintained(succeeded: carryOut(.maintain) == nil)
        }
    }

    // MARK: Delivery

    /// Returns when all running deliveries have ended.
    package func settle() async {
        while let task = state.withLock({ $0.running.first?.value }) { await task.value }
    }

    /// Begins the deliveries of a flush, and returns the states of the alerts that are not delivered.
    private func begin(_ flush: GroupFlush, _ inhibitor: Inhibitor) -> [(AlertChange, [Fingerprint])] {
        let (pipeline, silences, last) = state.withLock { state in
            let pipeline = state.settings.pipeline
            let last = pipeline.integrations(of: flush.route).map {
                state.memory.log.entry(groupKey: flush.groupKey, groupID: flush.groupID, receiver: $0)
            }
            return (pipeline, state.memory.silences.active(at: flush.time), last)
        }
        // Many silences may be compared with many alerts, which are also sorted, so the state is free meanwhile.
        let judged = pipeline.judged(flush, inhibitor: inhibitor, silences: silences)
        metrics.suppressed(judged.muted)
        metrics.queriedLog(last.count)
        let notifications = pipeline.notifications(for: flush, of: judged.left, last: last)
        let changes = pipeline.changes(of: judged, in: flush, last: last, notifications)
        if notifications.isEmpty {
            state.withLock { $0.dispatcher.finish(flush, succeeded: true) }
            wake.yield()
            return changes
        }
        state.withLock { state in
            let id = state.nextTask
            state.nextTask += 1
            let shifted = state.shifted
            state.running[id] = Task { [weak self] in
                await self?.deliver(notifications, flush, shifted)
                _ = self?.state.withLock { $0.running.removeValue(forKey: id) }
                self?.wake.yield()
            }
        }
        return changes
    }

    /// Delivers to all integrations of the receiver at once.
    ///
    /// - Parameter shifted: The value of ``shifted`` when the flush began.
    private func deliver(_ notifications: [Notification], _ flush: GroupFlush, _ shifted: Int64) async {
        let succeeded = await withTaskGroup(of: Bool.self) { group in
            for notification in notifications {
                group.addTask { await self.deliver(notification, shifted) }
            }
            var succeeded = true
            for await one in group { succeeded = succeeded && one }
            return succeeded
        }
        state.withLock { state in
            state.dispatcher.finish(flush, succeeded: succeeded, shiftedBy: state.shift(since: shifted))
        }
    }

    private func deliver(_ notification: Notification, _ shifted: Int64) async -> Bool {
        var succeeded = true
        var delivery: Delivery?
        if notification.isSent {
            let key = notification.entry.key
            let call = IntegrationCall(
                notification: notification, externalURL: externalURL, clock: clock, random: random
            ) { [weak self] delivery in self?.state.withLock { $0.repeated[key] = delivery } }
            let result = await call.run(metrics: metrics)
            state.withLock { $0.repeated[key] = nil }
            // A cancelled call is not a failure of the receiver.
            if result.outcome == .failed, Task.isCancelled { return false }
            succeeded = result.outcome == .delivered
            delivery = result
            let (name, now) = (ExactText(notification.name), clock.now())
            state.withLock { $0.failing[name] = succeeded ? nil : $0.failing[name] ?? now }
            metrics.notified(
                notification.integration.kind, failure: call.failure(result), seconds: Double(result.duration) / 1000)
            if !succeeded {
                Self.log.error("Notify for alerts failed", about: call.subject(result), call.fields(result))
            }
        }
        keep(
            delivery, succeeded ? (notification.entry, shifted) : nil,
            delivery?.changes(at: clock.now(), notification.flush.groupKey) ?? [])
        return succeeded
    }

    /// Records a delivery, the notification if it succeeded, and those states of alerts that are new.
    private func keep(
        _ delivery: Delivery?, _ notified: (entry: NotificationEntry, shifted: Int64)?,
        _ changes: [(AlertChange, [Fingerprint])]
    ) {
        order.withLock { _ in
            let records = state.withLock { state in
                var records: [LedgerRecord] = delivery.map { [.delivery($0)] } ?? []
                if let notified {
                    // The repeat interval counts from the success.
                    let entry = notified.entry.shifted(by: state.shift(since: notified.shifted))
                    records.append(.notified(entry.shifted(by: delivery?.duration ?? 0)))
                }
                records += state.memory.news(changes)
                for record in records { state.memory.apply(record) }
                return records
            }
            carryOut(.record, records)
        }
    }
}
