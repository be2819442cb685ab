import API
import Config
import Dispatch
import Glibc
import HTTP
import Model
import Notify
import Platform
import PromQL
import Remote
import Rules
import Scrape
import Storage
import Synchronization
import Telemetry
import Web

/// The daemon: who gets which clock, store, engine and settings, and in which order they start and end.
final class Daemon: Sendable {
    let options: DaemonOptions
    private var flags: ParsedFlags { options.flags }
    let log = Log("main")
    let clock: any Clock = SystemClock()
    /// The machine's, bounded by the size retention.
    private let fileSystem: any FileSystem
    private let registry = MetricRegistry()
    let store: TimeSeriesStore
    let engine: QueryEngine
    let journal: QueryJournal
    let scrape: ScrapeManager
    let rules: RuleManager
    let notifier: Notifier?
    let alertmanagers: AlertmanagerClient
    let alertSinks: AlertFanOut
    private let startTime: Int64

    struct State {
        var configuration = Configuration()
        /// The files of the configuration in force.
        var sum: ConfigurationSum?
        var reloadSucceeded = true
        var reloadTime: Int64 = 0
        var isReady = false
        var isStopping = false
    }
    let state = Mutex(State())
    let reloading = ReloadTurns()
    /// Reloads that signals asked for and that have not ended.
    let laterReloads = Atomic(0)
    let stopRequested = DispatchSemaphore(value: 0)
    /// Signals that asked for the end.
    let stopSignals = Atomic(0)
    /// When the last of them came, of the monotonic clock, ns.
    let lastStopSignal = Atomic<Int64>(0)
    let hurry = Hurry()
    /// Whether requests are still at work at the end.
    let handlersAreLeft = Atomic(false)

    init(_ options: DaemonOptions) throws {
        self.options = options
        let flags = options.flags
        startTime = clock.now()
        if let reason = OpenFiles.shortage {
            throw StartError(what: "The limit of open files is too low", reason: reason)
        }
        if let reason = AddressSpace.shortage {
            throw StartError(what: "The address space is too small", reason: reason)
        }
        let text = try PreparedConfiguration.pipedText(options)
        let configuration = try PreparedConfiguration.load(options, text: text)
        let storeOptions = options.store(configuration)
        (fileSystem, store) = try Self.openStore(storeOptions, clock)
        journal = QueryJournal(
            folder: storeOptions.directory, slots: flags.integer("query.max-concurrency"), clock: clock,
            metrics: registry)
        engine = QueryEngine(
            options: options.engine(
                configuration, processors: sysconf(Int32(_SC_NPROCESSORS_ONLN)), memory: MachineMemory.limit / 4),
            observer: journal)
        scrape = ScrapeManager(store: store, clock: clock, metrics: registry, options: options.scrape(configuration))
        alertmanagers = AlertmanagerClient(
            clock: clock, userAgent: ProductVersion.userAgent,
            capacity: flags.integer("alertmanager.notification-queue-capacity"),
            batchSize: flags.integer("alertmanager.notification-batch-size"),
            drainsOnStop: flags.boolean("alertmanager.drain-notification-queue-on-shutdown"), metrics: registry)
        notifier = try Self.makeNotifier(options, fileSystem, clock, registry)
        var sinks: [any AlertSink] = [alertmanagers]
        if let notifier { sinks.append(notifier) }
        alertSinks = AlertFanOut(sinks)
        var environment = RuleEnvironment(
            engine: engine, source: store, store: store, alerts: alertSinks, clock: clock,
            externalLabels: configuration.global.externalLabels, externalURL: options.externalURL)
        environment.resendDelay = flags.duration("rules.alert.resend-delay")
        environment.outageTolerance = flags.duration("rules.alert.for-outage-tolerance")
        environment.forGracePeriod = flags.duration("rules.alert.for-grace-period")
        environment.concurrent = options.concurrentRules > 0 ? ConcurrentQueries(limit: options.concurrentRules) : nil
        rules = RuleManager(environment: environment, metrics: registry)
        ProcessMetrics.register(registry, startTime: startTime)
        registerReloadMetrics()
        registry.addCollector { [store] in store.metricFamilies() }
        StorageHealthMetrics.register(registry, store)
        try apply(try loadAll(text: text))
        reportStore()
    }

    // MARK: Parts

    private static func openStore(
        _ options: StoreOptions, _ clock: any Clock
    ) throws -> (any FileSystem, TimeSeriesStore) {
        do {
            // The ledger lies in the same directory and counts, too.
            let machine = RealFileSystem()
            let fileSystem = try TimeSeriesStore.bound(
                machine, directory: options.directory, size: options.retentionSize)
            return (fileSystem, try TimeSeriesStore.open(options: options, fileSystem: fileSystem, clock: clock))
        } catch {
            throw StartError(what: "The store cannot be opened", reason: "\(error)")
        }
    }

