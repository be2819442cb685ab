import Glibc
import Model
import Platform
import TestSupport
import Testing

@testable import Storage

/// Syncs that fail: what was acknowledged as durable survives a power cut all the same.
@Suite struct FailedSyncTests {
    private let start: Int64 = 1_700_000_000_000

    private func open(_ files: FaultyFileSystem) throws -> TimeSeriesStore {
        try TimeSeriesStore.open(
            options: StoreOptions(
                directory: "data", retentionTime: 0, walSyncInterval: 0, blockDuration: 600_000,
                walSegmentSize: 1 << 12,
                runsInBackground: false),
            fileSystem: files, clock: ManualClock(now: start))
    }

    private func push(_ store: TimeSeriesStore, _ step: Int) throws {
        let group = store.openGroup("g")
        var batch = SampleBatch(timestamp: start + Int64(step) * 1000)
        for s in 0..<5 {
            var builder = LabelsBuilder()
            builder.set("__name__", "m")
            builder.set("s", "\(s)")
            batch.append(try store.resolve(builder.labels(), in: group), Double(step * 7 + s) * 1.1)
        }
        _ = try store.commit(batch, in: group, durability: .synced)
    }

    private func times(_ store: TimeSeriesStore) throws -> [Set<Int64>] {
        let set = try store.select(SelectRequest(matchers: [], minTime: .min, maxTime: .max))
        var columns = SampleColumns()
        return try (0..<set.count).map { index in
            try set.read(index, into: &columns)
            return Set((0..<columns.count).map { columns.timestamps[$0] })
        }
    }

    @Test func `a push whose sync failed is not acknowledged when it is sent again before it is on the disk`() throws {
        let files = FaultyFileSystem()
        let store = try open(files)
        for step in 0..<5 { try push(store, step) }
        let operations = files.operations.count
        // The write, then the sync.
        files.inject(.fail(EIO), at: operations + 2)
        #expect(throws: FileError.self) { try push(store, 5) }
        #expect(files.operations.last?.name == "fdatasync")
        #expect(throws: FileError.self) { try push(store, 5) }
        #expect(store.unhealthyReason != nil)
        store.runMaintenance()
        #expect(store.unhealthyReason == nil)
        try push(store, 5)
        let after = try open(files.afterPowerCut(.dropped))
        #expect(try times(after).allSatisfy { $0.count == 6 })
        #expect(after.damagedRecords == 0)
    }

    @Test(arguments: 0..<6)
    func `whatever syncs fail at random, what was acknowledged is there after a power cut`(seed: UInt64) throws {
        var random = SeededRandom(seed: seed)
        let files = FaultyFileSystem()
        var store = try open(files)
        var acknowledged: Set<Int64> = []
        for step in 0..<300 {
            if random.next() % 12 == 0 {
                files.inject(.fail(EIO), at: files.operations.count + 1 + Int(random.next() % 6))
            }
            for _ in 0..<3 {
                do {
                    try push(store, step)
                    acknowledged.insert(start + Int64(step) * 1000)
                    break
                } catch {}
                if random.next() % 2 == 0 { store.runMaintenance() }
            }
            if step % 60 == 59 { store.runMaintenance() }
            if step % 100 == 99 {
                let after = try open(files.afterPowerCut(.dropped))
                let found = try times(after)
                #expect(found.count == 5)
                for series in found {
                    #expect(acknowledged.isSubset(of: series), "seed \(seed), step \(step)")
                }
                after.abandon()
            }
        }
        files.heal()
        try store.close()
        store = try open(files.afterPowerCut(.dropped))
        #expect(try times(store).allSatisfy { acknowledged.isSubset(of: $0) }, "seed \(seed)")
    }
}
