import Model
import Platform
import TestSupport
import Testing

@testable import Storage

/// A limit of open files that is low for the number of blocks: nothing is lost, and merges free descriptors.
@Suite struct OpenFilesTests {
    private static let window: Int64 = 7_200_000
    private static let day: Int64 = 86_400_000
    private static let now: Int64 = 1_700_000_400_000

    private static func open(
        _ files: FaultyFileSystem, _ clock: ManualClock, openFiles: Int
    ) throws -> TimeSeriesStore {
        try .open(files, clock) { ($0.outOfOrderWindow, $0.openFiles) = (10_000 * day, openFiles) }
    }

    private static func pass(_ rounds: Int, _ store: TimeSeriesStore, _ clock: ManualClock) {
        for _ in 0..<rounds {
            store.runMaintenance()
            clock.advance(to: clock.now() + 1000)
        }
    }

    /// The times of a sample on each of so many days before the present.
    private static func history(days: Int) -> [Int64] { (1...days).map { now - Int64($0) * day } }

    @Test func `a history of many days becomes few blocks`() throws {
        let (files, clock) = (FaultyFileSystem(), ManualClock(now: Self.now))
        let store = try Self.open(files, clock, openFiles: 128)
        files.limitOpenFiles(96)
        var accepted = Set(try store.push("m", at: [Self.now], refusals: nil))
        var waiting = Self.history(days: 400)
        var most = 0
        for _ in 0..<300 where !waiting.isEmpty {
            // A sender sends what was refused again, a part at a time.
            let part = Array(waiting.prefix(20))
            let done = Set(try store.push("m", at: part, refusals: nil))
            accepted.formUnion(done)
            waiting.removeAll { done.contains($0) }
            Self.pass(2, store, clock)
            most = max(most, store.blockSet.count)
        }
        #expect(waiting.isEmpty)
        #expect(most <= 64, "there were \(most) blocks")
        clock.advance(to: clock.now() + 100_000)
        Self.pass(100, store, clock)
        // Each block of 30 days, and those of the last days and of the present.
        #expect(store.blockSet.count <= 400 / 30 + 12, "there are \(store.blockSet.count) blocks")
        #expect(try Set(store.stored(named: "m").times) == accepted && accepted.count == 401)
        store.abandon()
        #expect(try Set(Self.open(files, clock, openFiles: 128).stored(named: "m").times) == accepted)
    }

    @Test(arguments: [3, 4, 6])
    func `merges and the checkpoint do not wait for windows that cannot be cut`(free: Int) throws {
        let (files, clock) = (FaultyFileSystem(), ManualClock(now: Self.now))
        var store = try Self.open(files, clock, openFiles: .max)
        var accepted = Set(try store.push("m", at: [Self.now], refusals: nil))
        accepted.formUnion(try store.push("m", at: Self.history(days: 200), refusals: nil))
        // Without merges, each window is a block.
        try store.maintenanceLock.withLock { for end in store.head.windows() { try store.cutWithinSize([end]) } }
        try store.close()
        let before = try #require(try? files.list("data/blocks").count)
        #expect(before > 200)
        store = try Self.open(files, clock, openFiles: 400)
        accepted.formUnion(try store.push("m", at: Self.history(days: 230).suffix(30), refusals: nil))
        files.limitOpenFiles(files.openFiles + free)
        Self.pass(40, store, clock)
        #expect(store.blockSet.count < 60, "there are \(store.blockSet.count) blocks")
        #expect(try Set(store.stored(named: "m").times) == accepted)
        store.abandon()
        files.limitOpenFiles(.max)
        #expect(try Set(Self.open(files, clock, openFiles: 400).stored(named: "m").times) == accepted)
    }

    @Test func `a start with fewer open files than blocks is refused, and changes nothing`() throws {
        let (files, clock) = (FaultyFileSystem(), ManualClock(now: Self.now))
        let store = try Self.open(files, clock, openFiles: .max)
        var accepted = Set(try store.push("m", at: [Self.now], refusals: nil))
        accepted.formUnion(try store.push("m", at: Self.history(days: 100), refusals: nil))
        try store.maintenanceLock.withLock { for end in store.head.windows() { try store.cutWithinSize([end]) } }
        try store.close()
        let names = try files.list("data/blocks").sorted()
        let error = #expect(throws: StorageError.self) { try Self.open(files, clock, openFiles: 100) }
        #expect("\(try #require(error))".contains("raise `ulimit -n`"))
        #expect(try files.list("data/blocks").sorted() == names)
        #expect(try Set(Self.open(files, clock, openFiles: 200).stored(named: "m").times) == accepted)
    }

    @Test func `many snapshots do not use up the descriptors`() throws {
        let (files, clock) = (FaultyFileSystem(), ManualClock(now: Self.now))
        let store = try Self.open(files, clock, openFiles: 64)
        files.limitOpenFiles(64)
        for step in 0..<150 {
            try store.push("m", at: [Self.now + Int64(step)], refusals: nil)
            _ = try store.snapshot()
        }
        #expect(store.blockSet.count <= 16 && files.openFiles < 40)
        #expect(try store.stored(named: "m").times.count == 150)
        try store.close()
        #expect(try Self.open(files, clock, openFiles: 64).stored(named: "m").times.count == 150)
    }

    @Test func `another span of blocks does not use up the descriptors`() throws {
        let (files, clock) = (FaultyFileSystem(), ManualClock(now: Self.now))
        var store = try Self.open(files, clock, openFiles: 1000)
        var accepted = Set(try store.push("m", at: [Self.now], refusals: nil))
        accepted.formUnion(try store.push("m", at: Self.history(days: 200), refusals: nil))
        try store.close()
        var options = store.options
        options.blockDuration = 3_600_000
        options.openFiles = 64
        files.limitOpenFiles(64)
        store = try TimeSeriesStore.open(options: options, fileSystem: files, clock: clock)
        #expect(store.blockSet.count < 32)
        #expect(try Set(store.stored(named: "m").times) == accepted)
        store.abandon()
        #expect(try Set(Self.open(files, clock, openFiles: 64).stored(named: "m").times) == accepted)
    }

    @Test func `descriptors that others take for a time lose nothing`() throws {
        var random = SeededRandom(seed: SeededRandom.runSeed)
        for _ in 0..<8 {
            let (files, clock) = (FaultyFileSystem(), ManualClock(now: Self.now))
            let store = try Self.open(files, clock, openFiles: 80)
            var accepted = Set(try store.push("m", at: [Self.now], refusals: nil))
            for step in 0..<30 {
                let least = Int.random(in: 1...300, using: &random)
                let times = (0..<Int.random(in: 1...12, using: &random)).map {
                    Self.now - Int64(least + $0) * (step % 2 == 0 ? Self.day : Self.window)
                }
                files.limitOpenFiles(
                    Bool.random(using: &random)
                        ? .max : files.openFiles + Int.random(in: 0...5, using: &random))
                accepted.formUnion(try store.push("m", at: times, refusals: nil))
                Self.pass(2, store, clock)
            }
            files.limitOpenFiles(.max)
            Self.pass(80, store, clock)
            #expect(try Set(store.stored(named: "m").times) == accepted)
            #expect(store.blockSet.count <= 40 && store.leftOut.isEmpty)
            store.abandon()
            let again = try Self.open(files, clock, openFiles: 80)
            #expect(try Set(again.stored(named: "m").times) == accepted && again.leftOut.isEmpty)
        }
    }
}
