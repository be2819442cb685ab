import Model

/// A bounded queue of the alerts for one Alertmanager; the oldest are dropped.
package struct AlertQueue: Sendable {
    /// The default of the most alerts of one request.
    package static let batchSize = 256

    private(set) var waiting: [Alert] = []
    private(set) var dropped = 0
    let capacity: Int
    /// The most alerts of one request.
    let batchSize: Int

    init(capacity: Int, batchSize: Int = Self.batchSize) {
        self.capacity = max(0, capacity)
        self.batchSize = max(1, batchSize)
    }

    /// Adds alerts; if the capacity is exceeded, the newest stay.
    mutating func add(_ alerts: [Alert]) {
        waiting += alerts
        let excess = waiting.count - capacity
        guard excess > 0 else { return }
        waiting.removeFirst(excess)
        dropped += excess
    }

    /// The next alerts to send.
    mutating func takeBatch() -> [Alert] {
        let batch = Array(waiting.prefix(batchSize))
        waiting.removeFirst(batch.count)
        return batch
    }

    /// Counts alerts that could not be sent.
    mutating func drop(_ count: Int) { dropped += count }

    /// Drops all waiting alerts.
    mutating func dropAll() {
        dropped += waiting.count
        waiting = []
    }
}
