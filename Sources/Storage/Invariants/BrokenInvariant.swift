import Synchronization

/// A structure in memory that is not as the code keeps it: a fault of the program, whatever the files hold.
struct BrokenInvariant: Error, CustomStringConvertible {
    let description: String

    /// Throws if a condition does not hold.
    static func require(_ condition: Bool, _ text: @autoclosure () -> String) throws(BrokenInvariant) {
        if !condition { throw BrokenInvariant(description: text()) }
    }
}

extension TimeSeriesStore {
    /// Checks head, label index, blocks and log, and the blocks' files; slow, for tests.
    ///
    /// - Parameter blocks: Names of blocks that were checked before, which do not change; gets those that are checked.
    /// - Throws: ``BrokenInvariant``, or what reading a file throws.
    func checkInvariants(except blocks: inout Set<String>) throws {
        try upkeep.withLock {
            try head.checkInvariants()
            try head.checkLabels()
            for reader in blockSet.readers where !blocks.contains(reader.meta.id) {
                try reader.checkInvariants()
                blocks.insert(reader.meta.id)
            }
            try checkLog()
        }
    }
}
