import Glibc
import Model
import Platform
import Synchronization
import TestSupport
import Testing

@testable import Storage

/// Windows that are not in blocks yet: a limited number, and none loses samples when the system cannot read it.
@Suite struct HeadWindowsTests {
    private static let window: Int64 = 600_000
    private static let now: Int64 = 1_700_000_400_000

    private static func open(
        _ files: FaultyFileSystem, _ clock: any Clock, outOfOrderWindow: Int64 = 0
    ) throws -> TimeSeriesStore {
        try .open(files, clock) {
            ($0.blockDuration, $0.cutDelay, $0.outOfOrderWindow) = (window, 30_000, outOfOrderWindow)
        }
    }

    @Test(arguments: [false, true])
    func `a request takes a limited number of windows, and the rest is accepted later`(isLate: Bool) throws {
        let (files, clock) = (FaultyFileSystem(), ManualClock(now: Self.now))
        let store = try Self.open(files, clock, outOfOrderWindow: isLate ? 5000 * Self.window : 0)
        let ascending = (1...2000).map { Self.now - Int64($0) * Self.window }.reversed() as [Int64]
        if isLate { try store.push("m", at: [Self.now]) }
        var times = isLate ? ascending.reversed() : ascending
        var rounds = 0
        while !times.isEmpty, rounds < 10 {
            // Out of order, the same samples would be refused each time that they are sent.
            let accepted = Set(try store.push("m", at: times, refusals: [isLate ? .tooOld : .tooManyWindows]))
            #expect(store.head.windows().count <= 768 + 1)
            times.removeAll { accepted.contains($0) }
            // Samples of the present are accepted nevertheless.
            if isLate, !times.isEmpty { try store.push("present", at: [Self.now + Int64(rounds)]) }
            store.runMaintenance()
            rounds += 1
        }
        #expect(rounds == 2000 / 768 + 1)
        #expect(try store.stored(named: "m").times.count == 2000 + (isLate ? 1 : 0))
        store.abandon()
        #expect(try Self.open(files, clock).stored(named: "m").times.count == 2000 + (isLate ? 1 : 0))
    }

    @Test func `an out-of-order request is accepted later, when others have taken most windows`() throws {
        let (files, clock) = (FaultyFileSystem(), ManualClock(now: Self.now))
        let store = try Self.open(files, clock, outOfOrderWindow: 5000 * Self.window)
        try store.push("m", at: [Self.now])
        func times(_ numbers: Range<Int>) -> [Int64] { numbers.map { Self.now - Int64($0) * Self.window } }
        for start in stride(from: 1, to: 601, by: 200) {
            try store.push("m", at: times(start..<(start + 200)))
        }
        let next = times(601..<901)
        let accepted = try store.push("m", at: next, refusals: [.tooManyWindows])
        #expect(next.count - accepted.count > 100)
        store.runMaintenance()
        try store.push("m", at: next)
    }

    @Test func `a scraped page with odd timestamps does not keep its own samples out`() throws {
        let (files, clock) = (FaultyFileSystem(), ManualClock(now: Self.now))
        let store = try Self.open(files, clock)
        let group = store.openGroup("job")
        for round in 0..<3 {
            let now = Self.now + Int64(round) * 5000
            var batch = SampleBatch(timestamp: now)
            batch.delay = 0
            let page = try store.resolve(TimeSeriesStoreTests.labels(["__name__": "page"]), in: group)
            for step in 0..<2000 { batch.append(page, 1, at: Self.now - Int64(2000 - step) * Self.window) }
            batch.append(try store.resolve(TimeSeriesStoreTests.labels(["__name__": "up"]), in: group), 1, at: now)
            let outcome = try store.commit(batch, in: group, durability: .whenPossible)
            #expect(!outcome.rejected.contains { $0.index == 2000 }, "round \(round)")
            store.runMaintenance()
        }
        #expect(try store.stored(named: "up").times.count == 3)
    }

    /// A clock that lets a test look at the store each time that it is read.
    private final class WatchedClock: Clock {
        let look = Mutex<(@Sendable () -> Void)?>(nil)

        func now() -> Int64 {
            look.withLock { $0 }?()
            return HeadWindowsTests.now
        }
        func monotonic() -> Int64 { 1 }
        func sleep(until deadline: Int64) async throws {}
    }

    @Test func `the places of windows are free as soon as they are blocks, not when the round ends`() throws {
        let clock = WatchedClock()
        let store = try Self.open(FaultyFileSystem(), clock)
        try store.push("m", at: (1...300).map { Self.now - Int64(300 - $0) * 4500 * Self.window })
        let seen = Mutex<Set<Int>>([])
        let windows = store.head.admittedWindows
        clock.look.withLock { $0 = { seen.withLock { _ = $0.insert(windows.count) } } }
        store.runMaintenance()
        clock.look.withLock { $0 = nil }
        #expect(seen.withLock { $0.count } > 100)
        store.abandon()
    }

