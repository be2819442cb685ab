import Model

/// The storage as the API queries and administers it.
///
/// Samples are read through `SeriesSource`.
package protocol StoreAdministration: Sendable {
    /// The reason why samples cannot be stored at the moment, while queries are answered; nil if they can.
    var unhealthyReason: String? { get }
    /// Sentences about the data that answers lack because it cannot be read.
    var missingParts: [String] { get }
    /// The last samples that were not stored, newest first.
    var lastRejected: [RejectedSample] { get }
    /// The records that were damaged or missing at the start.
    var damagedRecords: Int { get }
    /// The retention as text; a reload may change it.
    var retentionText: String { get }

    /// Numbers about all series of the storage, with lists of at most `limit` entries.
    func figures(limit: Int) -> StoreFigures
    /// The metadata of a metric, or of all metrics, including metrics that no target exposes any more.
    func metadata(metric: ExactText?) -> [ExactText: MetricMetadata]
    /// Exemplars of matching series within a time range.
    func exemplars(_ request: SelectRequest) throws -> [(labels: Labels, exemplars: [Exemplar])]
    /// Makes a copy of all data, and returns its name.
    ///
    /// - Parameter skipsHead: Whether samples that are in no block are left out.
    func snapshot(skipsHead: Bool) throws -> String
    /// Deletes the samples of matching series within a time range. Returns the number of these series.
    func deleteSeries(_ matchers: [Matcher], minTime: Int64, maxTime: Int64) throws -> Int
    /// Removes deleted samples from the disk.
    func cleanTombstones() throws
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

    package init() {}
}
