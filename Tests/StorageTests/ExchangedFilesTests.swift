import Encoding
import Model
import Platform
import TestSupport
import Testing

@testable import Storage

/// The files of blocks that somebody exchanged for those of other blocks, or for older ones.
@Suite struct ExchangedFilesTests {
    private static let hour: Int64 = 3_600_000
    private static let first: Int64 = 1_700_006_400_000
    private static let second = first + 96 * hour
    private static let names = ["data", "index", "meta.json", "deleted"]

    private static func open(_ files: FaultyFileSystem, now: Int64 = first + 300 * hour) throws -> TimeSeriesStore {
        try .open(files, now: now) { $0.blockDuration = 2 * hour }
    }

    private static func delete(_ store: TimeSeriesStore, _ time: Int64) throws {
        _ = try store.deleteSeries([Matcher(name: "__name__", equals: "m")], minTime: time, maxTime: time)
    }

    /// A store with two blocks of the same shape; one sample of each is deleted.
    ///
    /// - Returns: The times of the samples of each block by its directory, without the deleted sample.
    private static func filled(_ files: FaultyFileSystem) throws -> [String: Set<Int64>] {
        let store = try open(files)
        var result: [String: Set<Int64>] = [:]
        for start in [first, second] {
            let times = (0..<6).map { start + $0 * 60_000 }
            let meta = try store.addBlock(baseTime: start) { writer in
                var columns = SampleColumns()
                for time in times { columns.append(time, 1) }
                try writer.add(Labels([("__name__", "m")]), columns)
            }
            try delete(store, times[3])
            result["data/blocks/\(try #require(meta).id)"] = Set(times).subtracting([times[3]])
        }
        try store.close()
        return result
    }

    /// The block with the earlier samples.
    private static func firstBlock(_ blocks: [String: Set<Int64>]) throws -> String {
        try #require(blocks.first { $0.value.contains(first) }?.key)
    }

    private static func replace(_ files: FaultyFileSystem, _ path: String, with bytes: [UInt8]) throws {
        let file = try files.open(path, .replace)
        try file.write(bytes)
        file.close()
    }

    private static func kept(_ store: TimeSeriesStore) throws -> Set<Int64> {
        Set(try store.stored(named: "m").times)
    }

    /// Each set of names, and whether the other block gets the files of the first one.
    static let exchanges = (1..<16).flatMap { bits in
        [false, true].map { (names.indices.filter { bits >> $0 & 1 == 1 }.map { names[$0] }, $0) }
    }

