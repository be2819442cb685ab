/// Memory for many short byte strings that grow: chains of 32-byte blocks, each a link and seven words.
///
/// A chain never moves, and freed chains leave no gaps of different sizes. Size classes would leave such gaps, because
/// the open chunks of a store grow through the same sizes at the same time. Handles are positions; 0 means no block.
final class BlockArena: Sendable {
    /// The number of words in a block, besides its link.
    static let words = 7
    static let blockSize = 32

    private let pool: SlotPool
    // SAFETY: the memory belongs to the pool, which lives as long; only the owner of a block accesses it.
    private nonisolated(unsafe) let memory: FixedBuffer<UInt32>
    private nonisolated(unsafe) let bytes: FixedBuffer<UInt8>

    init(blocks: Int) throws(StorageError) {
        pool = try SlotPool(capacity: blocks, slotSize: Self.blockSize)
        memory = pool.words
        bytes = pool.words.rebound(to: UInt8.self)
    }

    /// The link of a block.
    @inline(__always)
    func link(of block: UInt32) -> UInt32 {
        assert(block > 0, "block 0 is none")
        return memory[Int(block) &* (1 &+ Self.words)]
    }

    @inline(__always)
    func setLink(of block: UInt32, to next: UInt32) {
        assert(block > 0, "block 0 is none")
        memory[Int(block) &* (1 &+ Self.words)] = next
    }

    /// A word of a block.
    @inline(__always)
    subscript(block: UInt32, word: Int) -> UInt32 {
        get { memory[place(block, word)] }
        set { memory[place(block, word)] = newValue }
    }

    @inline(__always)
    private func place(_ block: UInt32, _ word: Int) -> Int {
        assert(block > 0 && word >= 0 && word < Self.words, "word \(word) of block \(block)")
        return Int(block) &* (1 &+ Self.words) &+ 1 &+ word
    }

    /// The first `count` words of a block.
    @inline(__always)
    func firstWords(of block: UInt32, _ count: Int) -> UnsafeBufferPointer<UInt32> {
        assert(count <= Self.words, "\(count) words of a block")
        return memory.elements(place(block, 0)..<(place(block, 0) &+ count))
    }

    /// A byte of the words of a block.
    @inline(__always)
    subscript(block: UInt32, byte at: Int) -> UInt8 {
        get { bytes[bytePlace(block, at)] }
        set { bytes[bytePlace(block, at)] = newValue }
    }

    @inline(__always)
    private func bytePlace(_ block: UInt32, _ at: Int) -> Int {
        assert(block > 0 && at >= 0 && at < 4 &* Self.words, "byte \(at) of block \(block)")
        return Int(block) &* Self.blockSize &+ 4 &+ at
    }

    /// Allocates a chain of one block with an empty link; returns 0 if no memory is left.
    func allocate() -> UInt32 { pool.take() }

    /// Allocates `count` consecutive blocks that were never used, and returns the first; 0 if no memory is left.
    func allocate(row count: Int) -> UInt32 { pool.take(neighbours: count) }

    /// Releases a chain of `count` blocks.
    func release(first: UInt32, last: UInt32, count: Int) { pool.giveBack(first: first, last: last, count: count) }

    /// Returns free memory to the system, if it is much.
    func trim() { pool.trim() }

    var usedBlocks: Int { pool.used }

    /// The number of blocks that can be allocated.
    var leftBlocks: Int { pool.left }

    /// Leaves the blocks of the reserve free from now on.
    func keepReserve() { pool.keepReserve() }

    /// The number of blocks that fit.
    var capacity: Int { pool.capacity }

    /// The bytes in use.
    var usedBytes: Int { usedBlocks &* Self.blockSize }
}

/// A supply of blocks for one thread, which takes many blocks without the arena's lock.
struct BlockStretch: ~Copyable {
    private static let size = 64

    private let arena: BlockArena
    private var next: UInt32 = 0
    private var left = 0

    init(_ arena: BlockArena) { self.arena = arena }

    /// Takes a block, whose link may have any value; returns 0 if no memory is left.
    mutating func take() -> UInt32 {
        if left == 0 {
            next = arena.allocate(row: Self.size)
            guard next != 0 else { return arena.allocate() }
            left = Self.size
        }
        defer {
            next &+= 1
            left &-= 1
        }
        return next
    }

    deinit {
        guard left > 0 else { return }
        let end = next &+ UInt32(left)
        for block in next..<end { arena.setLink(of: block, to: block &+ 1 < end ? block &+ 1 : 0) }
        arena.release(first: next, last: end &- 1, count: left)
    }
}
