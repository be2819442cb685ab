import Model
import Platform

/// The texts of label names and values, each stored once under a number.
///
/// Numbers start at 1; 0 means no symbol. The table is changed only under the lock of the ``LabelIndex``. The text of a
/// number never changes, so that readers that have a number need no lock.
final class SymbolTable {
    private let bytes: Column<UInt8>
    /// The position where symbol i starts; it ends where symbol i + 1 starts.
    private let starts: Column<UInt32>
    private var slots: FixedBuffer<UInt32>
    private var slotMask: Int
    private(set) var count = 0

    init(_ space: HeadSpace = .own) throws(StorageError) {
        bytes = try Column(capacity: space.textBytes)
        starts = try Column(capacity: space.texts)
        reserved = (starts.capacity, bytes.capacity)
        slotMask = 1023
        slots = FixedBuffer(repeating: 0, count: 1024)
        starts[1] = 0
    }

    deinit { slots.deallocate() }

    /// The text of a symbol.
    @inline(__always)
    func text(_ symbol: UInt32) -> UnsafeBufferPointer<UInt8> {
        assert(symbol > 0, "symbol 0 is none")
        return bytes.elements.elements(Int(starts[Int(symbol)])..<Int(starts[Int(symbol) &+ 1]))
    }

    /// The first slot of a text.
    ///
    /// Its hash is another one in each process, so that no sender can choose texts that share a slot.
    private func firstSlot(_ text: UnsafeBufferPointer<UInt8>) -> Int {
        var hasher = Hasher()
        hasher.combine(bytes: UnsafeRawBufferPointer(text))
        return hasher.finalize() & slotMask
    }

    private func slot(_ text: UnsafeBufferPointer<UInt8>) -> Int {
        var at = firstSlot(text)
        while slots[at] != 0, !Labels.equal(self.text(slots[at]), text) { at = (at &+ 1) & slotMask }
        return at
    }

    /// The number of a text; 0 if the table does not have it.
    func find(_ text: UnsafeBufferPointer<UInt8>) -> UInt32 { slots[slot(text)] }

    func find(_ text: String) -> UInt32 {
        var text = text
        return text.withUTF8 { find($0) }
    }

    /// The number of a text, which is added if it is new.
    func intern(_ text: UnsafeBufferPointer<UInt8>) throws(StorageError) -> UInt32 {
        var at = slot(text)
        if slots[at] != 0 { return slots[at] }
        if try reserve(1, bytes: text.count) { at = slot(text) }
        let start = Int(starts[count &+ 1])
        bytes.elements.update(at: start, from: text)
        count &+= 1
        starts[count &+ 1] = UInt32(truncatingIfNeeded: start &+ text.count)
        slots[at] = UInt32(truncatingIfNeeded: count)
        return UInt32(truncatingIfNeeded: count)
    }

    /// The numbers of texts and of bytes that may be in use.
    private var reserved: (texts: Int, bytes: Int)

    /// The number of texts that can be added, and of their bytes.
    var left: (texts: Int, bytes: Int) {
        (max(0, reserved.texts &- 2 &- count), max(0, reserved.bytes &- 1 &- Int(starts[count &+ 1])))
    }

    /// Leaves the space of the reserve free from now on.
    func keepReserve() { reserved = (HeadSpace.filled(starts.capacity), HeadSpace.filled(bytes.capacity)) }

    /// Makes the hash table large enough for more texts; throws, and changes nothing, if they do not fit.
    ///
    /// - Returns: Whether texts have other slots now.
    @discardableResult
    func reserve(_ texts: Int, bytes size: Int) throws(StorageError) -> Bool {
        guard size <= left.bytes else { throw .limit("\(bytes.capacity) bytes of label text\(AddressSpace.note)") }
        guard texts <= left.texts else {
            throw .limit("\(starts.capacity) label names and values\(AddressSpace.note)")
        }
        let size = SlotTable.slots(for: count &+ texts, atLeast: slotMask &+ 1)
        guard size > slotMask &+ 1 else { return false }
        let larger = try SlotTable.make(size, of: UInt32.self)
        slots.deallocate()
        slots = larger
        slotMask = size &- 1
        for symbol in 0..<count {
            let symbol = UInt32(truncatingIfNeeded: symbol &+ 1)
            slots[slot(text(symbol))] = symbol
        }
        return true
    }

    /// The most slots that a search for one of the texts reads.
    var longestSearch: Int {
        (1..<max(1, count &+ 1)).reduce(0) { longest, symbol in
            let text = text(UInt32(truncatingIfNeeded: symbol))
            return max(longest, ((slot(text) &- firstSlot(text)) & slotMask) &+ 1)
        }
    }

    /// The bytes in use.
    var usedBytes: Int { Int(starts[count &+ 1]) &+ count &* 4 &+ (slotMask &+ 1) &* 4 }
}
