import Model

/// The alerts that wait for one Alertmanager: bounded, the oldest give way.
struct AlertQueue: Sendable {
    /// The most alerts of one request.
    static let batchSize = 256

    private(set) var waiting: [Alert] = []
    private(set) var dropped = 0
    let capacity: Int

    init(capacity: Int) { self.capacity = max(1, capacity) }

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
        let batch = Array(waiting.prefix(Self.batchSize))
        waiting.removeFirst(batch.count)
        return batch
    }

    /// Counts alerts that were sent in vain.
    mutating func drop(_ count: Int) { dropped += count }
}
