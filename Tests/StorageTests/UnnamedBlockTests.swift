import Glibc
import Model
import Platform
import TestSupport
import Testing

@testable import Storage

/// A block that was written but not named, and that cannot be removed: what is deleted later does not return with it.
@Suite struct UnnamedBlockTests {
    private static let now: Int64 = 1_700_000_400_000

    /// What fails while a block is made or merged.
    enum Failure: Hashable, CaseIterable {
        case operation, read
    }

    @Test(arguments: [false, true], Failure.allCases)
    func `what is deleted after a failed block does not return`(isMerge: Bool, _ failure: Failure) throws {
        var failed = 0
        for step in 1...(failure == .read ? 1 : 80) {
            let files = FaultyFileSystem()
            let store = try TimeSeriesStore.open(files, now: Self.now)
            try store.push("a", at: (0..<50).map { Self.now - 20_000_000 + $0 * 1000 })
            try store.push("b", at: (0..<50).map { Self.now - 20_000_000 + $0 * 1000 })
            if isMerge {
                _ = try store.snapshot()
                // Samples that become a block which overlaps the first one.
                try store.push("a", at: [Self.now - 19_000_500])
            }
            files.fail(["unlink", "rmdir"])
            switch failure {
            case .operation: files.inject(.fail(EIO), at: files.operations.count + step)
            case .read: files.failReads(of: "data/blocks/", code: EIO)
            }
            do { _ = try store.snapshot() } catch { failed += 1 }
            files.heal()
            try store.deleteSeries([Matcher(name: "__name__", equals: "a")], minTime: .min, maxTime: .max)
            #expect(try store.stored(named: "a").times.count == 0)
            for copy in [files.afterPowerCut(.dropped), files.afterPowerCut(.kept)] {
                let again = try TimeSeriesStore.open(copy, now: Self.now)
                #expect(try again.stored(named: "a").times.count == 0, "step \(step)")
                #expect(try again.stored(named: "b").times.count == 50, "step \(step)")
                #expect(again.leftOut.isEmpty, "step \(step): \(again.leftOut)")
                again.abandon()
            }
        }
        #expect(failed > 0)
    }

    @Test func `a removal that is interrupted leaves no damaged block`() throws {
        for step in 1...8 {
            let files = FaultyFileSystem()
            let store = try TimeSeriesStore.open(files, now: Self.now)
            try store.push("a", at: (0..<50).map { Self.now - 20_000_000 + $0 * 1000 })
            // The manifest cannot be written, and the block is removed in part.
            files.failReads(of: "data/blocks/", code: EIO)
            files.inject(.stop, at: files.operations.count + 20 + step)
            _ = try? store.snapshot()
            files.heal()
            let again = try TimeSeriesStore.open(files.afterPowerCut(.kept), now: Self.now)
            #expect(try again.stored(named: "a").times.count == 50 && again.leftOut.isEmpty, "step \(step)")
        }
    }

    @Test func `a first start on a full disk can be repeated`() throws {
        var refused = 0
        for capacity in stride(from: 0, to: 400, by: 1) {
            let files = FaultyFileSystem()
            files.setCapacity(capacity)
            do { try TimeSeriesStore.open(files, now: Self.now).abandon() } catch { refused += 1 }
            files.setCapacity(.max)
            let again = try TimeSeriesStore.open(files, now: Self.now)
            try again.push("a", at: [Self.now])
            #expect(try again.stored(named: "a").times.count == 1, "\(capacity) bytes")
        }
        #expect(refused > 0)
        // A kill at each operation.
        for step in 1...40 {
            let files = FaultyFileSystem()
            files.inject(.stop, at: step)
            try? TimeSeriesStore.open(files, now: Self.now).abandon()
            for aftermath in FaultyFileSystem.Aftermath.allCases {
                let again = try TimeSeriesStore.open(files.afterPowerCut(aftermath), now: Self.now)
                try again.push("a", at: [Self.now])
                #expect(try again.stored(named: "a").times.count == 1, "step \(step)")
            }
        }
    }
}
