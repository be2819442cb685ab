import Synchronization

/// The error that a structure in memory violates its rules: a fault of the program, whatever the files contain.
struct BrokenInvariant: Error, CustomStringConvertible {
    let description: String

    /// Throws if a condition does not hold.
    static func require(_ condition: Bool, _ text: @autoclosure () -> String) throws(BrokenInvariant) {
        if !condition { throw BrokenInvariant(description: text()) }
    }
}

extension TimeSeriesStore {
    /// Checks the head, the label index, the blocks with their files, and the log; slow, for tests.
    ///
    /// - Parameter blocks: The names of blocks that were checked before, which do not change; the checked blocks are
    ///   added.
    /// - Throws: ``BrokenInvariant``, or the error of reading a file.
    func checkInvariants(except blocks: inout Set<String>) throws {
        try maintenanceLock.withLock {
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
