import Encoding
import Model
import Platform
import TestSupport
import Testing

@testable import Storage

/// The files with the deleted samples of blocks.
@Suite struct DeletedFileTests {
    private static let hour: Int64 = 3_600_000
    private static let start: Int64 = 1_700_006_400_000
    /// The times of the samples: the first and the last hour of two blocks that are far apart.
    private static let deleted = [start, start + 100 * hour]
    private static let others = [start + hour, start + 101 * hour]

    private static func open(_ files: FaultyFileSystem, now: Int64 = start + 200 * hour) throws -> TimeSeriesStore {
        try .open(files, now: now) { $0.blockDuration = 2 * hour }
    }

    /// A store with two blocks; the first sample of each one is deleted.
    private static func filled(_ files: FaultyFileSystem) throws -> [String] {
        for (first, last) in zip(deleted, others) {
            let store = try open(files, now: last + 4 * hour)
            try store.push("m", at: [first, last, last + 3 * hour])
            store.runMaintenance()
            try store.close()
        }
        let store = try open(files)
        for time in deleted {
            _ = try store.deleteSeries([Matcher(name: "__name__", equals: "m")], minTime: time, maxTime: time)
        }
        let blocks = store.blocks.filter(\.hasDeletions).map { "data/blocks/\($0.meta.id)" }
        try store.close()
        try #require(blocks.count == 2)
        #expect(try kept(files).isSuperset(of: others) && kept(files).isDisjoint(with: deleted))
        return blocks
    }

    private static func kept(_ files: FaultyFileSystem) throws -> Set<Int64> {
        let store = try open(files)
        defer { store.abandon() }
        return Set(try store.stored(named: "m").times)
    }

    private static func replace(_ files: FaultyFileSystem, _ path: String, with bytes: [UInt8]) throws {
        let file = try files.open(path, .replace)
        try file.write(bytes)
        file.close()
    }

    @Test func `the file of another block is damage, and no deleted sample comes back`() throws {
        let files = FaultyFileSystem()
        let blocks = try Self.filled(files)
        try Self.replace(files, blocks[0] + "/deleted", with: try files.read(blocks[1] + "/deleted"))
        let store = try Self.open(files)
        #expect(store.leftOut.map(\.isBlock) == [true], "\(store.leftOut)")
        let kept = Set(try store.stored(named: "m").times)
        #expect(kept.isDisjoint(with: Self.deleted))
        #expect(kept.contains(Self.others[1]))
        store.abandon()
    }

    @Test func `a file of version 1 is read`() throws {
        let files = FaultyFileSystem()
        for block in try Self.filled(files) {
            let bytes = try files.read(block + "/deleted")
            let rest = Array(bytes[16...])
            var old = Array(bytes[..<8])
            old.appendLittle(1 as UInt32)
            old.appendLittle(CRC32C.hash(rest))
            try Self.replace(files, block + "/deleted", with: old + rest)
        }
        #expect(try Self.kept(files).isDisjoint(with: Self.deleted))
        #expect(try Self.kept(files).isSuperset(of: Self.others))
    }
}
