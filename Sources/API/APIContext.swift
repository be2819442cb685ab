import Model
import Platform
import PromQL
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

/// The settings of the API, and facts that do not change.
package struct APISettings: Sendable {
    package var build: BuildInformation
    /// The most queries that run at once; more wait.
    package var maxConcurrentQueries: Int
    /// The flags with their values.
    package var flags: [(name: String, value: String)] = []
    /// The address under which others reach the daemon.
    package var publicAddress = PublicAddress(externalURL: "", ownPort: "")
    /// The largest limit of a search, 0 for none; nil if the search API is disabled.
    package var maxSearchLimit: Int?
    package var enablesLifecycle = false
    package var enablesAdmin = false
    /// The start time of the daemon, ms.
    package var startTime: Int64 = 0

    package init(build: BuildInformation, maxConcurrentQueries: Int) {
        self.build = build
        self.maxConcurrentQueries = maxConcurrentQueries
    }
}

/// The parts of the daemon that the API uses.
package struct APIContext: Sendable {
    package let engine: QueryEngine
    package let source: any SeriesSource
    package let store: any StoreAdministration
    package let control: any DaemonControl
    package let metrics: MetricRegistry
    package let clock: any Clock
    package var settings = APISettings(
        build: BuildInformation(version: "", revision: ""), maxConcurrentQueries: 1)
    package var scrape: (any TargetOverview)?
    package var rules: (any RuleOverview)?
    package var heartbeats: (any HeartbeatInput)?
    package var alertmanagers: (any AlertmanagerOverview)?
    package var notifications: (any NotificationOverview)?

    package init(
        engine: QueryEngine, source: any SeriesSource, store: any StoreAdministration, control: any DaemonControl,
        metrics: MetricRegistry, clock: any Clock
    ) {
        self.engine = engine
        self.source = source
        self.store = store
        self.control = control
        self.metrics = metrics
        self.clock = clock
    }
}
