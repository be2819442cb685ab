import Platform

/// Asks for memory whose size depends on the data, because a failed allocation ends the process.
package struct MemoryRequest: Sendable {
    /// Whether so many bytes can be allocated now; tests set a limit.
    var canAllocate: @Sendable (_ bytes: Int) -> Bool

    /// - Parameter isUrgent: Whether it comes before large requests of clients: without blocks and checkpoints, the log
    ///   and the head become full.
    package init(isUrgent: Bool = true) { canAllocate = { AddressSpace.canAllocate($0, isUrgent: isUrgent) } }

    /// Throws ``StorageError/outOfMemory(_:)`` if so many bytes cannot be allocated now.
    func ask(_ bytes: Int, for what: @autoclosure () -> String) throws(StorageError) {
        guard bytes > Self.few, !canAllocate(bytes) else { return }
        throw .outOfMemory("\(what()) of \(bytes) bytes\(AddressSpace.note)")
    }

    /// Makes space for `more` elements in an array, which grows by half.
    func reserve<Element>(
        _ more: Int, in array: inout [Element], for what: @autoclosure () -> String
    ) throws(StorageError) {
        guard array.count &+ more > array.capacity else { return }
        let wanted = max(array.count &+ more, array.capacity &+ array.capacity / 2)
        try ask(wanted &* MemoryLayout<Element>.stride, for: what())
        array.reserveCapacity(wanted)
    }

    /// Makes space for one more entry in a dictionary, which doubles.
    func reserve<Key, Value>(
        in dictionary: [Key: Value], for what: @autoclosure () -> String
    ) throws(StorageError) {
        guard dictionary.count >= dictionary.capacity else { return }
        let entry = MemoryLayout<Key>.stride &+ MemoryLayout<Value>.stride &+ 1
        // At most three quarters of the slots are in use.
        try ask(dictionary.capacity &* 4 &* entry, for: what())
    }

    /// The bytes that are allocated without a question.
    private static let few = 1 << 14
}
