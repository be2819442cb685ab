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
final class SealedChunks: @unchecked Sendable {
    // SAFETY: `free` and `end` are guarded by `lock`; an entry belongs to the series that names it, under its group's
    // lock.
    private let entries: Column<SealedChunk>
    private let lock = Lock()
    private var free: UInt32 = 0
    private var end: UInt32 = 1
    private var count = 0

    init() throws(StorageError) { entries = try Column(capacity: 1 << 28) }

    subscript(entry: UInt32) -> UnsafeMutablePointer<SealedChunk> { entries.base + Int(entry) }

    /// A new entry; 0 if there is no room.
    func allocate() -> UInt32 {
        lock.withLock {
            count &+= 1
            if free != 0 {
                let entry = free
                free = entries.base[Int(entry)].next
                return entry
            }
            guard Int(end) &+ 1 < entries.capacity else { return 0 }
            end &+= 1
            return end &- 1
        }
    }

    func release(_ entry: UInt32) {
        lock.withLock {
            entries.base[Int(entry)].next = free
            free = entry
            count &-= 1
        }
    }

    /// Bytes of the entries in use.
    var usedBytes: Int { inUse * MemoryLayout<SealedChunk>.stride }

    /// Entries in use.
    var inUse: Int { lock.withLock { count } }
}
