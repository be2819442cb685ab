import Model

/// The alerts that wait for one Alertmanager: bounded, the oldest give way.
package struct AlertQueue: Sendable {
    /// The usual most alerts of one request.
    package static let batchSize = 256

    private(set) var waiting: [Alert] = []
    private(set) var dropped = 0
    let capacity: Int
    /// The most alerts of one request.
    let batchSize: Int

    init(capacity: Int, batchSize: Int = Self.batchSize) {
        self.capacity = max(1, capacity)
        self.batchSize = max(1, batchSize)
    }

    /// Adds alerts; of more than the capacity, the newest stay.
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

    /// Counts alerts that were sent in vain.
    mutating func drop(_ count: Int) { dropped += count }

    /// Gives up what waits.
    mutating func dropAll() {
        dropped += waiting.count
        waiting = []
    }
}
