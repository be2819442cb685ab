import API
import Config
import Glibc
import HTTP
import Model
import Notify
import Platform
import PromQL
import Rules
import Scrape
import Storage
import Telemetry

/// The parts of the daemon, built in order: each part uses only parts that are above it.
///
/// Nothing is started here, and no configuration is applied yet.
struct Components: Sendable {
    let clock: any Clock
    let metrics: MetricRegistry
    let store: TimeSeriesStore
    /// Observes the engine: the active queries and the query log.
    let journal: QueryJournal
    let engine: QueryEngine
    let scrape: ScrapeManager
    let alertmanagers: AlertmanagerClient
    /// Finds the Alertmanagers.
    let alertmanagerDiscovery: AlertmanagerDiscovery
    /// The built-in notifier; nil without its configuration.
    let notifier: Notifier?
    /// All receivers of alerts.
    let alertSinks: AlertFanOut
    let rules: RuleManager
    /// Nil unless targets are expected.
    let expectedTargets: ExpectedTargets?
    /// Nil without the file of heartbeats.
    let heartbeats: Heartbeats?
    let pings: HeartbeatPings?

    /// Opens the storage, and builds all parts that use it.
    ///
    /// - Throws: ``StartError``.
    init(_ options: DaemonOptions, _ sources: ConfigurationSources, clock: any Clock) throws {
        let configuration = sources.configuration
        let storeOptions = options.store(configuration)
        let metrics = MetricRegistry()
        self.clock = clock
        self.metrics = metrics
        let fileSystem: any FileSystem
        (fileSystem, store) = try Self.openStore(storeOptions, clock)
        journal = QueryJournal(
            folder: storeOptions.directory, slots: options.queries.maxConcurrency, clock: clock, metrics: metrics)
        engine = QueryEngine(
            options: options.engine(
                configuration, processors: sysconf(Int32(_SC_NPROCESSORS_ONLN)), memory: MachineMemory.limit / 4),
            observer: journal)
        scrape = ScrapeManager(store: store, clock: clock, metrics: metrics, options: options.scrape(configuration))
        alertmanagers = AlertmanagerClient(
            clock: clock, userAgent: ProductVersion.userAgent, capacity: options.alertmanagers.capacity,
            batchSize: options.alertmanagers.batchSize, drainsOnStop: options.alertmanagers.drainsOnStop,
            metrics: metrics)
        alertmanagerDiscovery = AlertmanagerDiscovery(alertmanagers, clock: clock, metrics: metrics)
        do {
            notifier = try sources.notifier.map { settings in
                try Notifier(
                    settings: settings,
                    ledger: LedgerFolder(path: storeOptions.directory + "/ledger", fileSystem: fileSystem),
                    clock: clock, externalURL: options.web.externalURL, metrics: metrics)
            }
        } catch {
            try? store.close()
            throw StartError(what: "The notification log cannot be opened", reason: "\(error)")
        }
        alertSinks = AlertFanOut([alertmanagers] + (notifier.map { [$0] } ?? []))
        var environment = RuleEnvironment(
            engine: engine, source: store, store: store, alerts: alertSinks, clock: clock,
            externalLabels: configuration.global.externalLabels)
        environment.externalURL = options.web.externalURL
        environment.resendDelay = options.rules.resendDelay
        environment.outageTolerance = options.rules.outageTolerance
        environment.forGracePeriod = options.rules.forGracePeriod
        environment.concurrent =
            options.rules.concurrent > 0 ? Workers.rules(limit: options.rules.concurrent) : nil
        rules = RuleManager(environment: environment, metrics: metrics)
        let now = clock.now()
        expectedTargets = options.rules.expectedTargetsAfter.map { [scrape] after in
            ExpectedTargets(after: after) {
                scrape.targets().filter { $0.lastScrape != 0 }.map { .init(job: $0.pool, labels: $0.labels) }
            }
        }
        expectedTargets?.restore(from: store, at: now, outageTolerance: options.rules.outageTolerance)
        guard !options.files.heartbeats.isEmpty else {
            (heartbeats, pings) = (nil, nil)
            return
        }
        heartbeats = Heartbeats(store: store, source: store, clock: clock)
        pings = HeartbeatPings(clock: clock, metrics: metrics) { [scrape, rules, notifier] in
            let time = clock.now()
            return Liveness(scrape, rules, notifier, start: now, now: time).reasons(at: time)
        }
    }

    /// The groups of rules of the daemon's own alerts.
    func builtInRules(_ configuration: Configuration) throws -> [RuleGroupDefinition] {
        let interval = configuration.global.evaluationInterval
        return [
            try expectedTargets?.group(evaluationInterval: interval),
            try heartbeats?.rules(evaluationInterval: interval),
        ].compactMap { $0 }
    }

    /// Opens the storage with a file system that is limited by the size retention.
    private static func openStore(
        _ options: StoreOptions, _ clock: any Clock
    ) throws -> (any FileSystem, TimeSeriesStore) {
        do {
            // The notification log is in the same directory, and is counted, too.
            let fileSystem = try TimeSeriesStore.bound(
                RealFileSystem(), directory: options.directory, size: options.retentionSize)
            return (fileSystem, try TimeSeriesStore.open(options: options, fileSystem: fileSystem, clock: clock))
        } catch {
            throw StartError(what: "The store cannot be opened", reason: "\(error)")
        }
    }
}
