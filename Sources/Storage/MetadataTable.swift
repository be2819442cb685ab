import Model

/// The metadata of metrics by name; it is limited, because every client that may push can name metrics.
struct MetadataTable {
    /// The most metrics, and the most bytes of their names and texts; further ones are refused.
    static let maxMetrics = 200_000
    static let maxBytes = 64 << 20

    private(set) var byName: [ExactText: MetricMetadata] = [:]
    /// The names in the order in which they came; none is ever removed.
    private var names: [ExactText] = []
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
        if known == nil { names.append(key) }
        byName[key] = metadata
        return true
    }

    /// Whether the next metric makes the table larger, and there is no memory for it.
    func lacksSpace(_ memory: MemoryRequest) -> Bool {
        do throws(StorageError) {
            try memory.reserve(in: byName, for: "metadata")
            return false
        } catch { return true }
    }

    /// Counts metadata for which there is no memory.
    mutating func refuse() { refused += 1 }

    /// The metadata of at most `count` metrics from position `start` on; none at the end.
    func entries(from start: Int, atMost count: Int) -> [(metric: String, metadata: MetricMetadata)] {
        names.dropFirst(start).prefix(count).compactMap { name in byName[name].map { (name.text, $0) } }
    }
}
