import Model
import Platform
import TestSupport
import Testing

@testable import Storage

/// A manifest with a wrong byte, beside a lost list of deletions.
@Suite struct DamagedManifestTests {
    private static let start: Int64 = 1_699_999_200_000
    private static let matchers = [Matcher(name: "s", equals: "1")]
    private static let manifest = "data/blocks/" + Manifest.fileName

    private static func open(_ files: FaultyFileSystem) throws -> TimeSeriesStore {
        try TimeSeriesStore.open(
            options: StoreOptions(directory: "data", retentionTime: 0, blockDuration: 600_000, runsInBackground: false),
            fileSystem: files, clock: ManualClock(now: 1_700_004_000_000))
    }

    /// A store with blocks, and the directory of the first one.
    private static func specimen() throws -> (files: FaultyFileSystem, block: String) {
        let files = FaultyFileSystem()
        let store = try open(files)
        let group = store.openGroup("g")
        for step in 0..<270 {
            var batch = SampleBatch(timestamp: start + Int64(step) * 10_000)
            for s in 0..<2 {
                let labels = TimeSeriesStoreTests.labels(["__name__": "m", "s": "\(s)"])
                batch.append(try store.resolve(labels, in: group), Double(step))
            }
            _ = try store.commit(batch, in: group, durability: .written)
            if step % 80 == 79 { store.runMaintenance() }
        }
        try #require(store.blocks.count >= 2)
        let block = try #require(store.blocks.first).directory
        try store.close()
        return (files, block)
    }

    private static func deleted(_ store: TimeSeriesStore) throws -> Int {
        let set = try store.select(SelectRequest(matchers: matchers, minTime: .min, maxTime: .max))
        var columns = SampleColumns()
        var count = 0
        for i in 0..<set.count {
            try set.read(i, into: &columns)
            count += columns.count
        }
        return count
    }

    /// Opens copies of a store with each byte of the manifest changed in turn, and checks the number of samples of the
    /// series that is deleted, and the blocks that are left out.
    private static func damageEach(
        _ files: FaultyFileSystem, samples: Int, leftOut: [String],
        _ location: SourceLocation = #_sourceLocation
    ) throws {
        for at in 0..<(try files.read(manifest).count) {
            let copy = files.afterPowerCut(.kept)
            copy.damage(manifest) { $0[at] ^= 1 << UInt8(at % 8) }
            // The next start finds what this one noted.
            for life in 0..<(at % 8 == 0 ? 2 : 1) {
                let store = try open(copy)
                let comment: Comment = "byte \(at), life \(life)"
                #expect(try deleted(store) == samples, comment, sourceLocation: location)
                #expect(store.leftOut.map(\.name) == leftOut, comment, sourceLocation: location)
                store.abandon()
            }
        }
    }

    /// Opens the store once, so that the manifest has one record.
    private static func shorten(_ files: FaultyFileSystem) throws { try open(files).abandon() }

    @Test func `a block whose list of deletions is lost is left out, whichever byte is wrong`() throws {
        let (files, block) = try Self.specimen()
        let store = try Self.open(files)
        try store.deleteSeries(Self.matchers, minTime: .min, maxTime: .max)
        store.abandon()
        try Self.shorten(files)
        try Self.damageEach(files, samples: 0, leftOut: [])
        try files.remove(block + "/deleted")
        try Self.damageEach(files, samples: 0, leftOut: [FilePath.name(block)])
    }

    @Test func `a block whose pending deletions are lost is left out, whichever byte is wrong`() throws {
        let (files, block) = try Self.specimen()
        try files.rename(block, to: "elsewhere")
        let store = try Self.open(files)
        try store.deleteSeries(Self.matchers, minTime: .min, maxTime: .max)
        store.abandon()
        try Self.shorten(files)
        try files.rename("elsewhere", to: block)
        try Self.damageEach(files, samples: 0, leftOut: [])
        try files.remove("data/blocks/" + PendingDeletions.fileName)
        try Self.damageEach(files, samples: 0, leftOut: [FilePath.name(block)])
    }

    @Test func `without deletions all blocks are taken, whichever byte is wrong`() throws {
        let (files, _) = try Self.specimen()
        try Self.shorten(files)
        try Self.damageEach(files, samples: 270, leftOut: [])
    }
}
