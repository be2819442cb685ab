import Model
import Platform
import TestSupport
import Testing

@testable import Storage

/// Pushes of samples of many windows, which their senders send again until they are accepted.
@Suite struct PushWindowsTests {
    private static let day: Int64 = 86_400_000
    private static let now: Int64 = 1_700_000_400_000
    /// The number of windows that the head may have besides those of the present.
    private static let most = 64

    /// A store in which other samples are newer than all pushes.
    private static func open(_ clock: ManualClock) throws -> TimeSeriesStore {
        let store = try TimeSeriesStore.open(FaultyFileSystem(), clock) {
            ($0.outOfOrderWindow, $0.openFiles) = (10_000 * day, most * 4)
        }
        #expect(store.head.admittedWindows.most == most)
        try store.push("present", at: [now])
        return store
    }

    private static func pass(_ store: TimeSeriesStore, _ clock: ManualClock) {
        clock.advance(to: clock.now() + 1000)
        store.runMaintenance()
    }

    @Test(arguments: [20, 40, 50, 64])
    func `all senders of large pushes are served, and nothing is stored twice`(size: Int) throws {
        var random = SeededRandom(seed: SeededRandom.runSeed)
        let clock = ManualClock(now: Self.now)
        let store = try Self.open(clock)
        // Each sender has three pushes, one after the other, of daily samples.
        var senders = (0..<5).map { sender in
            (0..<3).map { push in
                (0..<size).map { Self.now - Int64((sender * 3 + push + 1) * size - $0) * Self.day }
            }
        }
        var made: Set<String> = []
        var samples = 0
        for _ in 0..<100 where !senders.allSatisfy(\.isEmpty) {
            for sender in senders.indices.shuffled(using: &random) {
                guard let times = senders[sender].first else { continue }
                let count = try store.push("sender_\(sender)", at: times, refusals: [.tooManyWindows]).count
                #expect(count == 0 || count == size, "a part of a push is stored")
                if count > 0 { senders[sender].removeFirst() }
            }
            Self.pass(store, clock)
            for block in store.blocks where block.meta.level == 1 && made.insert(block.meta.id).inserted {
                samples += block.meta.sampleCount
            }
        }
        let waiting = senders.joined().count
        #expect(waiting == 0)
        #expect(try store.stored().times.count == 15 * size + 1)
        #expect(samples <= 15 * size + 1)
        store.abandon()
    }

    @Test func `small pushes do not keep out a large one`() throws {
        let clock = ManualClock(now: Self.now)
        let store = try Self.open(clock)
        let large = (0..<60).map { Self.now - Int64(1000 - $0) * Self.day }
        var next: Int64 = 2000
        var rounds = 0
        while rounds < 100 {
            rounds += 1
            // More than the places that the large push leaves.
            for sender in 0..<3 {
                let times = (0..<9).map { Self.now - (next + Int64($0)) * Self.day }
                next += 9
                try store.push("small_\(sender)", at: times.sorted(), refusals: [.tooManyWindows])
            }
            if try !store.push("large", at: large, refusals: [.tooManyWindows]).isEmpty { break }
            Self.pass(store, clock)
        }
        #expect(rounds < 10, "it took \(rounds) rounds")
        store.abandon()
    }

    @Test func `places are kept for a limited time`() {
        let windows = HeadWindows(openFiles: Self.most * 4)
        let (large, small) = (Set(0..<60 as Range<Int64>), Set(100..<120 as Range<Int64>))
        let other: Set<Int64> = [200, 201]
        #expect(windows.admit(small, now: 0) == .all)
        #expect(windows.admit(large, now: 1) == .none && windows.isAwaited(2))
        #expect(windows.admit(other, now: 2) == .none, "no place is left besides those that are kept")
        #expect(windows.admit(small, now: 4) == .all, "these windows are there")
        windows.replace([])
        #expect(windows.admit(other, now: 5) == .all)
        #expect(windows.admit(large, now: HeadWindows.longestWait) == .all && !windows.isAwaited(6))
        // A sender that does not come again.
        #expect(windows.admit(small, now: 10) == .none)
        windows.replace(Array(0..<30))
        #expect(windows.admit(Set(300..<320), now: 11) == .none)
        #expect(windows.admit(Set(300..<320), now: 10 + HeadWindows.longestWait) == .all)
    }

    @Test func `a push of more than the most windows is stored in part when most places are free`() {
        let windows = HeadWindows(openFiles: Self.most * 4)
        let huge = Set(0..<100 as Range<Int64>)
        #expect(windows.admit(huge, now: 0) == .some)
        windows.replace(Array(200..<240))
        #expect(windows.admit(huge, now: 0) == .none && !windows.isAwaited(0))
    }

    @Test func `a push that is refused as a whole may have series that are gone`() throws {
        let clock = ManualClock(now: Self.now)
        let store = try Self.open(clock)
        let group = store.openGroup("g")
        let gone = try store.resolve(TimeSeriesStoreTests.labels(["__name__": "gone"]), in: group)
        try store.push("gone", at: [Self.now - 3000 * Self.day])
        try store.maintenanceLock.withLock {
            for end in store.head.windows() { try store.cutWithinSize([end]) }
            try store.forgetSilent(for: 1000)
        }
        try store.push("other", at: (0..<60).map { Self.now - Int64(1000 - $0) * Self.day })
        var batch = SampleBatch()
        let alive = try store.resolve(TimeSeriesStoreTests.labels(["__name__": "other"]), in: group)
        for ref in [gone, alive] {
            for day in 0..<20 { batch.append(ref, 1, at: Self.now - Int64(500 - day) * Self.day) }
        }
        let outcome = try store.commit(batch, in: group, durability: .written)
        #expect(outcome.appended == 0 && outcome.rejected.count == 40)
        #expect(Set(outcome.rejected.map(\.reason)) == [.unknownSeries, .tooManyWindows])
        store.abandon()
    }
}
