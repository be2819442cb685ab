import Glibc
import Model
import Platform
import TestSupport
import Testing

@testable import Storage

/// A deletion that is answered with an error deletes nothing later: the next start has the same samples.
@Suite struct FailedDeletionTests {
    private static let start: Int64 = 1_699_999_200_000
    private static let matchers = [Matcher(name: "s", equals: "1")]

    private static func open(_ files: FaultyFileSystem) throws -> TimeSeriesStore {
        try .open(files, now: 1_700_004_000_000) { $0.blockDuration = 600_000 }
    }

    /// A store with a block that was moved to `elsewhere`, other blocks, and sealed chunks in the head.
    private static func specimen(isOneClosed: Bool) throws -> (files: FaultyFileSystem, closed: String) {
        let files = FaultyFileSystem()
        let store = try open(files)
        for step in 0..<2700 {
            try store.push(series: 2, at: start + Int64(step) * 1000) { _ in Double(step % 97) + 0.5 }
            if step % 800 == 799 { store.runMaintenance() }
        }
        try #require(store.blocks.count >= 2 && store.head.windows().count >= 1)
        let closed = try #require(store.blocks.first).directory
        try store.close()
        if isOneClosed { try files.rename(closed, to: "elsewhere") }
        try #require(!files.list("data/spill").isEmpty)
        return (files.afterPowerCut(.kept), closed)
    }

    /// The times of the series that is deleted.
    private static func times(_ store: TimeSeriesStore) throws -> Set<Int64> {
        Set(try store.stored(Matcher(name: "s", equals: "1")).times)
    }

    /// Opens the store after a kill or a power cut, with the block that was moved away.
    private static func reopen(
        _ files: FaultyFileSystem, _ closed: String, _ aftermath: FaultyFileSystem.Aftermath = .kept
    ) throws -> TimeSeriesStore {
        let next = files.afterPowerCut(aftermath)
        next.heal()
        if try next.exists("elsewhere") { try next.rename("elsewhere", to: closed) }
        return try open(next)
    }

    @Test(arguments: ["spill", "last block"], [false, true])
    func `nothing is deleted, now or later, if a file cannot be read`(place: String, isOneClosed: Bool) throws {
        let (files, closed) = try Self.specimen(isOneClosed: isOneClosed)
        var store = try Self.open(files)
        let before = try Self.times(store)
        store.abandon()
        store = try Self.open(files)
        let block = try #require(store.blocks.last).directory
        files.failReads(of: place == "spill" ? "data/spill" : block + "/data", code: EIO)
        #expect(throws: FileError.self) {
            try store.deleteSeries(Self.matchers, minTime: .min, maxTime: .max)
        }
        files.heal()
        #expect(try Self.times(store) == before)
        store.abandon()
        store = try Self.reopen(files, closed)
        #expect(try Self.times(store).count == 2700)
        #expect(store.leftOut.isEmpty)
        // The disk can be read again, so the deletion succeeds.
        try store.deleteSeries(Self.matchers, minTime: .min, maxTime: .max)
        #expect(try Self.times(store).isEmpty)
        store.abandon()
    }

    @Test func `a chunk that cannot be read any more after the deletion is in the log is there after a kill`() throws {
        let (specimen, closed) = try Self.specimen(isOneClosed: false)
        var partly = 0
        for reads in 0..<200 {
            let files = specimen.afterPowerCut(.kept)
            let store = try Self.open(files)
            files.failReads(of: "data/spill", code: EIO, after: reads)
            let result = Result { try store.deleteSeries(Self.matchers, minTime: .min, maxTime: .max) }
            files.heal()
            let after = try Self.times(store)
            store.abandon()
            let next = try Self.reopen(files, closed)
            #expect(try Self.times(next) == after, "after \(reads) reads")
            next.abandon()
            if case .success = result {
                #expect(after.isEmpty && reads > 0 && partly > 0)
                return
            }
            #expect(!after.isEmpty)
            partly += after.count < 2700 ? 1 : 0
        }
        Issue.record("the deletion never succeeds")
    }

    @Test func `a deletion of which one step fails is after a kill as it was before`() throws {
        let (specimen, closed) = try Self.specimen(isOneClosed: true)
        var (failures, whole) = (0, 0)
        for fault in [FaultyFileSystem.Fault.fail(EIO), .fail(ENOSPC), .tear] {
            var number = 0
            var isDone = false
            while !isDone {
                number += 1
                let files = specimen.afterPowerCut(.kept)
                let store = try Self.open(files)
                let before = try Self.times(store)
                let at = files.operations.count + number
                files.inject(fault, at: at)
                var failure: (any Error)?
                do { try store.deleteSeries(Self.matchers, minTime: .min, maxTime: .max) } catch { failure = error }
                isDone = files.operations.count < at
                let operation = isDone ? nil : files.operations[at - 1]
                let comment: Comment = "\(fault) at \(number): \(String(describing: operation))"
                let after = try Self.times(store)
                store.abandon()
                let next = try Self.reopen(files, closed)
                let found = try Self.times(next)
                #expect(next.leftOut.isEmpty, comment)
                next.abandon()
                if failure == nil {
                    #expect(after.isEmpty && found.isEmpty, comment)
                    continue
                }
                failures += 1
                let moved = Set(found).subtracting(before)
                #expect(found.subtracting(moved) == after, comment)
                // What waits for a block is deleted there only if all else is: the log was written, but not synced.
                #expect(moved.count == (after.isEmpty ? 0 : 2700 - before.count), comment)
                guard after == before else { continue }
                whole += 1
                let cut = try Self.reopen(files, closed, .dropped)
                #expect(try Self.times(cut).count == 2700, comment)
                cut.abandon()
            }
        }
        #expect(failures > 20 && whole > 20, "\(failures) failures, \(whole) of them without a change")
    }

    @Test(arguments: [false, true])
    func `a list of pending deletions is as before when the manifest cannot be written`(hasEarlier: Bool) throws {
        let (specimen, closed) = try Self.specimen(isOneClosed: true)
        let list = "data/blocks/" + PendingDeletions.fileName
        let kept = 2700 - (hasEarlier ? 10 : 0)
        for number in 1..<40 {
            let files = specimen.afterPowerCut(.kept)
            let store = try Self.open(files)
            if hasEarlier { try store.deleteSeries(Self.matchers, minTime: .min, maxTime: Self.start + 9000) }
            let earlier = try? files.read(list)
            #expect((earlier != nil) == hasEarlier)
            let at = files.operations.count + number
            files.inject(.fail(EIO), at: at)
            let result = Result { try store.deleteSeries(Self.matchers, minTime: .min, maxTime: .max) }
            let operation = try #require(files.operations.dropFirst(at - 1).first)
            guard operation.path.hasSuffix(Manifest.fileName), operation.name == "write" else {
                store.abandon()
                continue
            }
            #expect(throws: FileError.self) { try result.get() }
            #expect((try? files.read(list)) == earlier)
            // The block comes back while the store runs.
            try files.rename("elsewhere", to: closed)
            store.blockSet.look()
            #expect(try store.leftOut.isEmpty && Self.times(store).count == kept)
            store.abandon()
            let next = try Self.open(files.afterPowerCut(.kept))
            #expect(try next.leftOut.isEmpty && Self.times(next).count == kept)
            next.abandon()
            return
        }
        Issue.record("no step writes the manifest")
    }
}
