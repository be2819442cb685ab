import Encoding
import Model
import Platform
import TestSupport
import Testing

@testable import Storage

/// Checkpoints hold states as they lie in memory, and say in which layout.
@Suite struct CheckpointLayoutTests {
    /// The variables of a state in order, with where they lie.
    private static let offsets: [(name: String, offset: Int?)] = [
        ("lastValue", MemoryLayout<SeriesState>.offset(of: \.lastValue)),
        ("lastTime", MemoryLayout<SeriesState>.offset(of: \.lastTime)),
        ("run", MemoryLayout<SeriesState>.offset(of: \.run)),
        ("firstBlock", MemoryLayout<SeriesState>.offset(of: \.firstBlock)),
        ("lastBlock", MemoryLayout<SeriesState>.offset(of: \.lastBlock)),
        ("tail", MemoryLayout<SeriesState>.offset(of: \.tail)),
        ("lastDelta", MemoryLayout<SeriesState>.offset(of: \.lastDelta)),
        ("labels", MemoryLayout<SeriesState>.offset(of: \.labels)),
        ("group", MemoryLayout<SeriesState>.offset(of: \.group)),
        ("sealed", MemoryLayout<SeriesState>.offset(of: \.sealed)),
        ("mark", MemoryLayout<SeriesState>.offset(of: \.mark)),
        ("bits", MemoryLayout<SeriesState>.offset(of: \.bits)),
        ("logSegment", MemoryLayout<SeriesState>.offset(of: \.logSegment)),
        ("first", MemoryLayout<SeriesState>.offset(of: \.first)),
        ("count", MemoryLayout<SeriesState>.offset(of: \.count)),
        ("kind", MemoryLayout<SeriesState>.offset(of: \.kind)),
        ("scale", MemoryLayout<SeriesState>.offset(of: \.scale)),
        ("logScale", MemoryLayout<SeriesState>.offset(of: \.logScale)),
        ("xorLead", MemoryLayout<SeriesState>.offset(of: \.xorLead)),
        ("xorWidth", MemoryLayout<SeriesState>.offset(of: \.xorWidth)),
        ("generation", MemoryLayout<SeriesState>.offset(of: \.generation)),
    ]

