import Model
import Platform
import TestSupport
import Testing

@testable import Storage

/// What happens while the disk takes nothing, and when the directory has reached its size.
@Suite struct FullDiskTests {
    private static func store(
        _ files: FaultyFileSystem, size: Int64 = 0, blockDuration: Int64 = 600_000
    ) throws -> TimeSeriesStore {
        try TimeSeriesStore.open(
            options: StoreOptions(
                directory: "data", retentionTime: 0, retentionSize: size, blockDuration: blockDuration,
                walSegmentSize: 1 << 20, runsInBackground: false),
            fileSystem: files, clock: ManualClock(now: 1_800_000_000_000))
    }

    private struct Feed {
        let store: TimeSeriesStore
        let group: SeriesGroup
        var model = StoreModel()

        init(_ store: TimeSeriesStore) {
            self.store = store
            group = store.openGroup("g")
        }

        mutating func scrape(_ time: Int64, series: Range<Int>, _ durability: Durability = .whenPossible) throws {
            var batch = SampleBatch(timestamp: time)
            var added: [(Labels, Double)] = []
            for s in series {
                let labels = TimeSeriesStoreTests.labels(["__name__": "m", "s": "\(s)"])
                let value = Double(time % 977) / 7 + Double(s)
                batch.append(try store.resolve(labels, in: group), value)
                added.append((labels, value))
            }
            _ = try store.commit(batch, in: group, durability: durability)
            for (labels, value) in added { model.series[labels, default: [:]][time] = value.bitPattern }
        }
    }

    @Test func `scrapes go on in memory while the disk is full, and are saved when it is not any more`() throws {
        let files = FaultyFileSystem()
        let store = try Self.store(files)
        var feed = Feed(store)
        let start: Int64 = 1_700_000_100_000
        for i in 0..<20 { try feed.scrape(start + Int64(i) * 15_000, series: 0..<10) }
        store.runMaintenance()
        files.setCapacity(0)
        for i in 20..<160 {
            let time = start + Int64(i) * 15_000
            // New series come, too; some of the time lies beyond the end of a block's window.
            try feed.scrape(time, series: 0..<(i % 2 == 0 ? 10 : 12))
            #expect(throws: StorageError.self) { try feed.scrape(time + 1, series: 0..<1, .written) }
            if i % 10 == 0 {
                store.syncLog()
                store.runMaintenance()
            }
        }
        #expect(!store.isHealthy)
        #expect(try feed.model.difference(store) == nil)
        #expect(store.unloggedSamples.inMemory == 140 * 11)
        #expect(store.unloggedSamples.refused == 140)
        files.setCapacity(1 << 30)
        try feed.scrape(start + 160 * 15_000, series: 0..<12)
        #expect(store.isHealthy)
        store.runMaintenance()
        #expect(store.unloggedSamples.inMemory == 0)
        #expect(try feed.model.difference(store) == nil)
        for i in 161..<170 { try feed.scrape(start + Int64(i) * 15_000, series: 0..<12) }
        // Killed: everything is there, though the log has a gap.
        store.abandon()
        let after = try Self.store(files)
        #expect(after.damagedRecords == 0)
        #expect(try feed.model.difference(after) == nil)
    }

    @Test func `what was logged before and after a gap survives a kill before the gap is saved`() throws {
        let files = FaultyFileSystem()
        let store = try Self.store(files)
        var feed = Feed(store)
        for i in 0..<10 { try feed.scrape(Int64(i) * 15_000, series: 0..<5) }
        let before = feed.model
        files.setCapacity(0)
        for i in 10..<20 { try feed.scrape(Int64(i) * 15_000, series: 0..<5) }
        files.setCapacity(1 << 30)
        feed.model = before
        for i in 20..<30 { try feed.scrape(Int64(i) * 15_000, series: 0..<5) }
        store.abandon()
        let after = try Self.store(files)
        #expect(after.damagedRecords == 0)
        #expect(try feed.model.difference(after) == nil)
    }

    @Test func `the reserve is given up for the frame in flight, and taken again when there is room`() throws {
        let files = FaultyFileSystem()
        let store = try Self.store(files)
        #expect(try files.exists("data/reserve"))
        var feed = Feed(store)
        try feed.scrape(1000, series: 0..<10, .written)
        files.setCapacity(files.used)
        // A push is acknowledged although there is no room but the reserve.
        try feed.scrape(2000, series: 0..<10, .written)
        #expect(try !files.exists("data/reserve"))
        #expect(store.isHealthy)
        files.setCapacity(1 << 30)
        store.runMaintenance()
        #expect(try files.exists("data/reserve"))
        #expect(try feed.model.difference(store) == nil)
    }

