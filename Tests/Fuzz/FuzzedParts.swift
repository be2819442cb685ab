import API
import Model
import Storage

/// A store as the API asks about it.
struct FuzzedStore: StoreAdministration {
    let store: TimeSeriesStore

    var unhealthyReason: String? { store.unhealthyReason }
    var missingParts: [String] { store.leftOut.map(\.description) }
    var lastRejected: [RejectedSample] { store.lastRejected }
    var damagedRecords: Int { store.damagedRecords }
    var retentionText: String { "" }

    func figures(limit: Int) -> StoreFigures { StoreFigures() }
    func metadata(metric: ExactText?) -> [ExactText: MetricMetadata] { store.metadata(metric: metric) }
    func exemplars(_ request: SelectRequest) throws -> [(labels: Labels, exemplars: [Exemplar])] {
        try store.exemplars(request)
    }
    func snapshot(skipsHead: Bool) throws -> String { throw NoSnapshots() }
    func deleteSeries(_ matchers: [Matcher], minTime: Int64, maxTime: Int64) throws -> Int {
        try store.deleteSeries(matchers, minTime: minTime, maxTime: maxTime)
    }
    func cleanTombstones() throws {}
}

/// A daemon that serves and has no configuration.
struct FuzzedDaemon: DaemonControl {
    var unreadyReason: String? { nil }
    var isStopping: Bool { false }
    var configurationText: String { "" }
    var externalLabels: Labels { .empty }
    var lastReload: (succeeded: Bool, time: Int64) { (true, 0) }

    func reload() -> String? { nil }
    func quit() {}
}

private struct NoSnapshots: Error {}
