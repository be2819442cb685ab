import Model

/// A cache of the label names and values of all series, whose answers are valid until a block or a label is added or
/// removed.
final class LabelAnswers: Sendable {
    /// The state on which an answer depends.
    struct Key: Hashable {
        /// The label; nil for the names.
        var name: ExactText?
        /// The generation of the head's labels; nil if the head has no samples in the requested time range.
        var head: UInt64?
        /// The identities of the blocks.
        var blocks: [UInt64]
    }

    private let known = Guarded<[Key: [String]]>([:])
    private static let capacity = 64
    /// The longest list that is kept; longer lists are made each time, so that the memory stays small.
    private static let longest = 4096

    /// The answer for `key`, which `make` makes if it is not known.
    func answer(_ key: Key, _ make: () throws -> Set<ExactText>) rethrows -> [String] {
        if let answer = known.withLock({ $0[key] }) { return answer }
        let answer = try make().sorted().map(\.text)
        guard answer.count <= Self.longest else { return answer }
        known.withLock { known in
            if known.count >= Self.capacity { known.removeAll() }
            known[key] = answer
        }
        return answer
    }
}
