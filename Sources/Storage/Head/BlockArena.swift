/// Memory for many short byte strings that grow: chains of 32-byte blocks, each a link and seven words.
///
/// A chain never moves and leaves no holes of odd sizes when it is freed, which size classes would: open chunks of a
/// store grow through the same sizes together. Handles are positions; 0 is no block.
final class BlockArena: @unchecked Sendable {
    // SAFETY: `free` and `used` are guarded by `lock`; a block's words belong to whoever holds its chain.
    /// Words in a block, beside its link.
    static let words = 7

    private let memory: Column<UInt32>
    private let lock = Lock()
    private var free: UInt32 = 0
    private var used: UInt32 = 1
    private var freeCount = 0

    init(blocks: Int) throws(StorageError) {
        memory = try Column(capacity: blocks &* 8)
    }

    /// The link of a block, followed by its words.
    @inline(__always)
    func block(_ handle: UInt32) -> UnsafeMutablePointer<UInt32> { memory.base + Int(handle) &* 8 }

    /// A chain of one block with an empty link; 0 if memory is at its end.
    func allocate() -> UInt32 {
        lock.lock()
        defer { lock.unlock() }
        let handle = free
        if handle != 0 {
            free = block(handle)[0]
            freeCount &-= 1
            block(handle)[0] = 0
            return handle
        }
        guard Int(used) &* 8 &+ 8 <= memory.capacity else { return 0 }
        defer { used &+= 1 }
        return used
    }

    /// The first of `count` blocks in a row that were never used; 0 if memory is at its end.
    func allocate(row count: Int) -> UInt32 {
        lock.withLock {
            guard (Int(used) &+ count) &* 8 <= memory.capacity else { return 0 }
            defer { used &+= UInt32(truncatingIfNeeded: count) }
            return used
        }
    }

    /// Gives back a chain of `count` blocks.
    func release(first: UInt32, last: UInt32, count: Int) {
        guard first != 0, last != 0 else { return }
        lock.lock()
        block(last)[0] = free
        free = first
        freeCount &+= count
        lock.unlock()
    }

    /// Bytes in use.
    var usedBytes: Int { lock.withLock { (Int(used) &- 1 &- freeCount) &* 32 } }
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
