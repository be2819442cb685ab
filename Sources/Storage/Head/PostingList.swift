/// The series that have one label, a name with a value.
///
/// They are stored as runs of ids in the order in which they were added: (gap, length) as varints in a chain of blocks;
/// the last run is here. The label of a target is usually one run, for any number of series.
struct PostingList: BitwiseCopyable {
    /// The run that is still growing.
    var runStart: UInt32
    var runLength: UInt32
    /// The first id after the last run in the chain.
    var flushedEnd: UInt32
    var firstBlock: UInt32
    var lastBlock: UInt32
    /// The number of bytes in the chain.
    var bytes: UInt32
    /// The number of series that have the label.
    var count: UInt32

    /// Adds a series, which takes at most one block; returns false if no memory was left, and the list cannot be used
    /// then.
    mutating func add(_ id: UInt32, _ arena: BlockArena) -> Bool {
        if runLength > 0, runStart &+ runLength == id {
            runLength &+= 1
            count &+= 1
            return true
        }
        if runLength > 0, !flush(arena) { return false }
        count &+= 1
        runStart = id
        runLength = 1
        return true
    }

    private mutating func flush(_ arena: BlockArena) -> Bool {
        // Restored ids may be before the last run, so the gap has a sign.
        let gap = Int64(runStart) &- Int64(flushedEnd)
        var zigzag = UInt64(bitPattern: gap << 1 ^ gap >> 63)
        for last in [false, true] {
            if last { zigzag = UInt64(runLength) }
            repeat {
                let more = zigzag >= 0x80
                let byte = UInt8(truncatingIfNeeded: zigzag & 0x7F) | (more ? 0x80 : 0)
                guard put(byte, arena) else { return false }
                zigzag >>= 7
                if !more { break }
            } while true
        }
        flushedEnd = runStart &+ runLength
        return true
    }

    private mutating func put(_ byte: UInt8, _ arena: BlockArena) -> Bool {
        let size = BlockArena.words * 4
        let slot = Int(bytes) % size
        if slot == 0 {
            let block = arena.allocate()
            guard block != 0 else { return false }
            if firstBlock == 0 {
                firstBlock = block
            } else {
                arena.setLink(of: lastBlock, to: block)
            }
            lastBlock = block
        }
        arena[lastBlock, byte: slot] = byte
        bytes &+= 1
        return true
    }

    /// Appends the ids of the series to `ids`, ascending.
    func append(to ids: inout [UInt32], _ arena: BlockArena) {
        let first = ids.count
        var isAscending = true
        var (block, slot, left) = (firstBlock, 0, Int(bytes))
        func next() -> UInt64 {
            var (value, shift): (UInt64, UInt64) = (0, 0)
            while left > 0 {
                if slot == BlockArena.words * 4 {
                    block = arena.link(of: block)
                    slot = 0
                }
                let byte = arena[block, byte: slot]
                slot &+= 1
                left &-= 1
                value |= UInt64(byte & 0x7F) << shift
                shift &+= 7
                if byte & 0x80 == 0 { break }
            }
            return value
        }
        var end: Int64 = 0
        while left > 0 {
            let gap = next()
            let start = end &+ (Int64(bitPattern: gap >> 1) ^ -Int64(gap & 1))
            let length = Int64(next())
            if start < end { isAscending = false }
            ids.append(contentsOf: UInt32(start)..<UInt32(start &+ length))
            end = start &+ length
        }
        if runLength > 0 {
            if Int64(runStart) < end { isAscending = false }
            ids.append(contentsOf: runStart..<(runStart &+ runLength))
        }
        // Ids are added in ascending order, except if a checkpoint is damaged and the log has the series that it lacks.
        if !isAscending { ids[first...].sort() }
    }
}