    private static func makeNotifier(
        _ options: DaemonOptions, _ fileSystem: any FileSystem, _ clock: any Clock, _ registry: MetricRegistry
    ) throws -> Notifier? {
        guard let settings = try PreparedConfiguration.notifierSettings(options) else { return nil }
        do {
            return try Notifier(
                settings: settings, folder: options.flags.text("storage.tsdb.path") + "/ledger",
                fileSystem: fileSystem, clock: clock, externalURL: options.externalURL, metrics: registry)
        } catch {
            throw StartError(what: "The notification ledger cannot be opened", reason: "\(error)")
        }
    }

    // MARK: Metrics

    private func registerReloadMetrics() {
        ClockMetrics.register(registry, store)
        registry.addCollector { [weak self] in
            guard let self else { return [] }
            let state = self.state.withLock { $0 }
            func gauge(_ name: String, _ help: String, _ value: Double) -> MetricFamily {
                MetricFamily(name: name, help: help, kind: .gauge, samples: [.init(value: value)])
            }
            func counter(_ name: String, _ help: String, _ value: Int) -> MetricFamily {
                MetricFamily(name: name, help: help, kind: .counter, samples: [.init(value: Double(value))])
            }
            return [
                gauge(
                    "prometheus_config_last_reload_successful",
                    "Whether the last configuration reload attempt was successful.", state.reloadSucceeded ? 1 : 0),
                gauge(
                    "prometheus_config_last_reload_success_timestamp_seconds",
                    "Timestamp of the last successful configuration reload.", Double(state.reloadTime) / 1000),
                gauge("prometheus_ready", "Whether the daemon is ready to serve.", self.unready() == nil ? 1 : 0),
                gauge(
                    "martlet_storage_healthy", "Whether the store takes samples.", self.store.isHealthy ? 1 : 0),
                gauge(
                    "martlet_storage_unlogged_samples", "Samples that are in memory only, because the disk takes none.",
                    Double(self.store.unloggedSamples.inMemory)),
                MetricFamily(
                    name: "martlet_storage_rejected_samples_total",
                    help: "Samples that were out of order, duplicates of others or too old.", kind: .counter,
                    samples: self.store.rejectedCounts.map {
                        .init(labels: [("job", $0.job), ("reason", $0.reason.rawValue)], value: Double($0.count))
                    }),
                MetricFamily(
                    name: "martlet_storage_refused_samples_total",
                    help: "Samples that were refused because the disk took none.", kind: .counter,
                    samples: [.init(value: Double(self.store.unloggedSamples.refused))]),
                counter(
                    "martlet_storage_histograms_left_out_total",
                    "Native histograms in the store's files that were left out when they were read, because their "
                        + "parts contradict each other.", TimeSeriesStore.histogramsLeftOut),
                counter(
                    "martlet_storage_refused_series_total",
                    "Series that were not created because their labels are too long.", self.store.seriesRefused),
                counter(
                    "martlet_storage_refused_metadata_total",
                    "Metadata of metrics that was not stored because too much is stored already.",
                    self.store.metadataRefused),
                MetricFamily(
                    name: "martlet_storage_memory_bytes", help: "Memory of the head by what it holds.", kind: .gauge,
                    samples: self.store.memory.map { .init(labels: [("part", $0.name)], value: Double($0.value)) }),
            ]
        }
    }

    private func unready() -> String? {
        let (isReady, isStopping) = state.withLock { ($0.isReady, $0.isStopping) }
        if isStopping { return "shutting down" }
        return isReady ? nil : "starting up"
    }

    // MARK: Life

    /// Serves until a signal or `/-/quit` asks for the end; the exit status.
    func run() -> Int32 {
        Signals.listen { [self] request in
            switch request {
            case .reload: reloadLater()
            case .stop(let signal): stopSignal(signal)
            }
        }
        let server: HTTPServer
        do {
            let serverOptions = try WebWiring.options(
                options, clock: clock, queryMemory: engine.options.memoryBudget)
            server = HTTPServer(router: router(), options: serverOptions, clock: clock)
            try server.start(options.listenAddresses)
        } catch let error as StartError {
            log.error(error.what, ["err": error.reason])
            try? store.close()
            return error.status
        } catch {
            log.error("Unable to start web listener", ["err": "\(error)"])
            try? store.close()
            return 1
        }
        alertmanagers.start()
        notifier?.start()
        rules.start()
        state.withLock { $0.isReady = true }
        reportListening()
        let watch = watchFiles()
        stopRequested.wait()
        watch?.cancel()
        return stop(server)
    }

