import Model
import Platform
import TestSupport
import Testing

@testable import Storage

/// A wall clock that is set while the store is open, or was wrong before.
@Suite struct ClockStepTests {
    private static let hour: Int64 = 3_600_000
    private static let day: Int64 = 24 * hour
    private static let now: Int64 = 1_700_000_000_000

    private static func options(_ directory: String, wait: Int64 = 12 * hour) -> StoreOptions {
        StoreOptions(
            directory: directory, retentionTime: 2 * day, blockDuration: 600_000, retentionWait: wait,
            walSegmentSize: 1 << 16, runsInBackground: false)
    }

    /// Stores one scrape of `count` series, as the daemon does.
    private static func scrape(_ store: TimeSeriesStore, _ clock: any Clock, _ value: Double, count: Int = 3) throws {
        let group = store.openGroup("scrape")
        var batch = SampleBatch(timestamp: clock.now())
        batch.delay = 0
        for s in 0..<count {
            batch.append(
                try store.resolve(TimeSeriesStoreTests.labels(["__name__": "m", "s": "\(s)"]), in: group), value)
        }
        #expect(try store.commit(batch, in: group, durability: .written).rejected.isEmpty)
    }

    /// Times and values of a series.
    private static func samples(_ store: TimeSeriesStore, _ s: Int) throws -> [Int64: Double] {
        try store.stored(Matcher(name: "s", equals: "\(s)")).valuesByTime
    }

    /// Two days of samples, in blocks.
    private static func history(_ store: TimeSeriesStore, _ clock: SteppingClock) throws -> [Int64: Double] {
        var wanted: [Int64: Double] = [:]
        for step in 0..<200 {
            clock.pass(600_000)
            try scrape(store, clock, Double(step))
            wanted[clock.now()] = Double(step)
            if step % 10 == 9 { store.runMaintenance() }
        }
        return wanted
    }

    @Test func `A start with the clock 30 days ahead deletes nothing, nor does putting it right`() throws {
        let directory = try TemporaryFolder()
        let clock = SteppingClock(now: Self.now)
        var store = try TimeSeriesStore.open(options: Self.options(directory.path), clock: clock)
        var wanted = try Self.history(store, clock)
        try store.close()
        for _ in 0..<3 {
            clock.set(by: 30 * Self.day)
            store = try TimeSeriesStore.open(options: Self.options(directory.path), clock: clock)
            for n in 0..<60 {
                clock.pass(1000)
                try Self.scrape(store, clock, Double(n))
                wanted[clock.now()] = Double(n)
                store.runMaintenance()
            }
            #expect(store.retentionWait != nil)
            #expect(try Self.samples(store, 1) == wanted)
            try store.close()
            // Restarted while it is wrong, and put right while the store is open.
            store = try TimeSeriesStore.open(options: Self.options(directory.path), clock: clock)
            store.runMaintenance()
            clock.set(by: -30 * Self.day)
            store.runMaintenance()
            #expect(store.clockStepCount == 1)
            #expect(store.futureTime != nil)
            clock.pass(1000)
            try Self.scrape(store, clock, 5)
            wanted[clock.now()] = 5
            store.runMaintenance()
            #expect(try Self.samples(store, 1) == wanted)
            try store.close()
        }
    }

    @Test func `A host that was off for a month keeps its blocks at first and drops them when the time is certain`()
        throws
    {
        let directory = try TemporaryFolder()
        let clock = SteppingClock(now: Self.now)
        var store = try TimeSeriesStore.open(options: Self.options(directory.path), clock: clock)
        _ = try Self.history(store, clock)
        try store.close()
        let end = clock.now()
        clock.set(by: 30 * Self.day)
        store = try TimeSeriesStore.open(options: Self.options(directory.path), clock: clock)
        for _ in 0..<13 {
            try Self.scrape(store, clock, 1)
            store.runMaintenance()
            clock.pass(Self.hour)
        }
        store.runMaintenance()
        #expect(try store.stored(Matcher(name: "s", equals: "1"), to: end).times == [])
        #expect(store.retentionWait == nil)
        try store.close()
    }

    @Test func `A block of the year 2100 wipes nothing`() throws {
        let directory = try TemporaryFolder()
        let clock = SteppingClock(now: Self.now)
        let store = try TimeSeriesStore.open(options: Self.options(directory.path, wait: 0), clock: clock)
        let wanted = try Self.history(store, clock)
        let far: Int64 = 4_102_444_800_000
        _ = try store.addBlock(baseTime: far) { writer in
            var columns = SampleColumns()
            columns.append(far, 1)
            try writer.add(TimeSeriesStoreTests.labels(["__name__": "far"]), columns)
        }
        for _ in 0..<5 {
            store.runMaintenance()
            clock.pass(1000)
        }
        #expect(try Self.samples(store, 1) == wanted)
        #expect(store.futureTime == far)
        _ = try store.deleteSeries(
            [Matcher(name: "__name__", equals: "far")], minTime: clock.now() + 600_001, maxTime: .max)
        try store.cleanTombstones()
        #expect(store.futureTime == nil)
        #expect(try Self.samples(store, 1) == wanted)
        try store.close()
    }

