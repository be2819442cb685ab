import Model
import Platform
import TestSupport
import Testing

@testable import Storage

/// Groups of targets and rules that come and go.
@Suite struct VacantGroupTests {
    private static let hour: Int64 = 3_600_000
    private static let start: Int64 = 1_700_000_000_000

    private static func open(_ files: FaultyFileSystem, _ clock: ManualClock) throws -> TimeSeriesStore {
        try .open(files, clock) { $0.blockDuration = hour }
    }

    @Test func `100,000 targets that were never scraped leave one group, also after restarts`() throws {
        let files = FaultyFileSystem()
        let clock = ManualClock(now: Self.start)
        for life in 0..<4 {
            let store = try Self.open(files, clock)
            for target in 0..<25_000 { store.closeGroup(store.openGroup("target \(life) \(target)")) }
            #expect(store.head.groups.count == 1)
            try store.head.checkInvariants()
            if life % 2 == 0 { try store.close() } else { store.abandon() }
        }
    }

    @Test func `targets that were scraped leave a group until their series left the head`() throws {
        let files = FaultyFileSystem()
        let clock = ManualClock(now: Self.start)
        var store = try Self.open(files, clock)
        var expected: [String: [Int64]] = [:]
        for round in 0..<60 {
            clock.advance(to: clock.now() + Self.hour / 2)
            for target in 0..<20 {
                let name = "series_\(round)_\(target)"
                let group = store.openGroup("target \(name)")
                try store.push(name, at: [clock.now()], in: group, durability: .synced)
                expected[name, default: []].append(clock.now())
                store.closeGroup(group)
            }
            store.runMaintenance()
            try store.head.checkInvariants()
            if round % 20 == 19 {
                store.abandon()
                store = try Self.open(files, clock)
            }
        }
        #expect(store.head.groups.count <= 20 * 8, "of 1,200 targets")
        #expect(try store.stored().timesByName == expected)
    }

    @Test(arguments: 0..<8)
    func `random targets that come, go, share names and are killed`(part: Int) throws {
        var random = SeededRandom(seed: SeededRandom.runSeed &+ UInt64(part))
        let files = FaultyFileSystem()
        let clock = ManualClock(now: Self.start)
        var store = try Self.open(files, clock)
        var opened: [String: SeriesGroup] = [:]
        var expected: [String: [Int64]] = [:]
        for _ in 0..<250 {
            let name = "s\(Int.random(in: 0..<12, using: &random))"
            switch Int.random(in: 0..<16, using: &random) {
            case 0..<6:
                clock.advance(to: clock.now() + Int64.random(in: 1...Self.hour / 8, using: &random))
                let group = opened[name] ?? store.openGroup("g\(name)")
                opened[name] = group
                try store.push(name, at: [clock.now()], in: group, durability: .synced)
                expected[name, default: []].append(clock.now())
            case 6..<10: if let group = opened.removeValue(forKey: name) { store.closeGroup(group) }
            // A target that was removed stores the end of its series late.
            case 10:
                guard let group = opened[name] else { break }
                store.closeGroup(group)
                clock.advance(to: clock.now() + 1)
                try store.push(name, at: [clock.now()], in: group, durability: .synced)
                expected[name, default: []].append(clock.now())
                opened[name] = nil
            case 11, 12: store.runMaintenance()
            case 13: clock.advance(to: clock.now() + Self.hour * 3)
            case 14:
                if Bool.random(using: &random) { store.abandon() } else { try store.close() }
                store = try Self.open(files, clock)
                opened = [:]
            default: try store.head.checkInvariants()
            }
        }
        try store.head.checkInvariants()
        #expect(store.head.groups.count <= 13)
        #expect(try store.stored().timesByName == expected)
    }

    /// The groups of a target with more series than a group takes, while one of them stays in use.
    @Test func `groups of a large target that are used again in another order do not refer to each other`() throws {
        let files = FaultyFileSystem()
        let clock = ManualClock(now: Self.start)
        let store = try Self.open(files, clock)
        let count = HeadGroup.maxSeries * 2 + 100
        func scrape(_ generation: Int) throws {
            let group = store.openGroup("large")
            var batch = SampleBatch()
            batch.timestamp = clock.now()
            for i in 0..<count {
                let labels = TimeSeriesStoreTests.labels(["__name__": "m", "g": "\(generation)", "i": "\(i)"])
                batch.append(try store.resolve(labels, in: group), 1)
            }
            #expect(try store.commit(batch, in: group, durability: .written).rejected.isEmpty)
        }
        /// Keeps a series of each of these groups, and lets all others leave the head.
        func keep(_ ids: [Int]) throws {
            let group = store.openGroup("other")
            for _ in 0..<5 {
                clock.advance(to: clock.now() + Self.hour)
                var batch = SampleBatch()
                for i in ids {
                    let labels = TimeSeriesStoreTests.labels(["__name__": "m", "g": "0", "i": "\(i)"])
                    batch.append(try store.resolve(labels, in: group), 2, at: clock.now())
                }
                #expect(try store.commit(batch, in: group, durability: .written).rejected.isEmpty)
                store.runMaintenance()
            }
            store.closeGroup(group)
        }
        try scrape(0)
        #expect(store.head.groups.count == 3)
        store.closeGroup(store.openGroup("large"))
        try keep([0, HeadGroup.maxSeries])
        try keep([HeadGroup.maxSeries])
        // The group of the newest number and that of `keep` get other names.
        for name in ["small", "more"] { _ = store.openGroup(name) }
        // Each walk along the groups of the target ends.
        try scrape(1)
        store.closeGroup(store.openGroup("large"))
        try store.head.checkInvariants()
        #expect(store.head.groups.count <= 8)
    }
}
