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
        try .open(files, now: start) {
            ($0.walSyncInterval, $0.blockDuration, $0.walSegmentSize) = (0, 600_000, 1 << 12)
        }
    }

    private func push(_ store: TimeSeriesStore, _ step: Int) throws {
        try store.push(series: 5, at: start + Int64(step) * 1000, durability: .synced) { Double(step * 7 + $0) * 1.1 }
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
        #expect(try after.stored().allSatisfy { $0.times.count == 6 })
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
                let found = try after.stored()
                #expect(found.count == 5)
                for series in found {
                    #expect(acknowledged.isSubset(of: series.times), "seed \(seed), step \(step)")
                }
                after.abandon()
            }
        }
        files.heal()
        try store.close()
        store = try open(files.afterPowerCut(.dropped))
        #expect(try store.stored().allSatisfy { acknowledged.isSubset(of: $0.times) }, "seed \(seed)")
    }
}