    @Test func `many windows do not wait for others before they become blocks`() throws {
        let (files, clock) = (FaultyFileSystem(), ManualClock(now: Self.now))
        let store = try Self.open(files, clock)
        try store.push("m", at: (1...500).map { Self.now - Int64(500 - $0) * Self.window })
        #expect(store.head.windows().count == 500)
        store.runMaintenance()
        #expect(store.head.windows().count < 3)
        #expect(store.head.admittedWindows.count == store.head.windows().count)
        #expect(try store.stored(named: "m").times.count == 500)
    }

    @Test func `there is an end of the numbers of spill files`() throws {
        let store = try SpillStore("spill", fileSystem: FaultyFileSystem())
        for number in 0..<SpillStore.most { #expect(store.file(windowEnd: Int64(number)) != nil) }
        #expect(store.file(windowEnd: -1) == nil)
        #expect(store.file(windowEnd: 7) != nil)
        store.remove(77)
        #expect(store.file(windowEnd: -1) != nil)
        #expect(store.file(windowEnd: -2) == nil)
    }

    /// A store with samples in spill files on the disk, with all of them in the past.
    private static func spilled(_ files: FaultyFileSystem, _ clock: ManualClock) throws -> TimeSeriesStore {
        let store = try open(files, clock)
        for part in 0..<20 {
            for name in ["a", "b"] {
                try store.push(name, at: (0..<100).map { now - 2_000_000 + Int64(part * 100 + $0) * 1000 })
            }
        }
        for file in store.head.spill.files { _ = try file.sync() }
        return store
    }

    /// Runs maintenance until complete windows have waited long enough to be cut.
    private static func maintain(_ store: TimeSeriesStore, _ clock: ManualClock) {
        store.runMaintenance()
        clock.advance(to: clock.now() + 30_000)
        store.runMaintenance()
    }

    @Test(arguments: [EIO, EMFILE, ENFILE, ENOMEM, EACCES])
    func `an error of the system while windows become blocks loses nothing`(code: Int32) throws {
        let (files, clock) = (FaultyFileSystem(), ManualClock(now: Self.now))
        let store = try Self.spilled(files, clock)
        for _ in 0..<3 {
            files.failReads(of: ".spill", code: code)
            Self.maintain(store, clock)
            #expect(throws: UnreadableWindows.self) { _ = try store.snapshot() }
            #expect(store.damagedRecords == 0 && store.blockSet.count == 0)
            files.heal()
            #expect(try store.stored(named: "a").times.count == 2000 && store.stored(named: "b").times.count == 2000)
        }
        _ = try store.snapshot()
        #expect(store.blockSet.count > 0 && store.leftOut.isEmpty)
        store.abandon()
        let again = try Self.open(files, clock)
        #expect(try again.stored(named: "a").times.count == 2000 && again.stored(named: "b").times.count == 2000)
        #expect(again.leftOut.isEmpty)
    }

    @Test(arguments: [EIO, EMFILE])
    func `what the disk cannot read for an hour does not keep its window in the head`(code: Int32) throws {
        let (files, clock) = (FaultyFileSystem(), ManualClock(now: Self.now))
        let store = try Self.spilled(files, clock)
        files.failReads(of: ".spill", code: code)
        Self.maintain(store, clock)
        let before = store.head.windows().count
        clock.advance(to: clock.now() + 3_600_000)
        Self.maintain(store, clock)
        // A shortage of the process is no property of the disk.
        #expect((store.head.windows().count < before) == (code == EIO))
        #expect(store.leftOut.isEmpty == (code != EIO))
        files.heal()
        // The files are kept for whoever can read them.
        #expect(try files.list("data/spill").contains { $0.hasSuffix(SetAside.suffix) } == (code == EIO))
    }

    @Test(arguments: [EIO, EMFILE])
    func `a query leaves out what the disk cannot read, and fails for want of descriptors`(code: Int32) throws {
        let (files, clock) = (FaultyFileSystem(), ManualClock(now: Self.now))
        let store = try Self.spilled(files, clock)
        files.failReads(of: ".spill", code: code)
        if code == EMFILE {
            #expect(throws: FileError.self) { _ = try store.stored(named: "a") }
            files.heal()
            #expect(try store.stored(named: "a").times.count == 2000 && store.leftOut.isEmpty)
        } else {
            #expect(try store.stored(named: "a").times.count < 2000)
            #expect(!store.leftOut.isEmpty)
        }
    }

    @Test func `damage of the manifest's only record is no torn end`() throws {
        let (files, clock) = (FaultyFileSystem(), ManualClock(now: Self.now))
        let store = try Self.spilled(files, clock)
        _ = try store.snapshot()
        try store.close()
        try Self.open(files, clock).close()
        let size = try files.read("data/blocks/manifest.log").count
        for at in stride(from: 16, to: size, by: 3) {
            let copy = files.afterPowerCut(.kept)
            copy.damage("data/blocks/manifest.log") { $0[at] ^= 0x10 }
            let again = try Self.open(copy, clock)
            #expect(again.damagedBlocks == ["manifest.log"], "byte \(at)")
            #expect(try again.stored(named: "a").times.count == 2000)
            again.abandon()
        }
    }
}
