/// The buckets, count and sum of one classic histogram, collected for a native histogram with custom bounds.
public struct ClassicHistogram: Sendable {
    /// Cumulative counts by upper bound, in any order.
    private var buckets: [(bound: Double, count: Double)] = []
    public var count: Double?
    public var sum: Double = 0

    public init() {}

    public var isEmpty: Bool { buckets.isEmpty && count == nil }

    /// Adds a cumulative bucket; a second one with the same bound is ignored.
    public mutating func add(bound: Double, count: Double) {
        guard !buckets.contains(where: { $0.bound == bound }) else { return }
        buckets.append((bound, count))
    }

    /// Removes all data, but keeps the memory.
    public mutating func removeAll() {
        buckets.removeAll(keepingCapacity: true)
        count = nil
        sum = 0
    }

    /// The native histogram; nil if the counts are inconsistent.
    public func converted() -> FloatHistogram? {
        var sorted = buckets.sorted { $0.bound < $1.bound }
        guard !sorted.contains(where: { $0.bound.isNaN || !($0.count >= 0) }) else { return nil }
        let total = count ?? sorted.last?.count ?? 0
        guard total >= 0 else { return nil }
        if sorted.last?.bound != .infinity { sorted.append((.infinity, total)) }
        var list = BucketList()
        var previous = 0.0
        for (index, bucket) in sorted.enumerated() {
            guard bucket.count >= previous else { return nil }
            list.append(index, bucket.count - previous)
            previous = bucket.count
        }
        guard previous == total else { return nil }
        var result = FloatHistogram(
            schema: FloatHistogram.customSchema, count: total, sum: sum,
            customBounds: sorted.dropLast().map(\.bound))
        result.hasFloatCounts = !sorted.allSatisfy { $0.count == $0.count.rounded() }
        result.setPositive(list)
        result.compact()
        return result
    }
}
