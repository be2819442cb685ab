import Config
import Discovery
import HTTP
import Model
import Platform
import Synchronization
import Telemetry

/// The options of the command line for scraping.
package struct ScrapeOptions: Sendable {
    /// The `User-Agent` header.
    package var userAgent = ProductVersion.userAgent
    /// The delay of a scrape with which it still gets the scheduled time as its timestamp, ms; at most a hundredth of
    /// the interval.
    ///
    /// A negative value means that the true time is always used.
    package var timestampTolerance: Int64 = 2
    /// The number of threads that read scrape bodies.
    package var workers = 2
    /// Shifts the phases of all targets; replicas should have different values.
    package var offsetSeed: UInt64 = 0
    package var features = ScrapeFeatures()
    /// The limit of the bodies of all targets together, as sent and decompressed.
    package var bodies = ByteBudget.forBodies()

    package init() {}
}

/// The optional features of scrapes.
package struct ScrapeFeatures: Sendable {
    /// `type-and-unit-labels`: whether series get their family's type and unit as labels.
    package var typeAndUnitLabels = false
    /// `st-storage`: whether samples get the start timestamps of the scrape body.
    package var startTimes = false
    /// `created-timestamp-zero-ingestion`: whether a counter gets a sample of zero at its start.
    package var zerosAtStart = false

    /// Whether start timestamps are read.
    var readsStarts: Bool { startTimes || zerosAtStart }

    package init() {}
}