    private func router() -> Router {
        var routes = Router.Builder()
        APIRoutes.add(to: &routes, context())
        if flags.boolean("web.enable-remote-write-receiver") {
            let receiver = RemoteWriteReceiver(
                store: store, clock: clock, metrics: registry, features: options.remoteWrite)
            routes.add(["POST"], "/api/v1/write", body: .write, receiver.handle)
        } else {
            routes.add(["POST"], "/api/v1/write", body: BodyPolicy.none) { _ in
                .text(
                    "remote write receiver needs to be enabled with --web.enable-remote-write-receiver\n", status: 404)
            }
        }
        let prefix = options.routePrefix
        routes.add(["GET"], "/") { _ in .redirect(prefix + "/query") }
        routes.add(["GET"], "/graph") { request in
            let query = request.query.map { "\(URLEncoding.encode($0.name))=\(URLEncoding.encode($0.value))" }
            return .redirect(prefix + "/query" + (query.isEmpty ? "" : "?" + query.joined(separator: "&")))
        }
        WebWiring.addPages(to: &routes, flags, prefix: prefix)
        let metrics = RequestMetrics(registry)
        return Router(routes, observe: { metrics.observe($0, $1, $2, $3) })
    }

    private func context() -> APIContext {
        var context = APIContext(
            engine: engine, source: store, store: store, metrics: registry, clock: clock,
            build: BuildInformation(
                version: ProductVersion.api, revision: ProductVersion.revision, branch: ProductVersion.branch,
                buildUser: ProductVersion.buildUser, buildDate: ProductVersion.buildDate),
            maxConcurrentQueries: flags.integer("query.max-concurrency"))
        context.scrape = scrape
        context.rules = rules
        context.alertmanagers = alertmanagers
        context.notifier = notifier
        context.flags = options.shownFlags
        context.configuration = { [self] in
            let configuration = state.withLock { $0.configuration }
            let store = options.store(configuration)
            return configuration.effectiveText(
                retentionTime: store.retentionTime, retentionSize: store.retentionSize)
        }
        context.unready = { [self] in unready() }
        context.rejectedSamples = { [store] in store.lastRejected }
        context.unhealthy = { [self] in store.unhealthyReason }
        context.leftOut = { [store] in store.leftOut.map(\.description) }
        context.isStopping = { [self] in state.withLock { $0.isStopping } }
        context.reload = { [self] in reload() }
        context.quit = { [self] in stopRequested.signal() }
        context.lastReload = { [self] in state.withLock { ($0.reloadSucceeded, $0.reloadTime) } }
        context.externalLabels = { [self] in state.withLock { $0.configuration.global.externalLabels } }
        context.maxSearchLimit =
            options.features.contains(.searchAPI) ? flags.integer("web.search.max-limit") : nil
        context.enablesLifecycle = flags.boolean("web.enable-lifecycle")
        context.enablesAdmin = flags.boolean("web.enable-admin-api")
        context.startTime = startTime
        context.retention = { [self] in retentionText }
        context.figures = { [store] limit in StoreFigures(store.statistics(limit: limit)) }
        context.snapshot = { [store] in try store.snapshot(skipsHead: $0) }
        context.publicAddress = PublicAddress(
            externalURL: options.externalURL,
            ownPort: flags.all("web.listen-address").first.flatMap { ListenAddress($0).map { "\($0.port)" } } ?? "")
        context.deleteSeries = { [store] in try store.deleteSeries($0, minTime: $1, maxTime: $2) }
        context.cleanTombstones = { [store] in try store.cleanTombstones() }
        context.metadata = { [store] in store.metadata(metric: $0) }
        context.exemplars = { [store] in try store.exemplars($0) }
        return context
    }

    var retentionText: String {
        var parts: [String] = []
        if store.settings.retentionTime > 0 { parts.append(DurationText.format(store.settings.retentionTime)) }
        if store.settings.retentionSize > 0 { parts.append(ByteSize.format(store.settings.retentionSize)) }
        return parts.joined(separator: " or ")
    }
}

extension StoreFigures {
    init(_ statistics: StoreStatistics) {
        self.init()
        series = statistics.series
        labelPairs = statistics.labelPairs
        chunks = statistics.chunks
        minTime = statistics.minTime
        maxTime = statistics.maxTime
        seriesByMetric = statistics.seriesByMetric
        valuesByLabel = statistics.valuesByLabel
        bytesByLabel = statistics.bytesByLabel
        seriesByPair = statistics.seriesByPair
        damagedRecords = statistics.damagedRecords
    }
}
