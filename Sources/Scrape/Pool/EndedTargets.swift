import Synchronization

/// Counts removed targets, each after the end of its series.
///
/// The allocator keeps the memory of freed targets. After a large list has become small, the process would stay as large
/// as before until something else returns memory.
final class EndedTargets: Sendable {
    /// The number of targets whose memory is worth returning.
    static let many = 5000

    private let count = Atomic(0)
    private let whenMany: @Sendable () -> Void

    /// - Parameter whenMany: Called once for so many targets.
    init(_ whenMany: @escaping @Sendable () -> Void) { self.whenMany = whenMany }

    func add() {
        if count.wrappingAdd(1, ordering: .relaxed).newValue.isMultiple(of: Self.many) { whenMany() }
    }
}
