/// Where a sealed chunk of a series lies.
struct SealedChunk: BitwiseCopyable {
    /// The chunk sealed before it, 0 if there is none.
    var next: UInt32
    /// Position of its record in the spill file.
    var offset: UInt32
    /// Position of the record of its times.
    var timesOffset: UInt32
    /// Its first time, ms behind the start of its window.
    var start: UInt32
    /// Bytes of the record without the checksum.
    var length: UInt32
    /// The spill file.
    var file: UInt16
    /// Position of the first sample in its run.
    var first: UInt8
    var count: UInt8
}

/// The lists of sealed chunks of all series, newest first.
///
/// An entry belongs to the series that names it, under its group's lock.
final class SealedChunks: Sendable {
    private let pool: SlotPool
    // SAFETY: the memory of the pool, which lives as long; an entry belongs to its series.
    private nonisolated(unsafe) let entries: FixedBuffer<SealedChunk>

    init() throws(StorageError) {
        pool = try SlotPool(capacity: 1 << 28, slotSize: MemoryLayout<SealedChunk>.stride, share: 0.12)
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

    /// A new entry; 0 if there is no room.
    func allocate() -> UInt32 { pool.take() }

    func release(_ entry: UInt32) { pool.giveBack(first: entry, last: entry, count: 1) }

    /// Gives memory that is free back to the system, if it is much.
    func trim() { pool.trim() }

    /// Bytes of the entries in use.
    var usedBytes: Int { inUse * MemoryLayout<SealedChunk>.stride }

    /// Entries in use.
    var inUse: Int { pool.used }
}
