import Synchronization

/// Bytes that several holders may have together.
package final class BytePool: Sendable {
    package let limit: Int
    private let held = Atomic<Int>(0)

    package init(limit: Int) { self.limit = max(0, limit) }

    /// Bytes that are held now.
    package var used: Int { held.load(ordering: .relaxed) }

    /// Takes `bytes`; false, and nothing taken, if there is no room for them.
    func take(_ bytes: Int) -> Bool {
        let (_, now) = held.wrappingAdd(bytes, ordering: .relaxed)
        if now <= limit { return true }
        held.wrappingSubtract(bytes, ordering: .relaxed)
        return false
    }

    func give(_ bytes: Int) { held.wrappingSubtract(bytes, ordering: .relaxed) }
}

/// One holder's part of a pool; what is still held is given back in the end.
final class PoolShare {
    private let pool: BytePool
    private(set) var bytes = 0

    init(_ pool: BytePool) { self.pool = pool }

    deinit { pool.give(bytes) }

    /// Holds `wanted` bytes from now on; false, and nothing changed, if there is no room for them.
    func resize(to wanted: Int) -> Bool {
        if wanted > bytes {
            guard pool.take(wanted - bytes) else { return false }
        } else {
            pool.give(bytes - wanted)
        }
        bytes = wanted
        return true
    }
}
