import Model

/// The store, as the API asks about it and administers it; samples are read through `SeriesSource`.
package protocol StoreAdministration: Sendable {
    /// Why samples cannot be stored at the moment, though queries are answered; nil if they can.
    var unhealthyReason: String? { get }
    /// Sentences about what answers lack, because it cannot be read.
    var missingParts: [String] { get }
    /// The last samples that were not stored, newest first.
    var lastRejected: [RejectedSample] { get }
    /// How long samples are kept, as shown; a reload may change it.
    var retentionText: String { get }

    /// Numbers about the store, with lists of at most `limit` entries.
    func figures(limit: Int) -> StoreFigures
    /// What the store knows of a metric, or of all, also of those that no target shows any more.
    func metadata(metric: ExactText?) -> [ExactText: MetricMetadata]
    /// Exemplars of matching series within a time range.
    func exemplars(_ request: SelectRequest) throws -> [(labels: Labels, exemplars: [Exemplar])]
    /// Makes a copy of all data; its name.
    ///
    /// - Parameter skipsHead: Whether what no block holds yet is left out.
    func snapshot(skipsHead: Bool) throws -> String
    /// Deletes the samples of matching series within a time range; how many series match.
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
    package var damagedRecords = 0

    package init() {}
}
