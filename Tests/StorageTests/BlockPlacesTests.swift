import Glibc
import Model
import Platform
import TestSupport
import Testing

@testable import Storage

/// A running store makes no more blocks than its next start accepts at the same limit of open files.
@Suite struct BlockPlacesTests {
    private static let window: Int64 = 7_200_000
    private static let day: Int64 = 86_400_000
    private static let begin: Int64 = 1_700_000_400_000

    private static func open(
        _ files: FaultyFileSystem, _ clock: ManualClock, openFiles: Int
    ) throws -> TimeSeriesStore {
        try .open(files, clock) { ($0.outOfOrderWindow, $0.openFiles) = (10_000 * day, openFiles) }
    }

    /// Pushes a sample at each time; returns the times that were stored.
    private static func push(_ store: TimeSeriesStore, _ times: [Int64], series: Int = 0) throws -> [Int64] {
        try store.push("m\(series)", at: times, refusals: nil) { Double($0 &* 7919 % 100_003) / 3 }
    }

    private static func stored(_ store: TimeSeriesStore, series: Int = 0) throws -> Set<Int64> {
        Set(try store.stored(named: "m\(series)").times)
    }

    @Test(arguments: [80, 128, 256])
    func `a merge without disk space holds up no other merge`(openFiles: Int) throws {
        let (files, clock) = (FaultyFileSystem(), ManualClock(now: Self.begin))
        let store = try Self.open(files, clock, openFiles: openFiles)
        let start = Self.begin / Self.day * Self.day
        var big: Set<Int64> = []
        for half in 0..<2 {
            for series in 0..<8 {
                let times = (0..<3000).map { start + Int64(half) * Self.window + $0 * 2000 }
                big.formUnion(try Self.push(store, times, series: series))
            }
        }
        try store.maintenanceLock.withLock { for end in store.head.windows() { try store.cutWithinSize([end]) } }
        #expect(store.blockSet.count == 2)
        files.setCapacity(Int.max - (try files.freeSpace("data")) + store.blockSet.size)
        var accepted: Set<Int64> = []
        var most = 0
        for step in 0..<150 {
            clock.advance(to: start + 10 * Self.day + Int64(step) * Self.window)
            accepted.formUnion(try Self.push(store, [clock.now()], series: 100))
            store.runMaintenance()
            most = max(most, store.blockSet.count)
        }
        #expect(most <= min(30, openFiles / 2), "there were \(most) blocks")
        #expect(accepted.count == 150)
        #expect(try Self.stored(store, series: 100) == accepted && Self.stored(store) == big)
        store.abandon()
        let again = try Self.open(files, clock, openFiles: openFiles)
        #expect(try Self.stored(again, series: 100) == accepted && Self.stored(again) == big)
    }

