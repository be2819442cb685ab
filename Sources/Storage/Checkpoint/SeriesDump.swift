import Encoding
import Model
import Platform

/// The labels of many series as bytes: each text and each pair once, then a few small numbers for each series.
///
///     texts: number, sized texts · pairs: number, positions of name and value among the texts
///     series: number, then for each: change of group (zigzag), distance from the previous id (zigzag), number of
///     pairs, their positions
///     for each series: 4 bytes of the hash of its labels
struct SeriesDump {
    private let index: LabelIndex
    private let memory: MemoryRequest
    private var texts: [UInt8] = []
    private var pairs: [UInt8] = []
    private var series: [UInt8] = []
    private var hashes: [UInt8] = []
    private var (textCount, pairCount, seriesCount) = (0, 0, 0)
    private var (lastGroup, lastId): (UInt32, UInt32) = (0, 0)
    /// The positions by symbol and by pair, counted over all frames; those below the frame's first belong to earlier
    /// frames.
    private var textAt: [UInt32] = []
    private var pairAt: [UInt32] = []
    private var (firstText, firstPair): (UInt32, UInt32) = (1, 1)

    /// - Parameter pairs: The number of pairs in the index, about.
    init(_ index: LabelIndex, pairs: Int, _ memory: MemoryRequest) throws(StorageError) {
        self.index = index
        self.memory = memory
        try Self.grow(&pairAt, pairs, memory)
        // Most pairs have a value of their own.
        try Self.grow(&textAt, pairs, memory)
    }

    var isEmpty: Bool { seriesCount == 0 }

    /// The bytes so far.
    var size: Int { texts.count &+ pairs.count &+ series.count &+ hashes.count }

    mutating func add(_ id: UInt32, group: UInt32, record: UInt32) throws(StorageError) {
        series.appendZigzag(Int64(group) &- Int64(lastGroup))
        series.appendZigzag(Int64(id) &- Int64(lastId))
        (lastGroup, lastId) = (group, id)
        series.appendVarint(index.pairs(of: record).count)
        var reader = index.pairs(of: record)
        while let pair = reader.next() { series.appendVarint(UInt64(try position(ofPair: pair))) }
        hashes.appendLittle(UInt32(truncatingIfNeeded: index.labels(record: record).stableHash >> 32))
        seriesCount &+= 1
    }

    private mutating func position(ofPair pair: UInt32) throws(StorageError) -> UInt32 {
        try Self.grow(&pairAt, Int(pair), memory)
        if pairAt[Int(pair)] < firstPair {
            let (name, value) = index.symbols(ofPair: pair)
            pairs.appendVarint(UInt64(try position(ofText: name)))
            pairs.appendVarint(UInt64(try position(ofText: value)))
            pairAt[Int(pair)] = firstPair &+ UInt32(truncatingIfNeeded: pairCount)
            pairCount &+= 1
        }
        return pairAt[Int(pair)] &- firstPair
    }

    private mutating func position(ofText symbol: UInt32) throws(StorageError) -> UInt32 {
        try Self.grow(&textAt, Int(symbol), memory)
        if textAt[Int(symbol)] < firstText {
            texts.appendSized(index.text(ofSymbol: symbol))
            textAt[Int(symbol)] = firstText &+ UInt32(truncatingIfNeeded: textCount)
            textCount &+= 1
        }
        return textAt[Int(symbol)] &- firstText
    }

    /// Makes space for position `at`, and for some labels that are made meanwhile.
    ///
    /// It is static: a method of a value that changes one of its own variables is called with a copy of the value.
    @inline(__always)
    private static func grow(
        _ positions: inout [UInt32], _ at: Int, _ memory: MemoryRequest
    ) throws(StorageError) {
        guard at >= positions.count else { return }
        let more = at &+ 1024 &- positions.count
        try memory.reserve(more, in: &positions, for: "the positions of labels in a checkpoint")
        positions += repeatElement(0, count: more)
    }

