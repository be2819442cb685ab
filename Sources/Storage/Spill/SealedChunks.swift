/// The position of a sealed chunk of a series.
struct SealedChunk: BitwiseCopyable {
    /// The entry of the chunk that was sealed before it; 0 if there is none.
    var next: UInt32
    /// The position of its record in the spill file.
    var offset: UInt32
    /// The position of the record of its times.
    var timesOffset: UInt32
    /// Its first time, as ms after the start of its window.
    var start: UInt32
    /// The bytes of the record without the checksum.
    var length: UInt32
    /// The number of the spill file.
    var file: UInt16
    /// The position of the first sample in its run.
    var first: UInt8
    var count: UInt8
}

/// The lists of sealed chunks of all series, newest first.
///
/// An entry belongs to the series that names it, and needs the lock of its group.
final class SealedChunks: Sendable {
    private let pool: SlotPool
    // SAFETY: the memory belongs to the pool, which lives as long; an entry belongs to its series.
    private nonisolated(unsafe) let entries: FixedBuffer<SealedChunk>

    init(capacity: Int) throws(StorageError) {
        pool = try SlotPool(capacity: capacity, slotSize: MemoryLayout<SealedChunk>.stride)
        entries = pool.words.rebound(to: SealedChunk.self)
    }

    subscript(entry: UInt32) -> SealedChunk {
        get {
            assert(entry > 0, "entry 0 is none")
            return entries[Int(entry)]
        }
        set {
            assert(entry > 0, "entry 0 is none")
            entries[Int(entry)] = newValue
        }
    }

    /// Allocates an entry; returns 0 if no memory is left.
    func allocate() -> UInt32 { pool.take() }

    func release(_ entry: UInt32) { pool.giveBack(first: entry, last: entry, count: 1) }

    /// Returns free memory to the system, if it is much.
    func trim() { pool.trim() }

    /// Leaves the entries of the reserve free from now on.
    func keepReserve() { pool.keepReserve() }

    /// The bytes of the entries in use.
    var usedBytes: Int { inUse * MemoryLayout<SealedChunk>.stride }

    /// The number of entries in use.
    var inUse: Int { pool.used }
}