    @Test("the number of the layout is that of the structure")
    func layout() throws {
        let variables = Array(Mirror(reflecting: SeriesState.none).children)
        #expect(variables.compactMap(\.label) == Self.offsets.map(\.name), "this test lists the variables, too")
        var parts = ["revision \(SeriesState.revision)"]
        for (variable, place) in zip(variables, Self.offsets) {
            parts.append("\(place.name) \(type(of: variable.value)) \(try #require(place.offset))")
        }
        parts.append("size \(MemoryLayout<SeriesState>.size)")
        let text = parts.joined(separator: ", ")
        let number = CRC32C.hash(Array(text.utf8))
        #expect(
            SeriesState.layout == number,
            "the structure has changed: SeriesState.layout must be 0x\(String(number, radix: 16)), for \(text)")
    }

    /// The checkpoint of the format's page as programs wrote it that said no layout.
    private static let first = """
        4d 4c 54 43 4b 50 32 0a 01 00 00 00 00 00 00 00
        0c 00 00 00 15 00 00 00 78 c6 a6 54 28 b5 2f fd
        20 0c 61 00 00 02 01 80 f4 ee 06 80 c0 b8 84 fa
        62 02 00 00 00 00 00 00 00 27 00 00 00 30 00 00
        00 7c 4a 84 6d 28 b5 2f fd 20 27 39 01 00 04 08
        5f 5f 6e 61 6d 65 5f 5f 02 75 70 08 69 6e 73 74
        61 6e 63 65 01 61 02 00 01 02 03 01 00 00 02 00
        01 90 00 b6 8c 03 00 00 00 00 00 00 00 25 00 00
        00 2e 00 00 00 bf 66 63 2e 28 b5 2f fd 20 25 29
        01 00 03 6a 6f 62 01 03 80 c0 b8 84 fa 62 02 80
        c0 b8 84 fa 62 80 b4 a7 8b fa 62 00 ff ff ff ff
        00 00 f0 00 01 00 00 04 00 00 00 00 00 00 00 4f
        00 00 00 3b 00 00 00 f5 39 db 56 28 b5 2f fd 20
        4f 95 01 00 84 02 01 00 08 40 00 10 47 d0 8b 01
        00 00 02 00 0f 00 01 00 00 01 00 01 01 00 00 00
        00 01 2c 00 d0 cf b5 03 0d 01 00 02 00 00 03 10
        00 34 96 49 c0 02 05 00 00 00 00 00 00 00 0c 00
        00 00 15 00 00 00 f2 18 91 be 28 b5 2f fd 20 0c
        61 00 00 04 02 75 70 05 67 61 75 67 65 00 00 06
        00 00 00 00 00 00 00 09 00 00 00 12 00 00 00 36
        1b d5 dd 28 b5 2f fd 20 09 49 00 00 01 01 80 c0
        b8 84 fa 62 27
        """

    private static func bytes(_ text: String) -> [UInt8] {
        text.split(whereSeparator: \.isWhitespace).compactMap { UInt8($0, radix: 16) }
    }

    /// A directory with the files of the pages, and another checkpoint.
    private static func directory(_ checkpoint: [UInt8]) throws -> FaultyFileSystem {
        let files = FaultyFileSystem()
        for (name, bytes) in try FormatPages.examples() where name != "blocks/pending-deletions" {
            let path = "data/" + name
            try files.createDirectories(FilePath.parent(path))
            let file = try files.open(path, .replace)
            try file.write(name == "checkpoint" ? checkpoint : bytes)
            try file.syncData()
        }
        return files
    }

    private static func open(_ files: FaultyFileSystem) throws -> TimeSeriesStore {
        try TimeSeriesStore.open(
            options: FormatExample.options, fileSystem: files, clock: ManualClock(now: FormatExample.middle + 20_000))
    }

    @Test("a checkpoint that says no layout is read")
    func withoutLayout() throws {
        let store = try Self.open(try Self.directory(Self.bytes(Self.first)))
        #expect(store.leftOut.isEmpty && store.damagedRecords == 0)
        #expect(try store.stored().times.count == 10)
        #expect(store.brokenInvariant == nil)
        try store.close()
    }

    /// The same checkpoint, saying another layout.
    private static func checkpoint(layout: UInt32) throws -> [UInt8] {
        let files = FaultyFileSystem()
        let file = try files.open("old", .replace)
        try file.write(bytes(first))
        let reader = try CheckpointReader("old", files)
        let decompressor = try ZstdDecompressor()
        var writer = try CheckpointWriter(try files.open("new", .replace))
        for frame in reader.frames {
            var content: [UInt8] = []
            try reader.read(frame, decompressor) { content = Array($0.bytes) }
            if frame.kind == CheckpointFrame.header {
                // The latest time that is trusted and the number of blocks come first.
                content.appendZigzag(Int64.max)
                content.appendVarint(1)
                content.appendLittle(layout)
            }
            try writer.write(frame.kind, group: frame.group, content)
        }
        return try files.read("new")
    }

    @Test("states of another layout are not read, and the report says why")
    func otherLayout() throws {
        let checkpoint = try Self.checkpoint(layout: SeriesState.layout ^ 1)
        let files = try Self.directory(checkpoint)
        let head = try Head(
            blockDuration: FormatExample.window, spill: try SpillStore("data/spill", fileSystem: files))
        let damage = try head.restore("data/checkpoint", files) { $0 = ByteReader($0.bytes, at: $0.bytes.count) }.damage
        #expect(damage.count == 1)
        #expect(damage.first?.contains("expected series states of layout 0xacb8450c") == true)
        #expect(damage.first?.contains("0xacb8450d cannot be read") == true)
        #expect(head.liveSeries == 1 && head.states[0].run == 0 && head.states[0].sealed == 0)
        // The others of the 10 are in the block, and in a file of the log that was begun after the checkpoint.
        let store = try Self.open(files)
        #expect(store.damagedRecords == 1 && store.brokenHead == nil)
        let count = try store.stored().times.count
        #expect(count == 7)
        #expect(try files.list("data").contains("checkpoint.damaged"))
        try store.close()
        let again = try Self.open(files)
        #expect(again.damagedRecords == 0)
        let later = try again.stored().times.count
        #expect(later == 7)
        try again.close()
    }

    @Test("the layout of this program is read where it is said")
    func ownLayout() throws {
        let store = try Self.open(try Self.directory(try Self.checkpoint(layout: SeriesState.layout)))
        #expect(store.damagedRecords == 0)
        #expect(try store.stored().times.count == 10)
        try store.close()
    }
}