    /// Returns the content of the frame, and starts the next frame.
    mutating func finish() -> [UInt8] {
        var frame: [UInt8] = []
        frame.reserveCapacity(size &+ 32)
        frame.appendVarint(textCount)
        frame += texts
        frame.appendVarint(pairCount)
        frame += pairs
        frame.appendVarint(seriesCount)
        frame += series
        frame += hashes
        firstText &+= UInt32(truncatingIfNeeded: textCount)
        firstPair &+= UInt32(truncatingIfNeeded: pairCount)
        (textCount, pairCount, seriesCount, lastGroup, lastId) = (0, 0, 0, 0, 0)
        for part in [\Self.texts, \.pairs, \.series, \.hashes] { self[keyPath: part].removeAll(keepingCapacity: true) }
        return frame
    }
}

/// The series of a checkpoint that are being restored into the head.
final class SeriesRestore: @unchecked Sendable {
    // SAFETY: one thread uses it, and another one only after the first has ended.
    /// The record of labels (low half) and the group (upper half) of each id; 0 means no record.
    let found: Column<UInt64>
    /// The ids of the restored series.
    private(set) var ids = IdRuns()
    /// The end of the ids that were read, including those of series that do not fit.
    private(set) var idEnd: UInt32 = 0
    private let index: LabelIndex

    init(_ index: LabelIndex, capacity: Int) throws(StorageError) {
        self.index = index
        found = try Column(capacity: capacity)
        guard found.capacity >= capacity else {
            throw .outOfMemory("the restoring of \(capacity) series\(AddressSpace.note)")
        }
    }

    /// Restores the series of a frame into the index; no other thread may use the index meanwhile.
    ///
    /// It throws ``StorageError/limit(_:)`` or ``StorageError/outOfMemory(_:)`` at the first series that does not fit.
    func read(_ reader: inout ByteReader) throws {
        var texts: [UInt32] = []
        for _ in 0..<(try reader.count(reader.remaining)) {
            texts.append(try index.symbol(try reader.sizedRun().bindMemory(to: UInt8.self)))
        }
        var pairs: [UInt32] = []
        for _ in 0..<(try reader.count(reader.remaining)) {
            let (name, value) = (try reader.count(texts.count - 1), try reader.count(texts.count - 1))
            guard name < texts.count, value < texts.count else {
                throw DecodeError(expected: "a text", offset: reader.offset)
            }
            pairs.append(try index.pair(texts[name], texts[value]))
        }
        let count = try reader.count(reader.remaining)
        let hashes = reader.bytes.count &- count &* 4
        guard hashes >= reader.offset else { throw DecodeError(expected: "hashes", offset: reader.offset) }
        var (group, id): (Int64, Int64) = (0, 0)
        var own: [UInt32] = []
        for i in 0..<count {
            group &+= try reader.zigzag()
            id &+= try reader.zigzag()
            guard group >= 0, group < Head.maxGroups, id >= 0, id < Head.maxSeries &- 1 else {
                throw DecodeError(expected: "a group and an id", offset: reader.offset)
            }
            own.removeAll(keepingCapacity: true)
            for _ in 0..<(try reader.count(reader.remaining)) {
                let pair = try reader.count(pairs.count - 1)
                guard pair < pairs.count else { throw DecodeError(expected: "a pair", offset: reader.offset) }
                own.append(pairs[pair])
            }
            let hash = UInt32(
                littleEndian: reader.bytes.loadUnaligned(fromByteOffset: hashes &+ i &* 4, as: UInt32.self))
            idEnd = max(idEnd, UInt32(id) &+ 1)
            guard Int(id) &+ 1 < found.capacity else {
                throw StorageError.limit("\(found.capacity) series\(AddressSpace.note)")
            }
            guard UInt32(truncatingIfNeeded: found[Int(id)]) == 0 else { continue }
            let record = try own.withUnsafeBufferPointer {
                try index.insert(UInt32(id), pairs: $0, hash: UInt64(hash) << 32)
            }
            found[Int(id)] = UInt64(group) << 32 | UInt64(record)
            ids.add(UInt32(id))
        }
    }
}
