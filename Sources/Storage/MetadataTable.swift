import Model

/// What is known about metrics, by name; bounded, for anybody who may push can name metrics.
struct MetadataTable {
    /// Metrics, and bytes of their names and texts; what would be more is refused.
    static let maxMetrics = 200_000
    static let maxBytes = 64 << 20

    private(set) var byName: [ExactText: MetricMetadata] = [:]
    private var bytes = 0
    /// What was refused.
    private(set) var refused = 0

    private static func size(_ metric: String, _ metadata: MetricMetadata) -> Int {
        metric.utf8.count + metadata.help.utf8.count + metadata.unit.utf8.count
    }

    /// Remembers what is said about a metric; false if it is known already, or refused.
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