    @Test(arguments: exchanges)
    func `a block with files of another one is left out and reported`(_ exchanged: [String], isMutual: Bool) throws {
        let files = FaultyFileSystem()
        let blocks = try Self.filled(files)
        let a = try Self.firstBlock(blocks)
        let b = try #require(blocks.keys.first { $0 != a })
        for name in exchanged {
            let (own, other) = (try files.read("\(a)/\(name)"), try files.read("\(b)/\(name)"))
            #expect(own != other && (name == "meta.json" || own.count == other.count), "\(name)")
            try Self.replace(files, "\(a)/\(name)", with: other)
            if isMutual { try Self.replace(files, "\(b)/\(name)", with: own) }
        }
        let store = try Self.open(files)
        defer { store.abandon() }
        let reported = Set(store.leftOut.filter(\.isBlock).map { "data/blocks/\($0.name)" })
        #expect(reported == (isMutual ? [a, b] : [a]))
        let kept = try Self.kept(store)
        #expect(kept.isDisjoint(with: blocks[a] ?? []))
        #expect(kept.isDisjoint(with: blocks[b] ?? []) == isMutual)
        if !isMutual { #expect(kept.isSuperset(of: blocks[b] ?? [])) }
    }

    /// A block's data and index as version 1 wrote them.
    private static func asVersion1(_ files: FaultyFileSystem, _ block: String) throws {
        func put(_ value: UInt32, _ at: Int, _ bytes: inout [UInt8]) {
            for i in 0..<4 { bytes[at + i] = UInt8(truncatingIfNeeded: value >> UInt32(8 * i)) }
        }
        func number(_ at: Int, _ bytes: [UInt8]) -> Int { (0..<8).reduce(0) { $0 | Int(bytes[at + $1]) << (8 * $1) } }
        let header: [UInt8] = [1, 0, 0, 0, 0, 0, 0, 0]
        var data = try files.read(block + "/data")
        data.replaceSubrange(8..<16, with: header)
        for frame in try BlockIndex(files, block + "/index").frames {
            let range = Int(frame.offset)..<(Int(frame.offset) + BlockFormat.frameHeaderSize + Int(frame.stored))
            put(FrameWriter.checksum(Array(data[range]), from: 0), range.lowerBound + 20, &data)
        }
        try replace(files, block + "/data", with: data)
        var index = try files.read(block + "/index")
        index.replaceSubrange(8..<16, with: header)
        let (table, end) = (number(index.count - 24, index), index.count - 24)
        for entry in stride(from: table, to: end, by: 24) {
            let start = number(entry + 8, index)
            put(CRC32C.hash(Array(index[start..<(start + number(entry + 16, index))])), entry + 4, &index)
        }
        put(CRC32C.hash(Array(index[table..<end])), index.count - 12, &index)
        try replace(files, block + "/index", with: index)
    }

    @Test func `files of version 1, which do not name their block, are read`() throws {
        let files = FaultyFileSystem()
        let blocks = try Self.filled(files)
        for block in blocks.keys { try Self.asVersion1(files, block) }
        let store = try Self.open(files)
        defer { store.abandon() }
        #expect(store.leftOut.isEmpty && store.blocks.count >= 2)
        #expect(try Self.kept(store).isSuperset(of: blocks.values.reduce([]) { $0.union($1) }))
        for block in store.blocks { try block.checkInvariants() }
    }

    @Test(arguments: ["data", "index"])
    func `a part of a file of another store's block is damage`(_ name: String) throws {
        // Two stores with blocks of the same shape and other values.
        func filled(_ value: Double) throws -> (files: FaultyFileSystem, path: String) {
            let files = FaultyFileSystem()
            let store = try Self.open(files)
            let meta = try store.addBlock(baseTime: Self.first) { writer in
                for s in 0..<3 {
                    var columns = SampleColumns()
                    for i in 0..<8 { columns.append(Self.first + Int64(i) * 60_000, value + Double(i * s)) }
                    try writer.add(Labels([("__name__", "m"), ("s", "\(s)")]), columns)
                }
            }
            store.abandon()
            return (files, "data/blocks/\(try #require(meta).id)")
        }
        let ((files, path), (others, otherPath)) = (try filled(20), try filled(30))
        let (own, other) = (try files.read("\(path)/\(name)"), try others.read("\(otherPath)/\(name)"))
        try #require(own.count == other.count && own != other)
        var right: Set<Double> = []
        for i in 0..<8 { for s in 0..<3 { right.insert(20 + Double(i * s)) } }
        for cut in 0..<own.count {
            for end in [cut + 1, cut + 64, own.count] where end <= own.count {
                var mixed = own
                mixed.replaceSubrange(cut..<end, with: other[cut..<end])
                if mixed == own { continue }
                try Self.replace(files, "\(path)/\(name)", with: mixed)
                let store = try Self.open(files)
                let values = Set(try store.stored(named: "m").flatMap(\.values))
                #expect(values.isSubset(of: right))
                let problems = store.blocks.first.map { (try? $0.problems().count) ?? 1 } ?? 1
                #expect(problems > 0, "\(cut)..<\(end)")
                store.abandon()
            }
        }
    }

    @Test func `a frame at the place of another one is damage`() throws {
        let files = FaultyFileSystem()
        let path = "01HF7GZ8M00000000000000000"
        try files.createDirectories(path)
        let file = try files.open(path + "/data", .create)
        let writer = try FrameWriter(file, block: path, level: 1)
        for byte in [UInt8(1), 2] {
            try writer.append(.postings) { $0 += [byte, 7, byte] }
            try writer.flush(.postings)
        }
        let first = try BlockFrames(try files.open(path + "/data", .read), table: writer.table, cache: FrameCache())
        for frame in 0..<2 { try first.verify(UInt32(frame)) }
        let bytes = try files.read(path + "/data")
        let size = (bytes.count - 16) / 2
        let swapped = Array(bytes[..<16]) + Array(bytes[(16 + size)...]) + Array(bytes[16..<(16 + size)])
        try Self.replace(files, path + "/data", with: swapped)
        let second = try BlockFrames(try files.open(path + "/data", .read), table: writer.table, cache: FrameCache())
        for frame in 0..<2 { #expect(throws: BlockError.self) { try second.verify(UInt32(frame)) } }
    }

    @Test(arguments: [false, true])
    func `an older file of deletions is not taken`(_ isRestarted: Bool) throws {
        let files = FaultyFileSystem()
        let block = try Self.firstBlock(Self.filled(files))
        let older = try files.read(block + "/deleted")
        var store = try Self.open(files)
        try Self.delete(store, Self.first + 60_000)
        store.abandon()
        if isRestarted {
            // The manifest is written again at each start.
            store = try Self.open(files)
            store.abandon()
        }
        try Self.replace(files, block + "/deleted", with: older)
        store = try Self.open(files)
        defer { store.abandon() }
        #expect(store.leftOut.map { "data/blocks/\($0.name)" } == [block])
        #expect(store.leftOut.first?.reason.contains("1 of 2 deletions") ?? false)
        #expect(try !Self.kept(store).contains(Self.first + 60_000))
    }

    @Test func `a manifest that says no number of deletions is used`() throws {
        let files = FaultyFileSystem()
        let block = FilePath.name(try Self.firstBlock(Self.filled(files)))
        do {
            let manifest = try Manifest(files, directory: "data/blocks")
            let known = manifest.notes.deletions.mapValues { _ in 0 }
            try manifest.commit(.init(mark: manifest.mark, notes: ManifestNotes(deletions: known)))
            #expect(manifest.notes.deletions[block] == 0)
        }
        let store = try Self.open(files)
        #expect(store.leftOut.isEmpty)
        store.abandon()
        // The start has noted it.
        #expect(try Manifest(files, directory: "data/blocks").notes.deletions[block] == 1)
    }

    @Test func `a chunk that is not as the table of the series says is listed`() throws {
        let files = FaultyFileSystem()
        let block = try Self.firstBlock(Self.filled(files))
        // The times of the chunks are replaced by later ones; the checksum of the frame is right.
        var bytes = try files.read(block + "/data")
        let index = try BlockIndex(files, block + "/index")
        let frame = try #require(
            index.frames.first { bytes[Int($0.offset) + 4] == BlockFormat.FrameKind.times.rawValue })
        let range = Int(frame.offset)..<(Int(frame.offset) + BlockFormat.frameHeaderSize + Int(frame.stored))
        var changed = Array(bytes[range])
        #expect(changed[5] == 0, "the frame is not compressed")
        changed[BlockFormat.frameHeaderSize + 2] ^= 1
        let start = BlockOwner(FilePath.name(block)).start(at: range.lowerBound)
        let checksum = FrameWriter.checksum(changed, from: start)
        for i in 0..<4 { changed[20 + i] = UInt8(truncatingIfNeeded: checksum >> UInt32(8 * i)) }
        bytes.replaceSubrange(range, with: changed)
        try Self.replace(files, block + "/data", with: bytes)
        let reader = try BlockReader(files, directory: block, cache: FrameCache())
        let problems = try reader.problems().map { "\($0)" }
        #expect(
            problems.count == 1 && problems.allSatisfy { $0.contains("the times do not begin and end") }, "\(problems)")
    }

    @Test func `each damaged frame is listed`() throws {
        let files = FaultyFileSystem()
        let block = try Self.firstBlock(Self.filled(files))
        var bytes = try files.read(block + "/data")
        let frames = try BlockIndex(files, block + "/index").frames
        for frame in frames { bytes[Int(frame.offset) + BlockFormat.frameHeaderSize] ^= 0x40 }
        try Self.replace(files, block + "/data", with: bytes)
        let reader = try BlockReader(files, directory: block, cache: FrameCache())
        #expect(try reader.problems().count == frames.count)
        #expect(throws: BlockError.self) { try reader.verify() }
    }
}
