import Encoding
import Model

/// The labels of the series of a block and their posting lists, collected while the block is written.
///
/// They are flat arrays without an object per label: an entry, its text and its posting list in nodes of 16 bytes. Each
/// asks for memory before it grows. A value that several names have is stored once, as in the head: what the head can
/// hold does not become much larger here.
struct SymbolPostings {
    private struct Entry {
        var name: UInt32
        var textOffset: UInt32
        var textSize: UInt32
        /// The run that is being extended.
        var start: UInt32
        var end: UInt32
        /// The end of the last run that was written to the list.
        var written: UInt32
        var count: UInt32
        var head: UInt32
        var tail: UInt32
        /// The number of bytes in the list.
        var size: UInt32
    }

    private(set) var names: [[UInt8]] = []
    private var nameIDs: [[UInt8]: UInt32] = [:]
    private var entries: [Entry] = []
    private var text: [UInt8] = []
    /// The number of the entry + 1; 0 if the slot is free.
    private var slots = [UInt32](repeating: 0, count: 1024)
    /// The number of the first entry with each value + 1; 0 if the slot is free.
    private var valueSlots = [UInt32](repeating: 0, count: 1024)
    private var valueCount = 0
    private var nodes: [UInt8] = []
    private static let payload: UInt32 = 12
    /// The entries of the labels of the previous series.
    private var previous: [UInt32] = []
    private var previousLabels: [UInt8] = []
    var memory = MemoryRequest()
    private static let what = "the labels of a block"

    /// The number of distinct labels.
    var count: Int { entries.count }

    /// Adds the labels of the series of `rank`; ranks must be ascending.
    mutating func add(_ labels: Labels, rank: UInt32) throws {
        var mine: [UInt32] = []
        mine.reserveCapacity(previous.count + 2)
        try labels.bytes.withUnsafeBufferPointer { bytes in
            try previousLabels.withUnsafeBufferPointer { before in
                var (cursor, last) = (Labels.Cursor(bytes), Labels.Cursor(before))
                var other = last.next()
                var position = 0
                while let (name, value) = cursor.next() {
                    var known: UInt32?
                    while let (otherName, otherValue) = other {
                        let order = Labels.compare(otherName, name)
                        if order > 0 { break }
                        if order == 0, Labels.equal(otherValue, value), position < previous.count {
                            known = previous[position]
                        }
                        other = last.next()
                        position += 1
                        if order == 0 { break }
                    }
                    let entry = try known ?? find(name, value)
                    mine.append(entry)
                }
            }
        }
        for entry in mine { try extend(Int(entry), rank) }
        previous = mine
        previousLabels = labels.bytes
    }

    private mutating func find(
        _ name: UnsafeBufferPointer<UInt8>, _ value: UnsafeBufferPointer<UInt8>
    ) throws(StorageError) -> UInt32 {
        let nameBytes = Array(name)
        let nameID: UInt32
        if let known = nameIDs[nameBytes] {
            nameID = known
        } else {
            try memory.reserve(1, in: &names, for: Self.what)
            try memory.reserve(in: nameIDs, for: Self.what)
            nameID = UInt32(truncatingIfNeeded: names.count)
            names.append(nameBytes)
            nameIDs[nameBytes] = nameID
        }
        if (entries.count + 1) * 4 > slots.count * 3 { try grow(\.slots) { Self.hash($0.name, $1) } }
        var slot = Self.hash(nameID, UnsafeRawBufferPointer(value)) & (slots.count - 1)
        while slots[slot] != 0 {
            let entry = entries[Int(slots[slot]) - 1]
            if entry.name == nameID, has(entry, value) { return slots[slot] - 1 }
            slot = (slot + 1) & (slots.count - 1)
        }
        try memory.reserve(1, in: &entries, for: Self.what)
        let offset = try place(value)
        entries.append(
            Entry(
                name: nameID, textOffset: offset,
                textSize: UInt32(truncatingIfNeeded: value.count), start: 0, end: 0, written: 0, count: 0, head: 0,
                tail: 0, size: 0))
        slots[slot] = UInt32(truncatingIfNeeded: entries.count)
        return UInt32(truncatingIfNeeded: entries.count - 1)
    }

    private static func hash(_ name: UInt32, _ value: UnsafeRawBufferPointer) -> Int {
        Int(truncatingIfNeeded: XXHash64.hash(value, seed: UInt64(name)) & UInt64(Int.max))
    }

    private func has(_ entry: Entry, _ value: UnsafeBufferPointer<UInt8>) -> Bool {
        Int(entry.textSize) == value.count && self.value(entry).elementsEqual(value)
    }

    /// The position of a value in `text`, to which it is added if no entry has it; the caller adds the next entry.
    private mutating func place(_ value: UnsafeBufferPointer<UInt8>) throws(StorageError) -> UInt32 {
        if (valueCount + 1) * 4 > valueSlots.count * 3 { try grow(\.valueSlots) { Self.hash(.max, $1) } }
        var slot = Self.hash(.max, UnsafeRawBufferPointer(value)) & (valueSlots.count - 1)
        while valueSlots[slot] != 0 {
            let entry = entries[Int(valueSlots[slot]) - 1]
            if has(entry, value) { return entry.textOffset }
            slot = (slot + 1) & (valueSlots.count - 1)
        }
        try memory.reserve(value.count, in: &text, for: Self.what)
        let offset = UInt32(truncatingIfNeeded: text.count)
        text.append(contentsOf: value)
        valueSlots[slot] = UInt32(truncatingIfNeeded: entries.count + 1)
        valueCount += 1
        return offset
    }