    @Test func `a start after a kill in a merge or a cut has no more blocks than are accepted`() throws {
        for step in 1...60 {
            let (files, clock) = (FaultyFileSystem(), ManualClock(now: Self.begin))
            let store = try Self.open(files, clock, openFiles: 40)
            let times = (0..<20).map { Self.begin - $0 * 2 * Self.day }.reversed() as [Int64]
            for part in [times.prefix(10), times.dropFirst(10)] {
                try #require(try Self.push(store, Array(part)).count == 10)
                try store.maintenanceLock.withLock {
                    for end in store.head.windows() { try store.cutWithinSize([end]) }
                }
                store.head.admittedWindows.replace(store.head.windows())
            }
            #expect(store.blockSet.count == store.blockSet.places.most)
            #expect(throws: StorageError.self) {
                _ = try Self.push(store, [Self.begin + Self.window])
                try store.maintenanceLock.withLock {
                    for end in store.head.windows() { try store.cutWithinSize([end]) }
                }
            }
            files.inject(.stop, at: files.operations.count + step)
            try? store.maintenanceLock.withLock {
                _ = try store.blockSet.compact(
                    CompactionPlanner(), now: clock.now(), isCancelled: { false })
            }
            store.abandon()
            let copy = files.afterPowerCut(.kept)
            let again = try Self.open(copy, clock, openFiles: 40)
            #expect(try Self.stored(again) == Set(times + [Self.begin + Self.window]), "step \(step)")
            again.abandon()
        }
    }

    /// A store and what it was asked to store.
    private struct Life {
        var random: SeededRandom
        var files = FaultyFileSystem()
        let clock = ManualClock(now: BlockPlacesTests.begin)
        let openFiles: Int
        var capacity = Int.max
        var accepted: Set<Int64> = []
        /// The times that were pushed, accepted or not.
        var pushed: Set<Int64> = []
        var store: TimeSeriesStore

        init(seed: UInt64) throws {
            random = SeededRandom(seed: seed)
            openFiles = [40, 64, 101, 128, 129, 200].randomElement(using: &random) ?? 64
            files.limitOpenFiles(openFiles)
            store = try BlockPlacesTests.open(files, clock, openFiles: openFiles)
        }

        private mutating func push(_ times: [Int64]) {
            pushed.formUnion(times)
            accepted.formUnion((try? BlockPlacesTests.push(store, times)) ?? [])
        }

        mutating func step() {
            func upTo(_ most: Int64) -> Int64 { Int64.random(in: 1...most, using: &random) }
            switch Int.random(in: 0..<10, using: &random) {
            case 0..<4:
                for _ in 0..<upTo(8) {
                    clock.advance(to: clock.now() + upTo(2) * BlockPlacesTests.window)
                    push([clock.now()])
                    store.runMaintenance()
                }
            case 4..<6:
                let times = (0..<upTo(12)).map { _ in clock.now() - upTo(400) * BlockPlacesTests.day }
                push(times.sorted())
            case 6: _ = try? store.snapshot()
            case 7:
                // A process that was killed has no disk.
                guard let free = try? files.freeSpace("data") else { break }
                capacity = Bool.random(using: &random) ? .max : capacity - free + Int(upTo(200_000))
                files.setCapacity(capacity)
            case 8:
                let code = [EIO, ENOSPC].randomElement(using: &random) ?? EIO
                files.inject(.fail(code), at: files.operations.count + Int(upTo(60)))
            default: files.inject(.stop, at: files.operations.count + Int(upTo(60)))
            }
            for _ in 0..<upTo(6) {
                store.runMaintenance()
                clock.advance(to: clock.now() + 1000)
            }
        }

        /// Starts at the same limits after the process was killed at this moment, or before.
        mutating func restart(_ comment: Comment) throws {
            let copy = files.afterPowerCut(.kept)
            copy.setCapacity(capacity)
            copy.limitOpenFiles(openFiles)
            let again = try BlockPlacesTests.open(copy, clock, openFiles: openFiles)
            #expect(again.blockSet.count <= again.blockSet.places.most && again.leftOut.isEmpty, comment)
            copy.limitOpenFiles(.max)
            let stored = try BlockPlacesTests.stored(again)
            #expect(stored.isSuperset(of: accepted) && stored.isSubset(of: pushed), comment)
            guard Int.random(in: 0..<4, using: &random) == 0 else { return again.abandon() }
            store.abandon()
            copy.limitOpenFiles(openFiles)
            (files, store) = (copy, again)
        }
    }

    @Test func `each start is accepted at the limits at which the store ran`() throws {
        var most = 0.0
        for seed in UInt64(0)..<12 {
            var life = try Life(seed: SeededRandom.runSeed &+ seed)
            for step in 0..<40 {
                life.step()
                most = max(most, Double(life.store.blockSet.count) / Double(life.store.blockSet.places.most))
                try life.restart("seed \(seed), step \(step), \(life.openFiles) files")
            }
            life.store.abandon()
        }
        #expect(most > 0.5)
    }
}
