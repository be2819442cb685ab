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

    @Test func `files of version 1, which do not name their block, are read`() throws {
        let files = FaultyFileSystem()
        let blocks = try Self.filled(files)
        for block in blocks.keys {
            for name in ["data", "index"] {
                let bytes = try files.read("\(block)/\(name)")
                try Self.replace(
                    files, "\(block)/\(name)", with: bytes[..<8] + [1, 0, 0, 0, 0, 0, 0, 0] + bytes[16...])
            }
        }
        let store = try Self.open(files)
        defer { store.abandon() }
        #expect(store.leftOut.isEmpty && store.blocks.count >= 2)
        #expect(try Self.kept(store).isSuperset(of: blocks.values.reduce([]) { $0.union($1) }))
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
        let checksum = FrameWriter.checksum(changed)
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
