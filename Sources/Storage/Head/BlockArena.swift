/// Memory for many short byte strings that grow: chains of 32-byte blocks, each a link and seven words.
///
/// A chain never moves and leaves no holes of odd sizes when it is freed, which size classes would: open chunks of a
/// store grow through the same sizes together. Handles are positions; 0 is no block.
final class BlockArena: Sendable {
    /// Words in a block, beside its link.
    static let words = 7
    private static let blockSize = 32

    private let pool: SlotPool

    init(blocks: Int, share: Double? = nil) throws(StorageError) {
        pool = try SlotPool(capacity: blocks, slotSize: Self.blockSize, share: share)
    }

    /// The link of a block, followed by its words.
    @inline(__always)
    func block(_ handle: UInt32) -> UnsafeMutablePointer<UInt32> {
        (pool.base + Int(handle) &* Self.blockSize).assumingMemoryBound(to: UInt32.self)
    }

    /// A chain of one block with an empty link; 0 if memory is at its end.
    func allocate() -> UInt32 { pool.take() }

    /// The first of `count` blocks in a row that were never used; 0 if memory is at its end.
    func allocate(row count: Int) -> UInt32 { pool.take(neighbours: count) }

    /// Gives back a chain of `count` blocks.
    func release(first: UInt32, last: UInt32, count: Int) { pool.giveBack(first: first, last: last, count: count) }

    /// Gives memory that is free back to the system, if it is much.
    func trim() { pool.trim() }

    /// Bytes in use.
    var usedBytes: Int { pool.used &* Self.blockSize }
}

/// Blocks of an arena for one thread, so that many can be taken without its lock.
struct BlockStretch: ~Copyable {
    private static let size = 64

    private let arena: BlockArena
    private var next: UInt32 = 0
    private var left = 0

    init(_ arena: BlockArena) { self.arena = arena }

    /// A block with any link; 0 if memory is at its end.
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
        for block in next..<end { arena.block(block)[0] = block &+ 1 < end ? block &+ 1 : 0 }
        arena.release(first: next, last: end &- 1, count: left)
    }
}
