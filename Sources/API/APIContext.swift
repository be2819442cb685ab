import HTTP
import Model
import Notify
import Platform
import PromQL
import Rules
import Scrape
import Telemetry

/// Facts about the build, for `/status/buildinfo` and `version`.
package struct BuildInformation: Sendable {
    package var version: String
    package var revision: String
    package var branch: String
    package var buildUser: String
    package var buildDate: String

    package init(
        version: String, revision: String, branch: String = "", buildUser: String = "", buildDate: String = ""
    ) {
        self.version = version
        self.revision = revision
        self.branch = branch
        self.buildUser = buildUser
        self.buildDate = buildDate
    }
}

/// Numbers about the head, for `/status/tsdb`.
package struct StoreFigures: Sendable {
    package typealias List = [(name: String, value: Int)]
    package var series = 0
    package var labelPairs = 0
    package var chunks = 0
    /// ms; nil before the first sample.
    package var minTime: Int64?
    package var maxTime: Int64?
    package var seriesByMetric: List = []
    package var valuesByLabel: List = []
    package var bytesByLabel: List = []
    package var seriesByPair: List = []
    package var damagedRecords = 0

    package init() {}
}

/// What the API needs of the house; put together where the daemon is wired.
package struct APIContext: Sendable {
    package var engine: QueryEngine
    package var source: any SeriesSource
    package var store: any SampleStore
    /// Numbers about the store, with lists of at most so many entries.
    package var figures: @Sendable (Int) -> StoreFigures = { _ in StoreFigures() }
    /// Brings everything into final form; the snapshot's name.
    ///
    /// Its parameter: whether what no block holds yet is left out.
    package var snapshot: @Sendable (_ skipsHead: Bool) throws -> String = { _ in throw APIError.unavailable("no store")
    }
    package var deleteSeries: @Sendable ([Matcher], Int64, Int64) throws -> Void = { _, _, _ in }
    package var cleanTombstones: @Sendable () throws -> Void = {}
    /// Exemplars of matching series within a time range.
    package var exemplars: @Sendable (SelectRequest) throws -> [(labels: Labels, exemplars: [Exemplar])] = {
        _ in []
    }
    /// What the store knows of a metric, or of all, also of those that no target shows any more.
    package var metadata: @Sendable (ExactText?) -> [ExactText: MetricMetadata] = { _ in [:] }
    package var scrape: ScrapeManager?
    package var rules: RuleManager?
    package var alertmanagers: AlertmanagerClient?
    package var notifier: Notifier?
    package var metrics: MetricRegistry
    package var clock: any Clock
    package var build: BuildInformation
    /// Flags and their values.
    package var flags: [(name: String, value: String)] = []
    /// The configuration as it may be shown.
    package var configuration: @Sendable () -> String = { "" }
    /// Why the daemon is not ready; nil if it is.
    package var unready: @Sendable () -> String? = { nil }
    /// The last samples that were not stored, newest first.
    package var rejectedSamples: @Sendable () -> [RejectedSample] = { [] }
    /// Why samples cannot be stored at the moment, though queries are answered; nil if they can.
    package var unhealthy: @Sendable () -> String? = { nil }
    /// Sentences about what answers lack, because it cannot be read.
    package var leftOut: @Sendable () -> [String] = { [] }
    /// Whether the daemon is on its way out.
    package var isStopping: @Sendable () -> Bool = { false }
    /// Reads the configuration again; the reason if that failed.
    package var reload: @Sendable () -> String? = { nil }
    /// Asks the daemon to end.
    package var quit: @Sendable () -> Void = {}
    /// Whether the last reload worked, and when the configuration was last applied, ms.
    package var lastReload: @Sendable () -> (succeeded: Bool, time: Int64) = { (true, 0) }
    package var externalLabels: @Sendable () -> Labels = { .empty }
    /// Where others reach the daemon.
    package var publicAddress = PublicAddress(externalURL: "", ownPort: "")
    /// The largest limit of a search, 0 for none; nil where the search API is off.
    package var maxSearchLimit: Int?
    package var enablesLifecycle = false
    package var enablesAdmin = false
    /// How long samples are kept, as shown; a reload may change it.
    package var retention: @Sendable () -> String = { "" }
    /// When the daemon started, ms.
    package var startTime: Int64 = 0
    /// Queries at once; more wait.
    package var admission: QueryAdmission

    package init(
        engine: QueryEngine, source: any SeriesSource, store: any SampleStore, metrics: MetricRegistry,
        clock: any Clock,
        build: BuildInformation, maxConcurrentQueries: Int
    ) {
        self.engine = engine
        self.source = source
        self.store = store
        self.metrics = metrics
        self.clock = clock
        self.build = build
        admission = QueryAdmission(maxConcurrentQueries, metrics)
    }
}