    @Test func `a store opens on a full disk and begins to store when there is room`() throws {
        let files = FaultyFileSystem()
        var feed = Feed(try Self.store(files))
        try feed.scrape(1000, series: 0..<10, .written)
        feed.store.abandon()
        files.setCapacity(0)
        let store = try Self.store(files)
        #expect(try feed.model.difference(store) == nil)
        files.setCapacity(1 << 30)
        var second = Feed(store)
        second.model = feed.model
        try second.scrape(2000, series: 0..<10, .written)
        #expect(try second.model.difference(store) == nil)
    }

    @Test(arguments: [1 << 20, 4 << 20]) func `the directory never holds more than the size retention`(_ limit: Int)
        throws
    {
        let files = FaultyFileSystem()
        let store = try Self.store(files, size: Int64(limit), blockDuration: 300_000)
        var feed = Feed(store)
        var random = SeededRandom(seed: 11)
        var most = 0
        func sample() {
            let used = files.pages("data")
            most = max(most, used)
            #expect(used <= limit)
        }
        // Churn: each minute other series; far more than fits.
        for i in 0..<900 {
            let first = i / 4 * 7
            var batch = SampleBatch(timestamp: Int64(i) * 15_000)
            for s in first..<(first + 200) {
                let labels = TimeSeriesStoreTests.labels(["__name__": "m", "s": "\(s)", "pod": "pod-\(s / 7)"])
                batch.append(try store.resolve(labels, in: feed.group), Double.random(in: 0..<1, using: &random))
            }
            _ = try store.commit(batch, in: feed.group, durability: .whenPossible)
            sample()
            if i % 2 == 0 { store.runMaintenance() }
            sample()
        }
        // Use is made of it, though the blocks of the larger case fill only half, and the newest samples are there.
        #expect(most > limit * 2 / 5)
        #expect(store.isHealthy)
        let newest = try store.select(SelectRequest(matchers: [], minTime: 899 * 15_000, maxTime: 899 * 15_000))
        #expect(newest.count == 200)
        feed.model.series = [:]
        try store.close()
        sample()
        let after = try Self.store(files, size: Int64(limit), blockDuration: 300_000)
        sample()
        #expect(try after.select(SelectRequest(matchers: [], minTime: 899 * 15_000, maxTime: .max)).count == 200)
    }

    /// Series that live for a minute only stay open until their window ends: what they take must count before.
    @Test func `series that come and go within one window do not stop a store of a bounded size`() throws {
        let files = FaultyFileSystem()
        let limit = 1 << 21
        let store = try Self.store(files, size: Int64(limit), blockDuration: 7_200_000)
        let feed = Feed(store)
        var random = SeededRandom(seed: 12)
        for i in 0..<700 {
            var batch = SampleBatch(timestamp: Int64(i) * 1000)
            for s in (i * 30)..<(i * 30 + 150) {
                let labels = TimeSeriesStoreTests.labels(["__name__": "m\(s % 7)", "pod": "pod-\(s / 7)"])
                batch.append(try store.resolve(labels, in: feed.group), Double.random(in: 0..<1, using: &random))
            }
            _ = try store.commit(batch, in: feed.group, durability: .whenPossible)
            #expect(files.pages("data") <= limit)
            guard i % 5 == 4 else { continue }
            store.runMaintenance()
            #expect(files.pages("data") <= limit)
            #expect(store.isHealthy, "step \(i): \(store.unhealthyReason ?? "")")
        }
        #expect(store.unloggedSamples.inMemory == 0)
        let newest = try store.select(SelectRequest(matchers: [], minTime: 699_000, maxTime: 699_000))
        #expect(newest.count == 150)
        #expect(store.blocks.count > 0)
    }

    @Test func `a smaller size retention is kept from the start on`() throws {
        let files = FaultyFileSystem()
        let large = try Self.store(files, blockDuration: 300_000)
        var feed = Feed(large)
        for i in 0..<400 {
            try feed.scrape(Int64(i) * 15_000, series: 0..<50)
            if i % 20 == 0 { large.runMaintenance() }
        }
        try large.close()
        #expect(files.pages("data") > 100_000)
        let small = try Self.store(files, size: 65_536 * 3, blockDuration: 300_000)
        small.runMaintenance()
        #expect(files.pages("data") <= 65_536 * 3)
    }
}
