import Model

/// The metadata of metrics by name; it is limited, because every client that may push can name metrics.
struct MetadataTable {
    /// The most metrics, and the most bytes of their names and texts; further ones are refused.
    static let maxMetrics = 200_000
    static let maxBytes = 64 << 20

    private(set) var byName: [ExactText: MetricMetadata] = [:]
    private var bytes = 0
    /// The number of refused metadata.
    private(set) var refused = 0

    private static func size(_ metric: String, _ metadata: MetricMetadata) -> Int {
        metric.utf8.count + metadata.help.utf8.count + metadata.unit.utf8.count
    }

    /// Stores the metadata of a metric; returns false if it is known already, or refused.
    mutating func set(_ metric: String, _ metadata: MetricMetadata) -> Bool {
        let key = ExactText(metric)
        let known = byName[key]
        guard known != metadata else { return false }
        let change = Self.size(metric, metadata) - (known.map { Self.size(metric, $0) } ?? 0)
        guard bytes + change <= Self.maxBytes, known != nil || byName.count < Self.maxMetrics else {
            refused += 1
            return false
        }
        bytes += change
        byName[key] = metadata
        return true
    }
}
