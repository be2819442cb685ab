import Synchronization

/// A number of bytes that many requests share.
package final class ByteBudget: Sendable {
    package let limit: Int
    private let used = Atomic(0)

    package init(limit: Int) { self.limit = max(0, limit) }

    /// Bytes that are reserved.
    package var inUse: Int { used.load(ordering: .relaxed) }

    /// Takes `count` bytes; false if they are not left.
    package func reserve(_ count: Int) -> Bool {
        assert(count >= 0)
        let (_, after) = used.add(count, ordering: .relaxed)
        if after <= limit { return true }
        used.subtract(count, ordering: .relaxed)
        return false
    }

    package func release(_ count: Int) {
        assert(count >= 0)
        used.subtract(count, ordering: .relaxed)
    }
}

/// The part of a budget that one request holds; grows in steps, so that most requests touch the budget once.
package struct BudgetShare {
    private static let step = 64 << 10
    private let budget: ByteBudget?
    private(set) var held = 0

    package init(_ budget: ByteBudget?) { self.budget = budget }

    /// Makes the share at least `size` bytes; false if the budget has not enough left.
    package mutating func grow(to size: Int) -> Bool {
        guard let budget, size > held else { return true }
        let more = max(size - held, size < 8 * Self.step ? Self.step : Self.step * 16)
        guard budget.reserve(more) else { return false }
        held += more
        return true
    }

    package mutating func release() {
        budget?.release(held)
        held = 0
    }
}