    @Test func `Samples of a wrong clock are deleted, and their times may come anew`() throws {
        let directory = try TemporaryFolder()
        let clock = SteppingClock(now: Self.now)
        var store = try TimeSeriesStore.open(options: Self.options(directory.path), clock: clock)
        try Self.scrape(store, clock, 1)
        clock.set(by: Self.hour)
        try Self.scrape(store, clock, 2)
        let wrong = clock.now()
        clock.set(by: -Self.hour)
        store.runMaintenance()
        _ = try store.deleteSeries(
            [Matcher(name: "__name__", equals: "m")], minTime: clock.now() + 600_001, maxTime: .max)
        try store.cleanTombstones()
        #expect(try Self.samples(store, 1).count == 1)
        store.abandon()
        store = try TimeSeriesStore.open(options: Self.options(directory.path), clock: clock)
        #expect(try Self.samples(store, 1).count == 1)
        for _ in 0..<60 {
            clock.pass(60_000)
            try Self.scrape(store, clock, 3)
            store.runMaintenance()
        }
        #expect(try Self.samples(store, 1)[wrong] == 3)
        #expect(try Self.samples(store, 1).count == 61)
        try store.close()
    }

    /// Every sample of the daemon's own is there, whatever the clock does, through kills, restarts and blocks.
    @Test(arguments: 0..<12) func `Own samples are stored while the clock is set at random`(_ seed: Int) throws {
        var random = SeededRandom(seed: UInt64(seed))
        let directory = try TemporaryFolder()
        let clock = SteppingClock(now: Self.now)
        var store = try TimeSeriesStore.open(options: Self.options(directory.path), clock: clock)
        var wanted: [Int64: Double] = [:]
        for step in 0..<400 {
            clock.pass(Int64.random(in: 5_000...30_000, using: &random))
            if Int.random(in: 0..<20, using: &random) == 0 {
                clock.set(by: [-300_000, -Self.hour, 600_000, 300_000, Self.hour].randomElement(using: &random) ?? 0)
            }
            let time = clock.now()
            if wanted[time] == nil {
                try Self.scrape(store, clock, Double(step), count: 2)
                wanted[time] = Double(step)
            }
            switch Int.random(in: 0..<30, using: &random) {
            case 0, 1: store.runMaintenance()
            case 2:
                store.abandon()
                store = try TimeSeriesStore.open(options: Self.options(directory.path), clock: clock)
            case 3:
                try store.close()
                store = try TimeSeriesStore.open(options: Self.options(directory.path), clock: clock)
            case 4: _ = try store.snapshot()
            default: break
            }
            if step % 20 == 19 {
                #expect(try Self.samples(store, 1) == wanted)
                let from = time - 600_000
                let found = try store.stored(Matcher(name: "s", equals: "0"), from: from, to: time)
                #expect(found.valuesByTime == wanted.filter { from...time ~= $0.key })
            }
        }
        try store.close()
    }

    @Test func `Settings change while the store is open`() throws {
        let directory = try TemporaryFolder()
        let clock = SteppingClock(now: Self.now)
        let store = try TimeSeriesStore.open(options: Self.options(directory.path, wait: 0), clock: clock)
        _ = try Self.history(store, clock)
        let group = store.openGroup("push")
        let ref = try store.resolve(TimeSeriesStoreTests.labels(["__name__": "p"]), in: group)
        func push(_ age: Int64) throws -> [SampleRejection] {
            var batch = SampleBatch()
            batch.append(ref, 1, at: clock.now() - age)
            return try store.commit(batch, in: group, durability: .written).rejected.map(\.reason)
        }
        #expect(try push(0) == [])
        #expect(try push(60_000) == [.outOfOrder])
        var settings = store.settings
        settings.outOfOrderWindow = Self.hour
        settings.maxExemplars = 2
        settings.retentionTime = Self.day / 2
        store.change(settings)
        #expect(try push(60_000) == [])
        for n in 0..<5 {
            store.exemplarRing.add(
                1, Exemplar(labels: TimeSeriesStoreTests.labels(["t": "\(n)"]), value: 1, timestamp: Int64(n)))
        }
        #expect(store.exemplarRing.count == 2)
        let before = store.blocks.count
        store.runMaintenance()
        #expect(store.blocks.count < before)
        settings.retentionSize = 1 << 16
        store.change(settings)
        for _ in 0..<3 { store.runMaintenance() }
        #expect(store.blocks.isEmpty)
        settings.retentionSize = 0
        store.change(settings)
        #expect(store.quota == nil)
        try store.close()
    }

    @Test func `A checkpoint with blocks of another span is taken over`() throws {
        let directory = try TemporaryFolder()
        let clock = SteppingClock(now: Self.now)
        var wanted: [Int64: Double] = [:]
        for (n, duration) in [Int64(7_200_000), 3_600_000, 60_000, 7_200_000].enumerated() {
            var options = Self.options(directory.path)
            options.blockDuration = duration
            let store = try TimeSeriesStore.open(options: options, clock: clock)
            #expect(try Self.samples(store, 1) == wanted)
            for _ in 0..<50 {
                clock.pass(15_000)
                try Self.scrape(store, clock, Double(n))
                wanted[clock.now()] = Double(n)
            }
            #expect(try Self.samples(store, 1) == wanted)
            if n % 2 == 0 { try store.close() } else { store.abandon() }
        }
    }

    @Test func `A store that nobody closes ends its thread`() throws {
        for _ in 0..<20 {
            let directory = try TemporaryFolder()
            var options = Self.options(directory.path)
            options.runsInBackground = true
            options.walSyncInterval = 50
            var store: TimeSeriesStore? = try TimeSeriesStore.open(options: options)
            weak let left = store
            store = nil
            // A job that is under way holds it a moment longer.
            var patience = 10_000_000
            while left != nil, patience > 0 { patience -= 1 }
            #expect(left == nil)
        }
    }
}
