import API
import HTTP
import Model
import Platform
import PromQL
import Telemetry

/// A store of which the API sees metadata and exemplars only.
struct StoreStub: StoreAdministration {
    var known: [ExactText: MetricMetadata] = [:]
    var found: [(labels: Labels, exemplars: [Exemplar])] = []
    var unhealthyReason: String?
    var missingParts: [String] = []
    var lastRejected: [RejectedSample] = []
    var damagedRecords = 0
    var retentionText = "15d"
    /// The error of changes.
    var failure: (any Error)?

    func figures(limit: Int) -> StoreFigures { StoreFigures() }

    func metadata(metric: ExactText?) -> [ExactText: MetricMetadata] {
        known.filter { metric == nil || $0.key == metric }
    }

    func exemplars(_ request: SelectRequest) throws -> [(labels: Labels, exemplars: [Exemplar])] { found }
    func snapshot(skipsHead: Bool) throws -> String {
        try cleanTombstones()
        return skipsHead ? "blocks" : "all"
    }
    func deleteSeries(_ matchers: [Matcher], minTime: Int64, maxTime: Int64) throws -> Int {
        try cleanTombstones()
        return 0
    }
    func cleanTombstones() throws { if let failure { throw failure } }
}

/// A daemon that is what a test says.
struct DaemonStub: DaemonControl {
    var unreadyReason: String?
    var isStopping = false
    var configurationText = "global: {}\n"
    var externalLabels = Labels.empty
    var lastReload: (succeeded: Bool, time: Int64) = (true, 0)
    var reloadFailure: String?
    var onQuit: @Sendable () -> Void = {}

    func reload() -> String? { reloadFailure }
    func quit() { onQuit() }
}

extension APIContext {
    /// The context of a test: an API that serves `source`, with stubs of the other parts.
    static func test(
        _ source: any SeriesSource, engine: EngineOptions = EngineOptions(), store: StoreStub = StoreStub(),
        control: DaemonStub = DaemonStub(), metrics: MetricRegistry = MetricRegistry(),
        clock: any Clock = SystemClock()
    ) -> APIContext {
        var context = APIContext(
            engine: QueryEngine(options: engine), source: source, store: store, control: control, metrics: metrics,
            clock: clock)
        context.settings = APISettings(
            build: BuildInformation(version: "1", revision: "r"), maxConcurrentQueries: 2)
        return context
    }

    /// A router with the routes of the API.
    var router: Router {
        var routes = Router.Builder()
        APIRoutes.add(to: &routes, self)
        return Router(routes)
    }
}
