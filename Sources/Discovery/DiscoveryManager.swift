import Config
import Model
import Platform
import Synchronization
import Telemetry

/// Runs the discovery of many jobs and hands each job's groups on whenever they change.
///
/// Static groups, and the first look at files, are handed over before ``apply(_:)`` returns. Afterwards one task looks
/// for changes once a second, and refreshes when a discoverer's interval is over.
package final class DiscoveryManager: Sendable {
    private struct Running {
        let discoverer: FileDiscoverer
        var groups: [TargetGroup]
        /// ms of the monotonic clock.
        var nextRefresh: Int64
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
        state.withLock { state in
            var next: [String: Job] = [:]
            for definition in jobs {
                var job = Job(definition: definition)
                for config in definition.fileDiscovery {
                    if let running = state.jobs[definition.name]?.running[config] {
                        job.running[config] = running
                    } else {
                        let discoverer = FileDiscoverer(config, metrics: metrics)
                        job.running[config] = Running(
                            discoverer: discoverer, groups: discoverer.refresh(),
                            nextRefresh: clock.monotonic() / 1_000_000 &+ config.refreshInterval)
                    }
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
                        // Files may be slow to read.
                        guard let self else { return }
                        await BlockingCall.run { [weak self] in self?.poll() ?? () }
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

    /// Looks at every discoverer whose files have changed or whose time has come.
    package func poll() {
        state.withLock { state in
            let now = clock.monotonic() / 1_000_000
            for name in state.jobs.keys {
                guard var job = state.jobs[name] else { continue }
                var changed = false
                for (config, running) in job.running {
                    guard running.discoverer.hasChanged() || now >= running.nextRefresh else { continue }
                    let groups = running.discoverer.refresh()
                    received()
                    changed = changed || groups != running.groups
                    job.running[config]?.groups = groups
                    job.running[config]?.nextRefresh = now &+ config.refreshInterval
                }
                state.jobs[name] = job
                if changed { publish(job) }
            }
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
