import Config
import Model
import Platform
import Synchronization
import Telemetry

/// Runs the discovery of many jobs and hands each job's groups on whenever they change.
///
/// Static groups, and the first look at files, are handed over before ``apply(_:)`` returns. Afterwards one task looks
/// for changes once a second, and refreshes when a discoverer's interval is over. A file that hangs, as on a network
/// mount that does not answer, keeps the groups of its discoverer as they are, and nothing else.
package final class DiscoveryManager: Sendable {
    private struct Running {
        let discoverer: FileDiscoverer
        var groups: [TargetGroup]
        /// ms of the monotonic clock.
        var nextRefresh: Int64
        /// Whether a thread is looking at the files.
        var isBusy = false
    }
    /// A discoverer whose files are being looked at.
    private struct Look: Sendable {
        var job: String
        var config: FileDiscoveryConfig
        var discoverer: FileDiscoverer
        /// Whether the files are read although they seem to be as they were.
        var isDue = true
    }
    /// What the first look at a discoverer's files has found; nil as long as it goes on.
    private final class FirstLook: Sendable {
        let look: Look
        let groups = Mutex<[TargetGroup]?>(nil)

        init(_ look: Look) { self.look = look }
    }
    private struct RunningHTTP {
        let task: Task<Void, Never>
        var groups: [TargetGroup] = []
    }
    private struct Job {
        var definition: DiscoveryJob
        var running: [FileDiscoveryConfig: Running] = [:]
        var runningHTTP: [HTTPDiscoveryConfig: RunningHTTP] = [:]

        /// All groups in the order of the configuration.
        var groups: [TargetGroup] {
            definition.staticConfigs.enumerated().map { TargetGroup($0.element, source: "static/\($0.offset)") }
                + definition.fileDiscovery.flatMap { running[$0]?.groups ?? [] }
                + definition.httpDiscovery.flatMap { runningHTTP[$0]?.groups ?? [] }
        }
    }
    private struct State {
        var jobs: [String: Job] = [:]
        var task: Task<Void, Never>?
    }

    private let clock: any Clock
    private let metrics: MetricRegistry
    private let name: String
    private let onUpdate: @Sendable (_ job: String, _ groups: [TargetGroup]) -> Void
    private let state = Mutex(State())
    /// How long ``apply(_:)`` waits for the first looks at files, ms.
    private static let patience: Int64 = 5000

    /// - Parameters:
    ///   - name: Who consumes: `scrape` or `notify`; a label of the own metrics.
    ///   - onUpdate: Called with all groups of a job, from any thread, one call at a time per manager.
    package init(
        name: String, clock: any Clock, metrics: MetricRegistry,
        onUpdate: @escaping @Sendable (_ job: String, _ groups: [TargetGroup]) -> Void
    ) {
        self.name = name
        self.clock = clock
        self.metrics = metrics
        self.onUpdate = onUpdate
    }

    deinit { shutdown() }

    /// Discovers for exactly `jobs` from now on.
    ///
    /// Discoverers whose configuration is unchanged go on.
    package func apply(_ jobs: [DiscoveryJob]) {
        let firstLooks = lookFirst(jobs)
        state.withLock { state in
            var next: [String: Job] = [:]
            for definition in jobs {
                var job = Job(definition: definition)
                for config in definition.fileDiscovery {
                    job.running[config] =
                        state.jobs[definition.name]?.running[config]
                        ?? firstLooks[definition.name]?[config].map(running)
                }
                for config in definition.httpDiscovery {
                    job.runningHTTP[config] =
                        state.jobs[definition.name]?.runningHTTP[config]
                        ?? RunningHTTP(task: ask(config, for: definition.name))
                }
                next[definition.name] = job
                publish(job)
            }
            for (name, job) in state.jobs {
                for (config, running) in job.runningHTTP where next[name]?.runningHTTP[config] == nil {
                    running.task.cancel()
                }
            }
            for name in state.jobs.keys where next[name] == nil {
                let labels: KeyValuePairs = ["name": self.name, "config": name]
                metrics.remove("prometheus_sd_discovered_targets", labels)
                metrics.remove("prometheus_sd_last_update_timestamp_seconds", labels)
            }
            state.jobs = next
            let needsTask = next.values.contains { !$0.running.isEmpty }
            if needsTask, state.task == nil {
                state.task = Task { [weak self, clock] in
                    while !Task.isCancelled {
                        do { try await clock.sleep(until: clock.now() &+ 1000) } catch { return }
                        guard let self else { return }
                        // Not waited for: while a file hangs, the next round looks at all others.
                        BlockingCall.start { [weak self] in self?.poll() }
                    }
                }
            } else if !needsTask {
                state.task?.cancel()
                state.task = nil
            }
        }
    }

    /// Asks a web server again and again.
    private func ask(_ config: HTTPDiscoveryConfig, for job: String) -> Task<Void, Never> {
        let discoverer = HTTPDiscoverer(config, job: job, metrics: metrics)
        return Task { [weak self, clock] in
            while !Task.isCancelled {
                let groups = await discoverer.refresh()
                guard let self, !Task.isCancelled else { return }
                self.take(groups, config, job)
                do { try await clock.sleep(until: clock.now() &+ max(1000, config.refreshInterval)) } catch { return }
            }
        }
    }

    private func take(_ groups: [TargetGroup], _ config: HTTPDiscoveryConfig, _ name: String) {
        state.withLock { state in
            guard var job = state.jobs[name], job.runningHTTP[config] != nil else { return }
            received()
            let changed = job.runningHTTP[config]?.groups != groups
            job.runningHTTP[config]?.groups = groups
            state.jobs[name] = job
            if changed { publish(job) }
        }
    }

    /// Looks at the files that are new in `jobs`, for as long as that takes or ``patience`` lasts.
    private func lookFirst(_ jobs: [DiscoveryJob]) -> [String: [FileDiscoveryConfig: FirstLook]] {
        let known = state.withLock { $0.jobs.mapValues { Set($0.running.keys) } }
        var looks: [String: [FileDiscoveryConfig: FirstLook]] = [:]
        for job in jobs {
            for config in job.fileDiscovery where known[job.name]?.contains(config) != true {
                looks[job.name, default: [:]][config] = FirstLook(
                    Look(job: job.name, config: config, discoverer: FileDiscoverer(config, metrics: metrics)))
            }
        }
        let isDone = TimedSemaphore(value: 0)
        let all = looks.values.flatMap(\.values)
        for first in all {
            BlockingCall.start { [weak self] in
                let groups = first.look.discoverer.refresh()
                first.groups.withLock { $0 = groups }
                isDone.signal()
                self?.take(groups, first.look)
            }
        }
        let deadline = clock.monotonic() / 1_000_000 &+ Self.patience
        for _ in all {
            guard isDone.wait(milliseconds: deadline &- clock.monotonic() / 1_000_000) else { break }
        }
        return looks
    }

    private func running(_ first: FirstLook) -> Running {
        let groups = first.groups.withLock { $0 }
        return Running(
            discoverer: first.look.discoverer, groups: groups ?? [],
            nextRefresh: clock.monotonic() / 1_000_000 &+ first.look.config.refreshInterval, isBusy: groups == nil)
    }

    /// Looks at every discoverer whose files have changed or whose time has come, one after another.
    package func poll() {
        let known = state.withLock { $0.jobs.mapValues { Array($0.running.keys) } }
        for job in known {
            for config in job.value {
                guard let look = begin(job.key, config) else { continue }
                let isNeeded = look.isDue || look.discoverer.hasChanged()
                take(isNeeded ? look.discoverer.refresh() : nil, look)
            }
        }
    }

    /// Takes a discoverer for a look at its files; nil if a thread has it, or if it is gone.
    private func begin(_ job: String, _ config: FileDiscoveryConfig) -> Look? {
        let now = clock.monotonic() / 1_000_000
        return state.withLock { state in
            guard let running = state.jobs[job]?.running[config], !running.isBusy else { return nil }
            state.jobs[job]?.running[config]?.isBusy = true
            return Look(
                job: job, config: config, discoverer: running.discoverer, isDue: now >= running.nextRefresh)
        }
    }

    /// Ends a look; `groups` is nil if there was nothing to read.
    private func take(_ groups: [TargetGroup]?, _ look: Look) {
        let now = clock.monotonic() / 1_000_000
        state.withLock { state in
            guard var job = state.jobs[look.job], var running = job.running[look.config],
                running.discoverer === look.discoverer
            else { return }
            running.isBusy = false
            var hasChanged = false
            if let groups {
                received()
                hasChanged = groups != running.groups
                running.groups = groups
                running.nextRefresh = now &+ look.config.refreshInterval
            }
            job.running[look.config] = running
            state.jobs[look.job] = job
            if hasChanged { publish(job) }
        }
    }

    /// Stops looking for changes.
    package func shutdown() {
        state.withLock { state in
            state.task?.cancel()
            state.task = nil
            for job in state.jobs.values {
                for running in job.runningHTTP.values { running.task.cancel() }
            }
            state.jobs = [:]
        }
    }

    private func received() {
        metrics.counter(
            "prometheus_sd_received_updates_total", "Total number of update events received from the SD providers.",
            ["name": name]
        ).increment()
    }

    private func publish(_ job: Job) {
        let groups = job.groups
        metrics.gauge(
            "prometheus_sd_discovered_targets", "Current number of discovered targets.",
            ["name": name, "config": job.definition.name]
        ).set(Double(groups.reduce(0) { $0 + $1.targets.count }))
        metrics.counter(
            "prometheus_sd_updates_total", "Total number of update events sent to the SD consumers.", ["name": name]
        ).increment()
        metrics.gauge(
            "prometheus_sd_last_update_timestamp_seconds",
            "Timestamp of the last update sent to the SD consumers.", ["name": name, "config": job.definition.name]
        ).set(Double(clock.now()) / 1000)
        onUpdate(job.definition.name, groups)
    }
}