    /// Doubles a table of slots.
    private mutating func grow(
        _ table: WritableKeyPath<Self, [UInt32]>, _ hash: (Entry, UnsafeRawBufferPointer) -> Int
    ) throws(StorageError) {
        let old = self[keyPath: table]
        try memory.ask(old.count * 8, for: Self.what)
        var slots = [UInt32](repeating: 0, count: old.count * 2)
        for number in old where number != 0 {
            let entry = entries[Int(number) - 1]
            var slot = value(entry).withUnsafeBytes { hash(entry, $0) } & (slots.count - 1)
            while slots[slot] != 0 { slot = (slot + 1) & (slots.count - 1) }
            slots[slot] = number
        }
        self[keyPath: table] = slots
    }

    private mutating func extend(_ index: Int, _ rank: UInt32) throws(StorageError) {
        entries[index].count += 1
        if entries[index].end == rank, entries[index].end > entries[index].start {
            entries[index].end = rank + 1
            return
        }
        try writeRun(index)
        entries[index].start = rank
        entries[index].end = rank + 1
    }

    private mutating func writeRun(_ index: Int) throws(StorageError) {
        let entry = entries[index]
        guard entry.end > entry.start else { return }
        let length = entry.end - entry.start
        try put(index, UInt64(entry.start - entry.written) << 1 | (length > 1 ? 1 : 0))
        if length > 1 { try put(index, UInt64(length - 2)) }
        entries[index].written = entry.end
        entries[index].start = entry.end
    }

    private mutating func put(_ index: Int, _ value: UInt64) throws(StorageError) {
        var rest = value
        while rest >= 0x80 {
            try putByte(index, UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        try putByte(index, UInt8(truncatingIfNeeded: rest))
    }

    private mutating func putByte(_ index: Int, _ byte: UInt8) throws(StorageError) {
        let used = entries[index].size % Self.payload
        if used == 0 {
            let node = UInt32(truncatingIfNeeded: nodes.count / 16)
            try memory.reserve(16, in: &nodes, for: Self.what)
            nodes.append(contentsOf: repeatElement(0, count: 16))
            if entries[index].size == 0 {
                entries[index].head = node
            } else {
                let link = Int(entries[index].tail) * 16
                for i in 0..<4 { nodes[link + i] = UInt8(truncatingIfNeeded: node >> UInt32(8 * i)) }
            }
            entries[index].tail = node
        }
        nodes[Int(entries[index].tail) * 16 + 4 + Int(used)] = byte
        entries[index].size += 1
    }

    /// Calls `body` for each label, ordered by name and value.
    ///
    /// The arguments are the rank of the name, the value, the number of series and the posting list.
    mutating func forEach(_ body: (Int, ArraySlice<UInt8>, Int, [UInt8]) throws -> Void) throws {
        for index in entries.indices { try writeRun(index) }
        // The ranks, and the names in their order; a sort needs a copy of a half.
        try memory.ask(names.count * 20, for: Self.what)
        var rank = [Int](repeating: 0, count: names.count)
        for (position, id) in sortedNames.enumerated() { rank[id] = position }
        var order: [UInt32] = []
        try memory.ask(entries.count * 6, for: Self.what)
        order.reserveCapacity(entries.count)
        for index in entries.indices { order.append(UInt32(truncatingIfNeeded: index)) }
        order.sort { a, b in
            let (x, y) = (entries[Int(a)], entries[Int(b)])
            if x.name != y.name { return rank[Int(x.name)] < rank[Int(y.name)] }
            return value(x).lexicographicallyPrecedes(value(y))
        }
        for index in order {
            let entry = entries[Int(index)]
            // The frame of a long list is compressed as a whole.
            try memory.ask(Int(entry.size) * 4, for: Self.what)
            try body(rank[Int(entry.name)], value(entry), Int(entry.count), list(entry))
        }
    }

    /// The numbers of the names in bytewise order.
    var sortedNames: [Int] { names.indices.sorted { names[$0].lexicographicallyPrecedes(names[$1]) } }

    private func value(_ entry: Entry) -> ArraySlice<UInt8> {
        text[Int(entry.textOffset)..<Int(entry.textOffset + entry.textSize)]
    }

    private func list(_ entry: Entry) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(Int(entry.size))
        var node = entry.head
        while bytes.count < Int(entry.size) {
            let at = Int(node) * 16
            let take = min(12, Int(entry.size) - bytes.count)
            bytes += nodes[(at + 4)..<(at + 4 + take)]
            node =
                UInt32(nodes[at]) | UInt32(nodes[at + 1]) << 8 | UInt32(nodes[at + 2]) << 16
                | UInt32(nodes[at + 3]) << 24
        }
        return bytes
    }
}
