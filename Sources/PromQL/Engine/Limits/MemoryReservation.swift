import Model
import Synchronization

/// The charge for memory that a reader reuses for each series.
struct MemoryReservation {
    private let budget: QueryBudget
    private var charged = 0

    init(_ budget: QueryBudget) { self.budget = budget }

    /// Charges the growth of the reader's memory to `bytes` since the last call.
    mutating func charge(_ bytes: Int) throws(MemoryLimitExceeded) {
        guard bytes > charged else { return }
        try budget.memory.charge(bytes &- charged)
        charged = bytes
    }

    func release() { budget.memory.release(charged) }
}

/// The charge for a set of series: it grows while the set is made, and is corrected when the size is known.
final class SeriesSetReservation: Sendable {
    private let memory: MemoryAccount
    private let charged = Atomic<Int>(0)

    init(_ memory: MemoryAccount) { self.memory = memory }

    func charge(_ bytes: Int) throws(MemoryLimitExceeded) {
        try memory.charge(bytes)
        charged.wrappingAdd(bytes, ordering: .relaxed)
    }

    /// Corrects the charge to the bytes that the set holds.
    func settle(_ bytes: Int) throws(MemoryLimitExceeded) {
        let more = bytes &- charged.exchange(bytes, ordering: .relaxed)
        if more > 0 { try memory.charge(more) } else { memory.release(0 &- more) }
    }
}
