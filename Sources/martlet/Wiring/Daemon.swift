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
    private let flags: ParsedFlags
    private let log = Log("main")
    private let clock: any Clock = SystemClock()
    /// The machine's, bounded by the size retention.
    private let fileSystem: any FileSystem
    private let registry = MetricRegistry()
    private let store: TimeSeriesStore
    private let engine: QueryEngine
    private let journal: QueryJournal
    private let scrape: ScrapeManager
    private let rules: RuleManager
    private let notifier: Notifier?
    private let alertmanagers: AlertmanagerClient
    private let startTime: Int64
    private let externalURL: String

    private struct State {
        var configuration = Configuration()
        var reloadSucceeded = true
        var reloadTime: Int64 = 0
        var isReady = false
        var isStopping = false
    }
    private let state = Mutex(State())
    /// One reload at a time.
    private let reloading = Mutex(())
    private let stopRequested = DispatchSemaphore(value: 0)

    init(flags: ParsedFlags) throws {
        self.flags = flags
        startTime = clock.now()
        let configuration = try Self.load(flags)
        externalURL = Self.externalURL(flags)
        let codec = flags.text("storage.block-codec")
        guard codec == "auto" || codec == "xor" else {
            throw CommandLineError(description: "--storage.block-codec: expected auto or xor, not \"\(codec)\"")
        }
        let storeOptions = Self.storeOptions(flags, configuration)
        (fileSystem, store) = try Self.openStore(storeOptions, clock)
        journal = QueryJournal(
            folder: storeOptions.directory, slots: flags.integer("query.max-concurrency"), clock: clock,
            metrics: registry)
        engine = QueryEngine(options: Self.engineOptions(flags, configuration), observer: journal)
        var options = ScrapeOptions()
        options.offsetSeed = configuration.global.externalLabels.stableHash
        options.features.typeAndUnitLabels = Self.enables("type-and-unit-labels", flags)
        options.features.startTimes = Self.enables("st-storage", flags)
        options.features.zerosAtStart = Self.enables("created-timestamp-zero-ingestion", flags)
        scrape = ScrapeManager(store: store, clock: clock, metrics: registry, options: options)
        alertmanagers = AlertmanagerClient(
            clock: clock, userAgent: "Prometheus/" + Build.information.version,
            capacity: flags.integer("alertmanager.notification-queue-capacity"),
            drainsOnStop: flags.boolean("alertmanager.drain-notification-queue-on-shutdown"), metrics: registry)
        notifier = try Self.makeNotifier(flags, fileSystem, clock, externalURL, registry)
        var sinks: [any AlertSink] = [alertmanagers]
        if let notifier { sinks.append(notifier) }
        var environment = RuleEnvironment(
            engine: engine, source: store, store: store, alerts: AlertFanOut(sinks), clock: clock,
            externalLabels: configuration.global.externalLabels, externalURL: externalURL)
        environment.resendDelay = flags.duration("rules.alert.resend-delay")
        environment.outageTolerance = flags.duration("rules.alert.for-outage-tolerance")
        environment.forGracePeriod = flags.duration("rules.alert.for-grace-period")
        rules = RuleManager(environment: environment, metrics: registry)
        ProcessMetrics.register(registry, startTime: startTime)
        registerReloadMetrics()
        try apply(configuration)
    }

    // MARK: Parts

    private static func load(_ flags: ParsedFlags) throws -> Configuration {
        let configuration = try ConfigurationLoader.load(path: flags.text("config.file"))
        if let missing = configuration.unsupported.first { throw missing }
        return configuration
    }

    private static func storeOptions(_ flags: ParsedFlags, _ configuration: Configuration) -> StoreOptions {
        let isSet = configuration.storage.retentionTime != nil || configuration.storage.retentionSize != nil
        return StoreOptions(
            directory: flags.text("storage.tsdb.path"),
            retentionTime: isSet
                ? configuration.storage.retentionTime ?? 0 : flags.duration("storage.tsdb.retention.time"),
            retentionSize: isSet ? configuration.storage.retentionSize ?? 0 : flags.size("storage.tsdb.retention.size"),
            walSyncInterval: flags.duration("storage.wal-sync-interval"),
            blockDuration: flags.duration("storage.tsdb.min-block-duration"), cutDelay: 30_000,
            outOfOrderWindow: configuration.storage.outOfOrderTimeWindow,
            maxExemplars: configuration.storage.maxExemplars,
            usesXOROnly: flags.text("storage.block-codec") == "xor",
            usesLockFile: !flags.boolean("storage.tsdb.no-lockfile"))
    }

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

    static func parserOptions(_ flags: ParsedFlags) -> ParserOptions {
        var options = ParserOptions()
        options.experimentalFunctions = enables("promql-experimental-functions", flags)
        options.durationExpressions = enables("promql-duration-expr", flags)
        options.extendedRangeSelectors = enables("promql-extended-range-selectors", flags)
        options.fillModifiers = enables("promql-binop-fill-modifiers", flags)
        return options
    }

    private static func engineOptions(_ flags: ParsedFlags, _ configuration: Configuration) -> EngineOptions {
        var options = EngineOptions()
        options.lookbackDelta = flags.duration("query.lookback-delta")
        options.maxSamples = flags.integer("query.max-samples")
        options.workers = max(1, sysconf(Int32(_SC_NPROCESSORS_ONLN)))
        options.timeout = flags.duration("query.timeout")
        let memory = Int(flags.size("query.max-memory"))
        let budget = MemoryBudget(limit: memory > 0 ? memory : MachineMemory.limit / 4)
        options.memoryBudget = budget
        let perQuery = Int(flags.size("query.max-memory-per-query"))
        options.maxMemoryPerQuery = perQuery > 0 ? min(perQuery, budget.limit) : budget.limit / 2
        options.defaultSubqueryStep = configuration.global.evaluationInterval
        options.parser = parserOptions(flags)
        options.perStepStatistics = enables("promql-per-step-stats", flags)
        options.delayedNameRemoval = enables("promql-delayed-name-removal", flags)
        options.typeAndUnitLabels = enables("type-and-unit-labels", flags)
        options.usesStartTimes = enables("use-start-timestamps", flags)
        return options
    }

    private static func enables(_ feature: Substring, _ flags: ParsedFlags) -> Bool {
        flags.all("enable-feature").contains { $0.split(separator: ",").contains(feature) }
    }

    private static func makeNotifier(
        _ flags: ParsedFlags, _ fileSystem: any FileSystem, _ clock: any Clock, _ externalURL: String,
        _ registry: MetricRegistry
    ) throws -> Notifier? {
        let path = flags.text("alerting.config.file")
        guard !path.isEmpty else { return nil }
        let settings = try NotifierSettings(try AlertmanagerConfigLoader.load(path: path)) { try HTTPTransport($0) }
        do {
            return try Notifier(
                settings: settings, folder: flags.text("storage.tsdb.path") + "/ledger", fileSystem: fileSystem,
                clock: clock, externalURL: externalURL, metrics: registry)
        } catch {
            throw StartError(what: "The notification ledger cannot be opened", reason: "\(error)")
        }
    }

    private static func externalURL(_ flags: ParsedFlags) -> String {
        var url = flags.text("web.external-url")
        if url.isEmpty {
            var name = [CChar](repeating: 0, count: 256)
            gethostname(&name, name.count - 1)
            let host = String(decoding: name.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
            let port = flags.all("web.listen-address").first.flatMap { ListenAddress($0)?.port } ?? 9090
            url = "http://\(host):\(port)"
        }
        while url.hasSuffix("/") { url.removeLast() }
        return url
    }

    private var routePrefix: String {
        var prefix = flags.text("web.route-prefix")
        if prefix.isEmpty, flags.isGiven("web.external-url") {
            let path = externalURL.split(separator: "/", maxSplits: 3, omittingEmptySubsequences: false)
            prefix = path.count > 3 ? "/" + path[3] : ""
        }
        while prefix.hasSuffix("/") { prefix.removeLast() }
        return prefix.isEmpty || prefix.hasPrefix("/") ? prefix : "/" + prefix
    }

    // MARK: Configuration

    /// Hands a configuration to all parts; throws before anything has changed if its rules cannot be used.
    private func apply(_ configuration: Configuration) throws {
        var files: [RuleFile] = []
        for pattern in configuration.ruleFiles {
            for path in FileGlob.expand(pattern) where !files.contains(where: { $0.path == path }) {
                files.append(try RuleFileLoader.load(path: path))
            }
        }
        let (groups, errors) = RuleSet.definitions(
            files, evaluationInterval: configuration.global.evaluationInterval,
            queryOffset: configuration.global.ruleQueryOffset
        ) { try RuleExpression($0, engine: engine) }
        if let first = errors.first { throw first }
        let endpoints = try AlertmanagerEndpoint.all(configuration.alerting) { try HTTPTransport($0) }
        let external = configuration.global.externalLabels
        try journal.setLog(configuration.global.queryLogFile)
        try rules.apply(groups) { $0.externalLabels = external }
        engine.setDefaultSubqueryStep(configuration.global.evaluationInterval)
        alertmanagers.apply(endpoints, relabelRules: configuration.alerting.relabelRules, externalLabels: external)
        store.change(StoreSettings(Self.storeOptions(flags, configuration)))
        scrape.apply(configuration)
        state.withLock {
            $0.configuration = configuration
            $0.reloadSucceeded = true
            $0.reloadTime = clock.now()
        }
    }

    /// Reads the configuration again; the old one goes on if the new one cannot be used.
    ///
    /// - Returns: The reason for a failure.
    private func reload() -> String? {
        reloading.withLock { _ in
            do {
                let configuration = try Self.load(flags)
                let path = flags.text("alerting.config.file")
                let settings =
                    path.isEmpty
                    ? nil
                    : try NotifierSettings(try AlertmanagerConfigLoader.load(path: path)) { try HTTPTransport($0) }
                try apply(configuration)
                if let settings { notifier?.reload(settings) }
                log.info("Completed loading of configuration file", ["filename": flags.text("config.file")])
                return nil
            } catch {
                log.error("Reloading the configuration failed; the old one goes on", ["err": "\(error)"])
                state.withLock { $0.reloadSucceeded = false }
                return "\(error)"
            }
        }
    }

    private func registerReloadMetrics() {
        ClockMetrics.register(registry, store)
        registry.addCollector { [weak self] in
            guard let self else { return [] }
            let state = self.state.withLock { $0 }
            func gauge(_ name: String, _ help: String, _ value: Double) -> MetricFamily {
                MetricFamily(name: name, help: help, kind: .gauge, samples: [.init(value: value)])
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
                gauge(
                    "prometheus_tsdb_head_series", "Total number of series in the head block.",
                    Double(self.store.headSeries)),
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
            case .reload: _ = reload()
            case .stop: stopRequested.signal()
            }
        }
        let server = HTTPServer(router: router(), options: serverOptions, clock: clock)
        do {
            var addresses: [ListenAddress] = []
            for text in flags.all("web.listen-address") {
                guard let address = ListenAddress(text) else {
                    throw StartError(what: "The listen address cannot be used", reason: text)
                }
                addresses.append(address)
            }
            try server.start(addresses)
        } catch {
            log.error("Unable to start web listener", ["err": "\(error)"])
            return 1
        }
        alertmanagers.start()
        notifier?.start()
        rules.start()
        state.withLock { $0.isReady = true }
        log.info(
            "Server is ready to receive web requests.",
            ["address": flags.all("web.listen-address").joined(separator: ",")])
        stopRequested.wait()
        stop(server)
        return 0
    }

    /// The last scrape of what is near, the last evaluation, the last deliveries, the flush; within the grace period.
    private func stop(_ server: HTTPServer) {
        log.info("Shutting down")
        state.withLock { $0.isStopping = true }
        let grace = flags.duration("shutdown.grace-period")
        let expiry = clock.monotonic() + grace * 1_000_000
        _ = Thread.start("grace") { [self] in
            while clock.monotonic() < expiry { usleep(50_000) }
            log.error("The grace period is over before everything was finished")
            _exit(1)
        }
        try? blocking { [rules] in await rules.stop() }
        scrape.shutdown(finalScrapeOfLoopback: true)
        rules.evaluateOnce(at: clock.now())
        try? blocking { [notifier, alertmanagers] in
            await alertmanagers.stop()
            await notifier?.stop()
        }
        server.stop()
        do {
            try store.close()
        } catch {
            log.error("The store could not be closed cleanly; its log will be replayed", ["err": "\(error)"])
        }
        log.info("See you next time!")
    }

    private var serverOptions: HTTPServer.Options {
        var options = HTTPServer.Options()
        options.maxConnections = max(1, flags.integer("web.max-connections"))
        options.timeoutSeconds = Int(max(1, flags.duration("web.read-timeout") / 1000))
        options.stackSize = PromQLParser.stackSize
        options.routePrefix = routePrefix
        return options
    }

    private func router() -> Router {
        var routes = Router.Builder()
        APIRoutes.add(to: &routes, context())
        if flags.boolean("web.enable-remote-write-receiver") {
            var features = RemoteFeatures()
            features.typeAndUnitLabels = Self.enables("type-and-unit-labels", flags)
            features.startTimes = Self.enables("st-storage", flags)
            let receiver = RemoteWriteReceiver(
                store: store, clock: clock, metrics: registry, features: features)
            routes.add(["POST"], "/api/v1/write") { receiver.handle($0) }
        } else {
            routes.add(["POST"], "/api/v1/write") { _ in
                .text(
                    "remote write receiver needs to be enabled with --web.enable-remote-write-receiver\n", status: 404)
            }
        }
        let prefix = routePrefix
        routes.add(["GET"], "/") { _ in .redirect(prefix + "/query") }
        routes.add(["GET"], "/graph") { request in
            let query = request.query.map { "\(URLEncoding.encode($0.name))=\(URLEncoding.encode($0.value))" }
            return .redirect(prefix + "/query" + (query.isEmpty ? "" : "?" + query.joined(separator: "&")))
        }
        let pages = WebPages(routePrefix: prefix, title: flags.text("web.page-title"))
        let metrics = RequestMetrics(registry)
        return Router(routes, observe: { metrics.observe($0, $1, $2, $3) }) { request in
            guard request.method == "GET" || request.method == "HEAD", let asset = pages.asset(request.path) else {
                return .text("404 page not found\n", status: 404)
            }
            return HTTPResponse(
                headers: [("Content-Type", asset.contentType), ("Cache-Control", "no-cache")], body: asset.bytes)
        }
    }

    private func context() -> APIContext {
        var context = APIContext(
            engine: engine, source: store, store: store, metrics: registry, clock: clock, build: Build.information,
            maxConcurrentQueries: flags.integer("query.max-concurrency"))
        context.scrape = scrape
        context.rules = rules
        context.alertmanagers = alertmanagers
        context.notifier = notifier
        context.flags = flags.values
        context.configuration = { [self] in state.withLock { $0.configuration.shownText } }
        context.unready = { [self] in unready() }
        context.rejectedSamples = { [store] in store.lastRejected }
        context.unhealthy = { [self] in store.unhealthyReason }
        context.isStopping = { [self] in state.withLock { $0.isStopping } }
        context.reload = { [self] in reload() }
        context.quit = { [self] in stopRequested.signal() }
        context.lastReload = { [self] in state.withLock { ($0.reloadSucceeded, $0.reloadTime) } }
        context.externalLabels = { [self] in state.withLock { $0.configuration.global.externalLabels } }
        context.enablesLifecycle = flags.boolean("web.enable-lifecycle")
        context.enablesAdmin = flags.boolean("web.enable-admin-api")
        context.startTime = startTime
        context.retention = retentionText
        context.figures = { [store] limit in StoreFigures(store.statistics(limit: limit)) }
        context.snapshot = { [store] in try store.snapshot() }
        context.deleteSeries = { [store] in try store.deleteSeries($0, minTime: $1, maxTime: $2) }
        context.cleanTombstones = { [store] in try store.cleanTombstones() }
        context.metadata = { [store] in store.metadata(metric: $0) }
        context.exemplars = { [store] in store.exemplars($0, minTime: $1, maxTime: $2) }
        return context
    }

    private var retentionText: String {
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
