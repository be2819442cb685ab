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

    @Test func `a start on a full disk leaves a block that it cannot name for later`() throws {
        var found = 0
        for step in 1...60 {
            let files = FaultyFileSystem()
            let store = try TimeSeriesStore.open(files, now: Self.now)
            for name in ["a", "b"] { try store.push(name, at: (0..<50).map { Self.now - 20_000_000 + $0 * 1000 }) }
            files.inject(.stop, at: files.operations.count + step)
            _ = try? store.snapshot()
            let copy = files.afterPowerCut(.kept)
            let named = try Manifest(files.afterPowerCut(.kept), directory: "data/blocks").blocks.count
            let whole = try copy.list("data/blocks").filter {
                BlockMeta.isID($0) && BlockFiles.isComplete("data/blocks/" + $0, copy)
            }
            guard whole.count > named else { continue }
            found += 1
            copy.setCapacity(copy.used)
            let again = try TimeSeriesStore.open(copy, now: Self.now)
            #expect(try again.stored().times.count == 100 && again.leftOut.isEmpty)
            // It is refused, or the reserve gives it space.
            let matcher = Matcher(name: "__name__", equals: "a")
            let isRefused = (try? again.deleteSeries([matcher], minTime: .min, maxTime: .max)) == nil
            #expect(try again.stored().times.count == (isRefused ? 100 : 50))
            copy.setCapacity(.max)
            try again.deleteSeries([matcher], minTime: .min, maxTime: .max)
            #expect(try again.stored().times.count == 50)
            again.abandon()
            let last = try TimeSeriesStore.open(copy.afterPowerCut(.kept), now: Self.now)
            #expect(try last.stored(named: "a").times.isEmpty && last.stored(named: "b").times.count == 50)
            #expect(try Manifest(copy.afterPowerCut(.kept), directory: "data/blocks").blocks.contains(whole[0]))
            last.abandon()
        }
        #expect(found > 0)
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
