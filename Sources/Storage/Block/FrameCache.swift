import Encoding
import Synchronization

/// A decompressed frame of a block.
final class Frame: Sendable {
    // SAFETY: the memory is filled before the object is shared, then only read; `deinit` frees it.
    private nonisolated(unsafe) let memory: UnsafeRawBufferPointer
    private let bytesEnd: Int
    /// The bytes of memory.
    let size: Int

    /// Takes ownership of `memory`, which has `size` bytes, and then `bits` bytes for the bits of chunks.
    init(_ memory: UnsafeRawBufferPointer, size: Int, bits: Int) {
        self.memory = memory
        bytesEnd = size
        self.size = size + bits
    }

    deinit { memory.deallocate() }

    var bytes: UnsafeRawBufferPointer { UnsafeRawBufferPointer(rebasing: memory[..<bytesEnd]) }

    /// The bits of chunks, which ``ChunkParts`` stores separately.
    var bits: UnsafeRawBufferPointer { UnsafeRawBufferPointer(rebasing: memory[bytesEnd..<size]) }
}

/// A cache of decompressed frames of all blocks that were used recently; many threads may use it.
///
/// It replaces frames by the clock algorithm (Corbató, 1968): a frame is removed when the hand finds that it was not
/// used since the last time.
package final class FrameCache: Sendable {
    struct Key: Hashable {
        /// A number that no other reader had or has.
        var block: UInt64
        var frame: UInt32
    }

    private struct Slot {
        var key: Key
        var frame: Frame?
        var isUsed: Bool
    }

    private struct State {
        var slots: [Slot] = []
        var positions: [Key: Int] = [:]
        var free: [Int] = []
        var hand = 0
        var size = 0
        var hits = 0
        var misses = 0
    }

    private let capacity: Int
    private let state = Guarded(State())
    private let decompressors = Guarded<[Decompressor]>([])
    private static let nextBlock = Atomic<UInt64>(1)

    // SAFETY: one thread takes it out of the pool, and returns it when it is done.
    private struct Decompressor: @unchecked Sendable {
        let context: ZstdDecompressor
    }

    /// Makes a cache of about `capacity` bytes.
    package init(capacity: Int = 32 << 20) { self.capacity = capacity }

    /// A number that no other reader has.
    static func newBlockNumber() -> UInt64 { nextBlock.wrappingAdd(1, ordering: .relaxed).oldValue }

    /// The bytes held, and the numbers of hits and misses.
    package var statistics: (bytes: Int, hits: Int, misses: Int) {
        state.withLock { ($0.size, $0.hits, $0.misses) }
    }

    func find(_ key: Key) -> Frame? {
        state.withLock { state in
            guard let position = state.positions[key] else {
                state.misses &+= 1
                return nil
            }
            state.hits &+= 1
            state.slots[position].isUsed = true
            return state.slots[position].frame
        }
    }

    func insert(_ key: Key, _ frame: Frame) {
        var dropped: [Frame] = []
        state.withLock { state in
            guard state.positions[key] == nil else { return }
            state.size += frame.size
            while state.size > capacity, !state.positions.isEmpty {
                state.hand = state.hand + 1 < state.slots.count ? state.hand + 1 : 0
                let slot = state.slots[state.hand]
                guard let old = slot.frame else { continue }
                if slot.isUsed {
                    state.slots[state.hand].isUsed = false
                } else {
                    Self.drop(&state, state.hand)
                    dropped.append(old)
                }
            }
            let slot = Slot(key: key, frame: frame, isUsed: true)
            if let position = state.free.popLast() {
                state.slots[position] = slot
                state.positions[key] = position
            } else {
                state.positions[key] = state.slots.count
                state.slots.append(slot)
            }
        }
    }

    private static func drop(_ state: inout State, _ position: Int) {
        state.size -= state.slots[position].frame?.size ?? 0
        state.positions[state.slots[position].key] = nil
        state.slots[position].frame = nil
        state.free.append(position)
    }

    /// Removes the frames of a block.
    func remove(block: UInt64) {
        state.withLock { state in
            for position in state.slots.indices
            where state.slots[position].frame != nil && state.slots[position].key.block == block {
                Self.drop(&state, position)
            }
        }
    }

    func decompress(_ bytes: UnsafeRawBufferPointer, into target: UnsafeMutableRawBufferPointer)
        throws(CompressionError)
    {
        let taken = decompressors.withLock { $0.popLast() }
        let decompressor: Decompressor
        if let taken { decompressor = taken } else { decompressor = Decompressor(context: try ZstdDecompressor()) }
        defer { decompressors.withLock { $0.append(decompressor) } }
        try decompressor.context.decompress(bytes, into: target)
    }
}