/// Scrapes the targets of the configuration, from discovery to storage.
///
/// Discovery passes target groups to the pools; one event loop sends the requests of all targets on schedule; workers
/// read the scrape bodies and commit one batch per scrape.
package final class ScrapeManager: Sendable {
    private struct State {
        var pools: [ExactText: PoolPlace] = [:]
        var isShutDown = false
        /// The time that it took to make targets of groups, by job.
        var syncLengths: [ExactText: QuantileWindow] = [:]
    }

    /// The size of the largest body that is read by the ordinary workers, bytes.
    private static let ordinaryPage = 8 << 20

    private let store: any SampleStore
    private let clock: any Clock
    private let metrics: ScrapeMetrics
    private let options: ScrapeOptions
    private let state = Mutex(State())
    private let loop: ScrapeLoop?
    /// Reports the end of scraping to the workers.
    private let cancellation = Cancellation()
    private let work: ThreadPool<ScrapeLoop.Work>
    private let largeWork: ThreadPool<ScrapeLoop.Work>
    private let discovery: Mutex<DiscoveryManager?> = Mutex(nil)
    private let log = Log("scrape manager")

    /// - Parameter giveBack: Called after many targets were removed, to return their memory to the system.
    package init(
        store: any SampleStore, clock: any Clock, metrics registry: MetricRegistry,
        options: ScrapeOptions = ScrapeOptions(), giveBack: @escaping @Sendable () -> Void = Heaps.giveBackSoon
    ) {
        self.store = store
        self.clock = clock
        self.options = options
        let metrics = ScrapeMetrics(registry)
        self.metrics = metrics
        let budget = options.bodies
        let loop = ScrapeLoop(clock: clock, seed: options.offsetSeed, budget: budget)
        self.loop = loop
        let ended = EndedTargets(giveBack)
        let makeWorker: @Sendable (Int) -> ScrapeWorker = { [cancellation] largest in
            ScrapeWorker(
                store: store, clock: clock, metrics: metrics, budget: budget, largest: largest,
                cancellation: cancellation)
        }
        // Large bodies have their own worker, so that they do not delay others.
        let largeWork = Self.pool("scrape-large", count: 1, loop, ended, { makeWorker(.max) }, passOn: { _ in })
        let work = Self.pool(
            "scrape-worker", count: max(1, options.workers), loop, ended, { makeWorker(Self.ordinaryPage) },
            passOn: { largeWork.add($0) })
        (self.work, self.largeWork) = (work, largeWork)
        if loop == nil { log.error("The HTTP client library could not be started; nothing will be scraped") }
        loop?.start { work.add($0) }
        let discovery = DiscoveryManager(name: "scrape", clock: clock, metrics: registry) { [weak self] job, groups in
            self?.sync(job, groups)
        }
        self.discovery.withLock { $0 = discovery }
        registry.addCollector { [weak self] in self?.ownFamilies() ?? [] }
        registry.addCollector { [lag = loop?.lag] in lag?.families() ?? [] }
    }

    /// Makes a pool of workers; they pass on what they leave to another pool.
    private static func pool(
        _ name: String, count: Int, _ loop: ScrapeLoop?, _ ended: EndedTargets,
        _ makeWorker: @escaping @Sendable () -> ScrapeWorker,
        passOn: @escaping @Sendable (ScrapeLoop.Work) -> Void
    ) -> ThreadPool<ScrapeLoop.Work> {
        var settings = ThreadPoolSettings(name: name)
        (settings.permanent, settings.most, settings.startsAtOnce) = (count, count, true)
        settings.withoutThread = .callerRuns
        // The loop keeps the pools, so they do not keep the loop.
        return ThreadPool(settings) { [weak loop] in
            let worker = makeWorker()
            return { work in
                switch work {
                case .page(let fetch):
                    guard worker.scrape(fetch) else { return passOn(work) }
                    let (target, completion) = (fetch.target, fetch.completion)
                    loop?.recycle(fetch)
                    if let target { loop?.release(target) }
                    completion?()
                case .end(let target, let at):
                    worker.end(target, at: at)
                    ended.add()
                }
            }
        }
    }

    /// Starts to scrape by `configuration`.
    ///
    /// Unchanged jobs continue without a gap.
    package func apply(_ configuration: Configuration) {
        let jobs = configuration.scrapeConfigs
        let now = clock.now()
        let (kept, removed) = state.withLock { state -> ([(PoolPlace, ScrapeConfig)], [PoolPlace]) in
            if state.isShutDown { return ([], []) }
            var kept: [(PoolPlace, ScrapeConfig)] = []
            var removed: [PoolPlace] = []
            let names = Set(jobs.map { ExactText($0.jobName) })
            for name in state.pools.keys where !names.contains(name) {
                if let place = state.pools.removeValue(forKey: name) { removed.append(place) }
                state.syncLengths[name] = nil
            }
            for job in jobs {
                let name = ExactText(job.jobName)
                if let place = state.pools[name] {
                    kept.append((place, job))
                } else {
                    metrics.poolsTotal.increment()
                    state.pools[name] = PoolPlace(
                        ScrapePool(ScrapeSettings(job, options), store: store, metrics: metrics), loop)
                }
            }
            return (kept, removed)
        }
        for place in removed { place.close(now: now) }
        for (place, job) in kept where !place.content.fingerprint.isExactly(job.fingerprint) {
            place.change { $0.reconfigure(ScrapeSettings(job, options), now: now) }
        }
        discovery.withLock { $0 }?.apply(
            jobs.map {
                DiscoveryJob(
                    name: $0.jobName, staticConfigs: $0.staticConfigs, fileDiscovery: $0.fileDiscovery,
                    httpDiscovery: $0.httpDiscovery, dnsDiscovery: $0.dnsDiscovery)
            })
    }

    private func sync(_ job: String, _ groups: [TargetGroup]) {
        let name = ExactText(job)
        guard let place = state.withLock({ $0.isShutDown ? nil : $0.pools[name] }) else { return }
        let started = clock.monotonic()
        guard place.change({ $0.sync(groups, now: clock.now()) }) else { return }
        let seconds = Double(clock.monotonic() &- started) / 1e9
        state.withLock { state in
            guard state.pools[name] === place else { return }
            state.syncLengths[name, default: QuantileWindow()].add(seconds)
            metrics.registry.histogram(
                "prometheus_target_sync_length_histogram_seconds", "Actual interval to sync the scrape pool.",
                bounds: [0.01, 0.1, 1, 10], ["scrape_job": job]
            ).observe(seconds)
        }
    }

    /// The pools with their contents, by name.
    private func contents() -> [(name: ExactText, content: PoolPlace.Content)] {
        state.withLock(\.pools).sorted { $0.key < $1.key }.map { ($0.key, $0.value.content) }
    }

    private func allTargets() -> [Target] { contents().flatMap(\.content.targets) }

    /// The names of all jobs, sorted.
    package func pools() -> [String] { state.withLock { $0.pools.keys.sorted().map(\.text) } }

    /// All active targets, by pool and labels.
    package func targets() -> [TargetStatus] {
        allTargets().map(\.status).sorted {
            $0.pool.isExactly($1.pool)
                ? ($0.labels, $0.url) < ($1.labels, $1.url) : $0.pool.isExactlyBefore($1.pool)
        }
    }

    /// The dropped targets that are remembered, and how many there are by pool.
    package func droppedTargets() -> (targets: [DroppedTarget], counts: [ExactText: Int]) {
        let pools = contents()
        return (
            pools.flatMap(\.content.dropped),
            Dictionary(pools.map { ($0.name, $0.content.droppedCount) }, uniquingKeysWith: { $1 })
        )
    }

    /// The metadata of the active targets.
    ///
    /// - Parameter metric: Only this family; nil for all.
    package func metadata(metric: String? = nil) -> [TargetMetadata] {
        allTargets().flatMap { target in
            target.state.withLock { $0.families }.lazy
                .filter { family in metric.map(family.name.isExactly) ?? true }
                .map { TargetMetadata(target: target.definition.labels, metric: $0.name, metadata: $0.metadata) }
        }
    }

    /// Scrapes all targets immediately, outside of the schedule, and waits until all samples are stored.
    package func scrapeNow() { scrapeNow(within: .max) { _ in true } }

    /// Scrapes the targets for which `isIncluded` is true, for `limit` ms at most.
    private func scrapeNow(within limit: Int64, _ isIncluded: (TargetStatus) -> Bool) {
        guard let loop else { return }
        let targets = allTargets().filter { isIncluded($0.status) }
        if targets.isEmpty { return }
        let finished = Countdown(targets.count)
        loop.send(targets.map { .scrapeNow($0, { finished.countDown() }) })
        finished.wait(milliseconds: limit)
    }

    /// The time limit of the last scrapes together, ms, so that a target that hangs does not delay the end.
    private static let lastScrapeTime: Int64 = 1000

    /// Stops scraping.
    ///
    /// Bodies that are being read, or wait for that, are dropped.
    ///
    /// No stale markers are written: the series may continue after a restart.
    ///
    /// - Parameter finalScrapeOfLoopback: Whether the targets on this machine's loopback are scraped once more before,
    ///   except those that did not answer the last time.
    package func shutdown(finalScrapeOfLoopback: Bool = false) {
        discovery.withLock { $0 }?.shutdown()
        if finalScrapeOfLoopback {
            scrapeNow(within: Self.lastScrapeTime) { status in
                status.health == .up
                    && ["://localhost", "://127.0.0.1", "://[::1]"].contains { status.url.contains($0) }
            }
        }
        state.withLock { $0.isShutDown = true }
        cancellation.cancel()
        loop?.stop()
        work.close()
        largeWork.close()
    }

    private func ownFamilies() -> [MetricFamily] {
        var entries: [MetricFamily.Sample] = []
        var bytes: [MetricFamily.Sample] = []
        for (name, content) in contents() {
            var (count, size) = (0, 0)
            for target in content.targets {
                for family in target.state.withLock({ $0.families }) {
                    count += 1
                    let about = family.metadata
                    size += about.type.rawValue.utf8.count + about.help.utf8.count + about.unit.utf8.count
                }
            }
            entries.append(.init(labels: [("scrape_job", name.text)], value: Double(count)))
            bytes.append(.init(labels: [("scrape_job", name.text)], value: Double(size)))
        }
        let syncs = state.withLock(\.syncLengths).sorted { $0.key < $1.key }
            .flatMap { $0.value.samples([("scrape_job", $0.key.text)]) }
        return [
            MetricFamily(
                name: "prometheus_target_sync_length_seconds",
                help: "Actual interval to sync the scrape pool.", kind: .summary, samples: syncs),
            MetricFamily(
                name: "prometheus_target_metadata_cache_entries",
                help: "Total number of metric metadata entries in the cache", kind: .gauge, samples: entries),
            MetricFamily(
                name: "prometheus_target_metadata_cache_bytes",
                help: "The number of bytes that are currently used for storing metric metadata in the cache",
                kind: .gauge, samples: bytes),
        ]
    }
}
