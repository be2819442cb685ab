import Model
import Synchronization

/// Label names and values of all series, kept until a block or a label comes or goes.
final class LabelAnswers: Sendable {
    /// What an answer depends on.
    struct Key: Hashable {
        /// The label; nil for the names.
        var name: ExactText?
        /// The state of the head's labels; nil if the head has nothing for the time asked.
        var head: UInt64?
        /// The identities of the blocks.
        var blocks: [UInt64]
    }

    private let known = Mutex<[Key: [String]]>([:])
    private static let capacity = 64
    /// Longer lists are made anew each time, so that the memory stays small.
    private static let longest = 4096

    /// The answer for `key`, made by `make` if it is not known.
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
