/// Slots of one size that are taken and released one by one; the memory of empty rows is returned to the system.
///
/// The first four bytes of a free slot are the number of the next free slot. Numbers start at 1; 0 means no slot. A
/// slot that was never used, or whose row was returned, reads as zero bytes.
final class SlotPool: @unchecked Sendable {
    // SAFETY: `lock` protects the variables; only the owner of a slot accesses it.
    private let memory: Column<UInt32>
    /// The memory of all slots, which are adjacent, from slot 0 on.
    let words: FixedBuffer<UInt32>
    /// The number of slots that fit.
    let capacity: Int
    private let wordsPerSlot: Int
    /// The number of slots in a row, which is a whole number of pages.
    private let row: Int
    private let lock = Lock()
    private var free: UInt32 = 0
    private var freeCount = 0
    private var end: UInt32 = 1
    /// The end of the slots that are taken.
    private var ceiling: Int
    /// The rows whose memory was returned to the system.
    private var emptyRows: [UInt32] = []

    /// The number of free slots below which no memory is returned.
    private static let fewFree = 1 << 15

    /// Makes a pool of `capacity` slots of `slotSize` bytes, which must be whole words.
    ///
    /// A row has as many slots as fill whole pages and whole words of a bitmap.
    init(capacity wanted: Int, slotSize: Int) throws(StorageError) {
        wordsPerSlot = slotSize / MemoryLayout<UInt32>.stride
        memory = try Column(capacity: wanted &* wordsPerSlot)
        words = memory.elements
        capacity = memory.capacity / wordsPerSlot
        ceiling = capacity
        var row = 64
        while row &* slotSize % 4096 != 0 { row &+= 64 }
        self.row = row
    }

    @inline(__always)
    private func link(_ slot: UInt32) -> ElementReference<UInt32> {
        assert(slot > 0, "slot 0 is none")
        return words.element(Int(slot) &* wordsPerSlot)
    }

    /// Takes a slot, whose link is 0; returns 0 if no memory is left.
    func take() -> UInt32 {
        lock.lock()
        defer { lock.unlock() }
        if free == 0, let empty = emptyRows.popLast() { refill(empty) }
        let slot = free
        if slot != 0 {
            free = link(slot).pointee
            freeCount &-= 1
            link(slot).pointee = 0
            return slot
        }
        guard Int(end) &+ 1 < ceiling else { return 0 }
        defer { end &+= 1 }
        return end
    }

    /// Makes the slots of an empty row the free slots; there must be no other free slots.
    private func refill(_ empty: UInt32) {
        let first = empty &* UInt32(row)
        for slot in first..<(first &+ UInt32(row)) { link(slot).pointee = slot &+ 1 }
        link(first &+ UInt32(row) &- 1).pointee = 0
        free = first
        freeCount = row
    }

    /// Takes `count` adjacent slots that were never used, and returns the first; 0 if no memory is left.
    func take(neighbours count: Int) -> UInt32 {
        lock.withLock {
            guard Int(end) &+ count < ceiling else { return 0 }
            defer { end &+= UInt32(truncatingIfNeeded: count) }
            return end
        }
    }

    /// Releases a chain of `count` linked slots.
    func giveBack(first: UInt32, last: UInt32, count: Int) {
        guard first != 0, last != 0 else { return }
        lock.lock()
        link(last).pointee = free
        free = first
        freeCount &+= count
        lock.unlock()
    }

    /// The number of slots in use.
    var used: Int { lock.withLock { Int(end) &- 1 &- freeCount &- emptyRows.count &* row } }

    /// The number of slots that can be taken.
    var left: Int {
        lock.withLock { max(0, ceiling &- 1 &- Int(end)) &+ freeCount &+ emptyRows.count &* row }
    }

    /// Leaves the slots of the reserve free from now on; see ``HeadSpace/filled(_:)``.
    func keepReserve() { lock.withLock { ceiling = HeadSpace.filled(capacity) } }

    /// Returns the memory of rows whose slots are all free to the system, if a quarter of all slots is free.
    ///
    /// Meanwhile, slots are taken from empty rows, or after all used slots. Afterwards the free slots are in order, so
    /// that slots that are taken next are close together and other rows become empty.
    func trim() {
        let (first, count, bound) = lock.withLock { () -> (UInt32, Int, UInt32) in
            guard freeCount >= Self.fewFree, freeCount >= Int(end) / 4 else { return (0, 0, 0) }
            defer { (free, freeCount) = (0, 0) }
            return (free, freeCount, end)
        }
        guard first != 0 else { return }
        var bits = [UInt64](repeating: 0, count: Int(bound) / 64 &+ row / 64 &+ 1)
        var slot = first
        while slot != 0 {
            bits[Int(slot) >> 6] |= 1 &<< UInt64(slot & 63)
            slot = link(slot).pointee
        }
        var (head, last): (UInt32, UInt32) = (0, 0)
        var emptied: [UInt32] = []
        let words = row / 64
        for number in stride(from: (Int(bound) &- 1) / row, through: 0, by: -1) {
            let own = number &* words..<(number &+ 1) &* words
            if own.allSatisfy({ bits[$0] == .max }) {
                memory.discard(number &* row &* wordsPerSlot..<(number &+ 1) &* row &* wordsPerSlot)
                emptied.append(UInt32(truncatingIfNeeded: number))
                continue
            }
            for word in own.reversed() {
                var rest = bits[word]
                while rest != 0 {
                    let bit = 63 &- rest.leadingZeroBitCount
                    rest &= ~(1 &<< UInt64(bit))
                    let slot = UInt32(truncatingIfNeeded: word << 6 &+ bit)
                    link(slot).pointee = head
                    head = slot
                    if last == 0 { last = slot }
                }
            }
        }
        lock.withLock {
            if last != 0 {
                link(last).pointee = free
                free = head
            }
            freeCount &+= count &- emptied.count &* row
            emptyRows += emptied
        }
    }
}
