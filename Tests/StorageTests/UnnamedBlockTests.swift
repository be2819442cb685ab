import Glibc
import Model
import Platform
import TestSupport
import Testing

@testable import Storage

/// A block that was written but not named, and that cannot be removed: what is deleted later does not return with it.
@Suite struct UnnamedBlockTests {
    private static let now: Int64 = 1_700_000_400_000

    private static func open(_ files: FaultyFileSystem) throws -> TimeSeriesStore {
        try TimeSeriesStore.open(
            options: StoreOptions(directory: "data", retentionTime: 0, runsInBackground: false),
            fileSystem: files, clock: ManualClock(now: now))
    }

    private static func push(_ store: TimeSeriesStore, _ name: String, _ times: [Int64]) throws {
        let group = store.openGroup("m")
        var batch = SampleBatch()
        let ref = try store.resolve(TimeSeriesStoreTests.labels(["__name__": name]), in: group)
        for time in times { batch.append(ref, 1, at: time) }
        #expect(try store.commit(batch, in: group, durability: .written).rejected.count == 0)
    }

    private static func stored(_ store: TimeSeriesStore, _ name: String) throws -> Int {
        let set = try store.select(
            SelectRequest(matchers: [Matcher(name: "__name__", equals: name)], minTime: .min, maxTime: .max))
        var columns = SampleColumns()
        var count = 0
        for i in 0..<set.count {
            try set.read(i, into: &columns)
            count += columns.count
        }
        return count
    }

    /// What fails while a block is made or merged.
    enum Failure: Hashable, CaseIterable {
        case operation, read
    }

    @Test(arguments: [false, true], Failure.allCases)
    func `what is deleted after a failed block does not return`(isMerge: Bool, _ failure: Failure) throws {
        var failed = 0
        for step in 1...(failure == .read ? 1 : 80) {
            let files = FaultyFileSystem()
            let store = try Self.open(files)
            try Self.push(store, "a", (0..<50).map { Self.now - 20_000_000 + $0 * 1000 })
            try Self.push(store, "b", (0..<50).map { Self.now - 20_000_000 + $0 * 1000 })
            if isMerge {
                _ = try store.snapshot()
                // Samples that become a block which overlaps the first one.
                try Self.push(store, "a", [Self.now - 19_000_500])
            }
            files.fail(["unlink", "rmdir"])
            switch failure {
            case .operation: files.inject(.fail(EIO), at: files.operations.count + step)
            case .read: files.failReads(of: "data/blocks/", code: EIO)
            }
            do { _ = try store.snapshot() } catch { failed += 1 }
            files.heal()
            try store.deleteSeries([Matcher(name: "__name__", equals: "a")], minTime: .min, maxTime: .max)
            #expect(try Self.stored(store, "a") == 0)
            for copy in [files.afterPowerCut(.dropped), files.afterPowerCut(.kept)] {
                let again = try Self.open(copy)
                #expect(try Self.stored(again, "a") == 0, "step \(step)")
                #expect(try Self.stored(again, "b") == 50, "step \(step)")
                #expect(again.leftOut.isEmpty, "step \(step): \(again.leftOut)")
                again.abandon()
            }
        }
        #expect(failed > 0)
    }

    @Test func `a removal that is interrupted leaves no damaged block`() throws {
        for step in 1...8 {
            let files = FaultyFileSystem()
            let store = try Self.open(files)
            try Self.push(store, "a", (0..<50).map { Self.now - 20_000_000 + $0 * 1000 })
            // The manifest cannot be written, and the block is removed in part.
            files.failReads(of: "data/blocks/", code: EIO)
            files.inject(.stop, at: files.operations.count + 20 + step)
            _ = try? store.snapshot()
            files.heal()
            let again = try Self.open(files.afterPowerCut(.kept))
            #expect(try Self.stored(again, "a") == 50 && again.leftOut.isEmpty, "step \(step)")
        }
    }

    @Test func `a first start on a full disk can be repeated`() throws {
        var refused = 0
        for capacity in stride(from: 0, to: 400, by: 1) {
            let files = FaultyFileSystem()
            files.setCapacity(capacity)
            do { try Self.open(files).abandon() } catch { refused += 1 }
            files.setCapacity(.max)
            let again = try Self.open(files)
            try Self.push(again, "a", [Self.now])
            #expect(try Self.stored(again, "a") == 1, "\(capacity) bytes")
        }
        #expect(refused > 0)
        // A kill at each operation.
        for step in 1...40 {
            let files = FaultyFileSystem()
            files.inject(.stop, at: step)
            try? Self.open(files).abandon()
            for aftermath in FaultyFileSystem.Aftermath.allCases {
                let again = try Self.open(files.afterPowerCut(aftermath))
                try Self.push(again, "a", [Self.now])
                #expect(try Self.stored(again, "a") == 1, "step \(step)")
            }
        }
    }
}
