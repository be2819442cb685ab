import Config
import Model
import Platform
import Synchronization
import Telemetry

/// Runs the discovery of many jobs, and passes each job's groups on after every change.
///
/// Static groups, and the files that are read within 5 s, are passed on before ``apply(_:)`` returns. Afterwards one
/// task checks for changes once a second, and refreshes after a discoverer's interval. A file that hangs, for example
/// on a network mount that does not answer, keeps its own groups, and delays no others.
package final class DiscoveryManager: Sendable {
    private struct Refreshed {
        let task: Task<Void, Never>
        var groups: [TargetGroup] = []
    }
    private struct Job {
        var definition: DiscoveryJob
        var running: [FileDiscoveryConfig: FileSource] = [:]
        var refreshed: [RefreshedDiscovery: Refreshed] = [:]

        /// All groups in the order of the configuration.
        var groups: [TargetGroup] {
            definition.staticConfigs.enumerated().map { TargetGroup($0.element, source: "static/\($0.offset)") }
                + definition.fileDiscovery.flatMap { running[$0]?.groups ?? [] }
                + definition.refreshed.flatMap { refreshed[$0]?.groups ?? [] }
        }
    }
    private struct State {
        var jobs: [ExactText: Job] = [:]
        /// One feed for each job, also for removed ones while they pass groups on.
        var feeds: [ExactText: GroupFeed] = [:]
        var task: Task<Void, Never>?

        /// The groups that any job has found with a configuration.
        func known(_ config: RefreshedDiscovery) -> [TargetGroup] {
            jobs.values.lazy.compactMap { $0.refreshed[config] }.first?.groups ?? []
        }
    }

    private let clock: any Clock
    private let metrics: MetricRegistry
    private let updatesReceived: Counter
    private let updatesSent: Counter
    private let name: String
    private let resolver: DNSResolver
    private let onUpdate: @Sendable (_ job: String, _ groups: [TargetGroup]) -> Void
    private let state = Mutex(State())
    /// The time that ``apply(_:)`` waits for the first check of files, ms.
    private static let firstCheckTime: Int64 = 5000
    /// The most discoverers that are checked at the same time.
    private static let mostLooks = 64

    /// - Parameters:
    ///   - name: The consumer, `scrape` or `notify`; a label of the own metrics.
    ///   - onUpdate: Called with all groups of a job, from any thread, one call at a time per job. It may take long.
    package init(
        name: String, clock: any Clock, metrics: MetricRegistry, resolver: DNSResolver = DNSResolver(),
        onUpdate: @escaping @Sendable (_ job: String, _ groups: [TargetGroup]) -> Void
    ) {
        self.name = name
        self.resolver = resolver
        self.clock = clock
        self.metrics = metrics
        self.onUpdate = onUpdate
        updatesReceived = metrics.counter(
            "prometheus_sd_received_updates_total", "Total number of update events received from the SD providers.",
            ["name": name])
        updatesSent = metrics.counter(
            "prometheus_sd_updates_total", "Total number of update events sent to the SD consumers.", ["name": name])
        // They exist before the first job that needs them, so that an alert sees their first increase.
        _ = FileDiscoverer.ownMetrics(metrics)
        _ = HTTPDiscoverer.failures(metrics)
        _ = DNSDiscoverer.ownMetrics(metrics)
    }

    deinit { shutdown() }

    /// Sets the jobs of the discovery.
    ///
    /// Discoverers with an unchanged configuration continue.
    package func apply(_ jobs: [DiscoveryJob]) {
        let new = newSources(jobs)
        lookFirst(new.values.flatMap(\.values))
        let updates = state.withLock { state in
            var updates: [Update] = []
            var next: [ExactText: Job] = [:]
            for definition in jobs {
                let name = ExactText(definition.name)
                var job = Job(definition: definition)
                for config in definition.fileDiscovery {
                    job.running[config] =
                        state.jobs[name]?.running[config]
                        ?? new[name]?[config]
                }
                for config in definition.refreshed {
                    job.refreshed[config] =
                        state.jobs[name]?.refreshed[config]
                        ?? start(config, for: definition.name, known: state.known(config))
                }
                next[name] = job
                updatesReceived.increment(by: Self.received(job, state.jobs[name]))
                updates.append(update(job, &state))
            }
            for (name, job) in state.jobs { end(job, name.text, besides: next[name]) }
            for name in state.jobs.keys where next[name] == nil {
                let labels: KeyValuePairs = ["name": self.name, "config": name.text]
                metrics.remove("prometheus_sd_discovered_targets", labels)
                metrics.remove("prometheus_sd_last_update_timestamp_seconds", labels)
            }
            state.jobs = next
            state.feeds = state.feeds.filter { next[$0.key] != nil || $0.value.isBusy }
            let needsTask = next.values.contains { !$0.running.isEmpty }
            if needsTask, state.task == nil {
                state.task = Task { [weak self, clock] in
                    while !Task.isCancelled {
                        do { try await clock.sleep(until: clock.now() &+ 1000) } catch { return }
                        guard let self else { return }
                        // This is not awaited: while a file hangs, the next round checks all others.
                        BlockingCall.task { [weak self] in await self?.poll() }
                    }
                }
            } else if !needsTask {
                state.task?.cancel()
                state.task = nil
            }
            return updates
        }
        for update in updates { pass(update) }
    }

    /// Ends what a job does not use any more, and removes its metrics.
    private func end(_ job: Job, _ name: String, besides next: Job?) {
        for (config, running) in job.refreshed where next?.refreshed[config] == nil { running.task.cancel() }
        let left = Set((next?.refreshed ?? [:]).keys.map(\.mechanism))
        for mechanism in Set(job.refreshed.keys.map(\.mechanism)).subtracting(left) {
            RefreshMetrics.remove(metrics, mechanism: mechanism, job: name)
        }
    }

    /// Asks a server for groups repeatedly.
    ///
    /// - Parameter known: The groups until the first answer.
    private func start(_ config: RefreshedDiscovery, for job: String, known: [TargetGroup]) -> Refreshed {
        let discoverer: any RefreshedDiscoverer =
            switch config {
            case .http(let config): HTTPDiscoverer(config, job: job, metrics: metrics, known: known)
            case .dns(let config): DNSDiscoverer(config, job: job, resolver, metrics: metrics, known: known)
            }
        // The threads of the task pool must not wait while a long list is read.
        let task = BlockingCall.task { [weak self, clock] in
            while !Task.isCancelled {
                let groups = await discoverer.refresh()
                guard let self, !Task.isCancelled else { return }
                self.take(groups, config, job)
                do { try await clock.sleep(until: clock.now() &+ max(1000, config.interval)) } catch { return }
            }
        }
        return Refreshed(task: task, groups: known)
    }

    private func take(_ groups: [TargetGroup], _ config: RefreshedDiscovery, _ name: String) {
        let name = ExactText(name)
        let changed = state.withLock { state -> Update? in
            guard var job = state.jobs[name], job.refreshed[config] != nil else { return nil }
            updatesReceived.increment()
            let changed = job.refreshed[config]?.groups != groups
            job.refreshed[config]?.groups = groups
            state.jobs[name] = job
            return changed ? update(job, &state) : nil
        }
        if let changed { pass(changed) }
    }

    /// The file discoverers of `jobs` that do not run yet.
    private func newSources(_ jobs: [DiscoveryJob]) -> [ExactText: [FileDiscoveryConfig: FileSource]] {
        let known = state.withLock { $0.jobs.mapValues { Set($0.running.keys) } }
        var sources: [ExactText: [FileDiscoveryConfig: FileSource]] = [:]
        for job in jobs {
            let name = ExactText(job.name)
            for config in job.fileDiscovery where known[name]?.contains(config) != true {
                sources[name, default: [:]][config] = FileSource(
                    job.name, config, FileDiscoverer(config, metrics: metrics))
            }
        }
        return sources
    }

    /// Checks files for the first time, within the time limit ``firstCheckTime``.
    private func lookFirst(_ sources: [FileSource]) {
        if sources.isEmpty { return }
        let isDone = TimedSemaphore(value: 0)
        BlockingCall.task { [weak self] in
            await self?.look(at: sources)
            isDone.signal()
        }
        _ = isDone.wait(milliseconds: Self.firstCheckTime)
    }

    /// Checks every discoverer whose files have changed or that is due.
    package func poll() async {
        await look(at: state.withLock { $0.jobs.values.flatMap(\.running.values) })
    }

    /// Checks the files of several discoverers at the same time; those that are being checked already are skipped.
    private func look(at sources: [FileSource]) async {
        await withTaskGroup(of: Void.self) { group in
            for (number, source) in sources.enumerated() {
                if number >= Self.mostLooks { await group.next() }
                group.addTask { [self] in await look(at: source) }
            }
        }
    }

    private func look(at source: FileSource) async {
        guard let hasChanged = await source.look(clock) else { return }
        let changed = state.withLock { state -> Update? in
            // Gone meanwhile, or not there yet: then ``apply(_:)`` passes on what was found.
            guard let job = state.jobs[ExactText(source.job)], job.running[source.config] === source else { return nil }
            updatesReceived.increment()
            return hasChanged ? update(job, &state) : nil
        }
        if let changed { pass(changed) }
    }

    /// The groups of all jobs at this time.
    package func groups() -> [ExactText: [TargetGroup]] { state.withLock { $0.jobs.mapValues(\.groups) } }

    /// Stops checking for changes.
    package func shutdown() {
        state.withLock { state in
            state.task?.cancel()
            state.task = nil
            for job in state.jobs.values {
                for running in job.refreshed.values { running.task.cancel() }
            }
            state.jobs = [:]
        }
    }

    /// The number of lists that a job has with a new configuration at once: static ones, and those of files.
    private static func received(_ new: Job, _ old: Job?) -> Int {
        let definition = new.definition
        let isStatic = definition.fileDiscovery.isEmpty && definition.refreshed.isEmpty
        let hasStatic = isStatic || !definition.staticConfigs.isEmpty
        let changed = hasStatic && old?.definition.staticConfigs != definition.staticConfigs ? 1 : 0
        return changed + new.running.filter { old?.running[$0.key] !== $0.value }.count
    }

    /// A job whose groups have changed.
    private struct Update {
        var job: String
        var feed: GroupFeed
    }

    /// Gives the groups of a job to its feed, which passes them on after the lock is released.
    private func update(_ job: Job, _ state: inout State) -> Update {
        let key = ExactText(job.definition.name)
        let feed = state.feeds[key] ?? GroupFeed()
        state.feeds[key] = feed
        let groups = job.groups
        metrics.gauge(
            "prometheus_sd_discovered_targets", "Current number of discovered targets.",
            ["name": name, "config": job.definition.name]
        ).set(Double(groups.reduce(0) { $0 + $1.targets.count }))
        updatesSent.increment()
        metrics.gauge(
            "prometheus_sd_last_update_timestamp_seconds",
            "Timestamp of the last update sent to the SD consumers.", ["name": name, "config": job.definition.name]
        ).set(Double(clock.now()) / 1000)
        feed.set(groups)
        return Update(job: job.definition.name, feed: feed)
    }

    private func pass(_ update: Update) { update.feed.pass { onUpdate(update.job, $0) } }
}
