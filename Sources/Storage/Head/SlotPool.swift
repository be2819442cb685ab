/// Slots of one size that are taken and given back one by one; rows of them that are empty go back to the system.
///
/// A free slot's first four bytes are the number of the next free one. Numbers count from 1; 0 is no slot. A slot that was
/// never used, or whose row was given back, reads as zero bytes.
final class SlotPool: @unchecked Sendable {
    // SAFETY: the variables are guarded by `lock`; a slot belongs to whoever took it.
    private let memory: Column<UInt32>
    /// All slots, one after the other, from slot 0 on.
    let words: FixedBuffer<UInt32>
    /// Slots that fit.
    let capacity: Int
    private let wordsPerSlot: Int
    /// Slots in a row, which is a whole number of pages.
    private let row: Int
    private let lock = Lock()
    private var free: UInt32 = 0
    private var freeCount = 0
    private var end: UInt32 = 1
    /// Rows without memory.
    private var emptyRows: [UInt32] = []

    /// Free slots that are not worth giving back.
    private static let fewFree = 1 << 15

    /// Room for `capacity` slots of `slotSize` bytes, whole words; a row is of as many slots as fill pages and words of a
    /// bitmap.
    init(capacity wanted: Int, slotSize: Int, share: Double? = nil) throws(StorageError) {
        wordsPerSlot = slotSize / MemoryLayout<UInt32>.stride
        memory = try Column(capacity: wanted &* wordsPerSlot, share: share)
        words = memory.elements
        capacity = memory.capacity / wordsPerSlot
        var row = 64
        while row &* slotSize % 4096 != 0 { row &+= 64 }
        self.row = row
    }

    @inline(__always)
    private func link(_ slot: UInt32) -> ElementReference<UInt32> {
        assert(slot > 0, "slot 0 is none")
        return words.element(Int(slot) &* wordsPerSlot)
    }

    /// A slot with a link of 0; 0 if memory is at its end.
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
        guard Int(end) &+ 1 < capacity else { return 0 }
        defer { end &+= 1 }
        return end
    }

    /// Makes the slots of a row the free ones, of which there are none.
    private func refill(_ empty: UInt32) {
        let first = empty &* UInt32(row)
        for slot in first..<(first &+ UInt32(row)) { link(slot).pointee = slot &+ 1 }
        link(first &+ UInt32(row) &- 1).pointee = 0
        free = first
        freeCount = row
    }

    /// The first of `count` slots next to each other that were never used; 0 if memory is at its end.
    func take(neighbours count: Int) -> UInt32 {
        lock.withLock {
            guard Int(end) &+ count < capacity else { return 0 }
            defer { end &+= UInt32(truncatingIfNeeded: count) }
            return end
        }
    }

    /// Gives back a chain of `count` linked slots.
    func giveBack(first: UInt32, last: UInt32, count: Int) {
        guard first != 0, last != 0 else { return }
        lock.lock()
        link(last).pointee = free
        free = first
        freeCount &+= count
        lock.unlock()
    }

    /// Slots in use.
    var used: Int { lock.withLock { Int(end) &- 1 &- freeCount &- emptyRows.count &* row } }

    /// Gives the memory of rows in which all is free back to the system, if a quarter of all is free.
    ///
    /// Meanwhile new slots are taken behind the others. The free ones come back in order, so that what is taken next lies
    /// close together and other rows become empty.
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
