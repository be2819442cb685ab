import Model
import Platform
import Synchronization
import TestSupport
import Testing

@testable import Storage

/// What happens while the disk takes nothing, and when the directory has reached its size; also while syncs fail.
@Suite struct FullDiskTests {
    private static func store(
        _ files: FaultyFileSystem, size: Int64 = 0, blockDuration: Int64 = 600_000
    ) throws -> TimeSeriesStore {
        try .open(files, now: 1_800_000_000_000) {
            ($0.retentionSize, $0.blockDuration, $0.walSegmentSize) = (size, blockDuration, 1 << 20)
        }
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

    @Test func `what a full disk cannot take fails with an error that says so, and succeeds with space`() throws {
        let files = FaultyFileSystem()
        let store = try Self.store(files)
        var feed = Feed(store)
        let start: Int64 = 1_700_000_100_000
        for i in 0..<100 { try feed.scrape(start + Int64(i) * 15_000, series: 0..<10) }
        store.runMaintenance()
        let asked: [(String, () throws -> Void)] = [
            ("push", { try feed.scrape(start + 1_500_000, series: 0..<10, .written) }),
            ("synced push", { try feed.scrape(start + 1_515_000, series: 0..<10, .synced) }),
            ("deletion", { _ = try store.deleteSeries([Matcher(name: "s", equals: "1")], minTime: 0, maxTime: .max) }),
            ("deletion", { _ = try store.deleteSeries([Matcher(name: "s", equals: "2")], minTime: 0, maxTime: start) }),
            ("tombstones", { try store.cleanTombstones() }), ("snapshot", { _ = try store.snapshot() }),
            ("snapshot", { _ = try store.snapshot(skipsHead: true) }),
        ]
        var made = 0
        for (name, ask) in asked {
            files.setCapacity(0)
            do {
                try ask()
                #expect(name == "tombstones", "\(name) is done")
            } catch {
                #expect(error is StoreBusy || (error as? FileError)?.isFull == true, "\(name): \(error)")
            }
            // Half a snapshot is not left.
            let snapshots = try files.exists("data/snapshots") ? files.list("data/snapshots") : []
            #expect(snapshots.count == made, "\(name): \(snapshots)")
            files.setCapacity(.max)
            try ask()
            if name == "snapshot" { made += 1 }
        }
        #expect(store.brokenInvariant == nil)
        try store.close()
    }

    @Test(arguments: FailingSyncs.runs)
    func `scrapes go on in memory while the disk is full, and are saved when it is not any more`(
        _ syncs: FailingSyncs
    ) throws {
        let files = FaultyFileSystem()
        let store = try Self.store(files)
        syncs.begin(files)
        var feed = Feed(store)
        let start: Int64 = 1_700_000_100_000
        for i in 0..<20 { try feed.scrape(start + Int64(i) * 15_000, series: 0..<10) }
        store.runMaintenance()
        let before = store.unloggedSamples
        #expect(syncs.seed != nil || before.inMemory == 0)
        files.setCapacity(0)
        for i in 20..<160 {
            let time = start + Int64(i) * 15_000
            // New series come, too; some of the time lies beyond the end of a block's window.
            try feed.scrape(time, series: 0..<(i % 2 == 0 ? 10 : 12))
            let error = #expect(throws: (any Error).self) { try feed.scrape(time + 1, series: 0..<1, .written) }
            #expect(error is StoreBusy || syncs.seed != nil, "\(String(describing: error))")
            if i % 10 == 0 {
                store.syncLog()
                store.runMaintenance()
            }
        }
        #expect(!store.isHealthy)
        #expect(try feed.model.difference(store) == nil)
        #expect(store.unloggedSamples.inMemory == before.inMemory + 140 * 11)
        #expect(store.unloggedSamples.refused == before.refused + 140)
        files.setCapacity(1 << 30)
        try feed.scrape(start + 160 * 15_000, series: 0..<12)
        #expect(syncs.seed != nil || store.isHealthy)
        #expect(syncs.tend(store))
        #expect(store.unloggedSamples.inMemory == 0)
        #expect(try feed.model.difference(store) == nil)
        for i in 161..<170 { try feed.scrape(start + Int64(i) * 15_000, series: 0..<12) }
        // Once all is known to be on the disk, it survives a power cut, too.
        try syncs.insist {
            #expect(syncs.tend(store))
            try store.log.sync()
        }
        #expect(store.unloggedSamples.inMemory == 0)
        let cut = try Self.store(files.afterPowerCut(.dropped))
        #expect(cut.damagedRecords == 0, "\(cut.leftOut) \(cut.damagedSegments.withLock { $0 })")
        #expect(try feed.model.difference(cut) == nil)
        // Killed: everything is there, though the log has a gap.
        store.abandon()
        let after = try syncs.insist { try Self.store(files) }
        #expect(after.damagedRecords == 0)
        #expect(try feed.model.difference(after) == nil)
    }

    @Test(arguments: FailingSyncs.runs)
    func `what was logged before and after a gap survives a kill before the gap is saved`(
        _ syncs: FailingSyncs
    ) throws {
        let files = FaultyFileSystem()
        let store = try Self.store(files)
        syncs.begin(files)
        var feed = Feed(store)
        /// Scrapes, and keeps in mind what the log has taken.
        func scrape(_ i: Int) throws {
            let (known, unlogged) = (feed.model, store.unloggedSamples.inMemory)
            try feed.scrape(Int64(i) * 15_000, series: 0..<5)
            guard store.unloggedSamples.inMemory > unlogged else { return }
            #expect(syncs.seed != nil || (10..<20).contains(i))
            feed.model = known
        }
        for i in 0..<10 { try scrape(i) }
        let before = feed.model
        files.setCapacity(0)
        for i in 10..<20 { try scrape(i) }
        #expect(feed.model.series == before.series)
        files.setCapacity(1 << 30)
        for i in 20..<30 { try scrape(i) }
        #expect(feed.model.series != before.series)
        store.abandon()
        let after = try syncs.insist { try Self.store(files) }
        #expect(after.damagedRecords == 0)
        #expect(try feed.model.difference(after) == nil)
    }

    @Test(arguments: FailingSyncs.runs)
    func `the reserve is given up for the frame in flight, and taken again when there is room`(
        _ syncs: FailingSyncs
    ) throws {
        let files = FaultyFileSystem()
        let store = try Self.store(files)
        syncs.begin(files)
        #expect(try files.exists("data/reserve"))
        var feed = Feed(store)
        try syncs.insist { try feed.scrape(1000, series: 0..<10, .written) }
        files.setCapacity(files.used)
        // A push is acknowledged although there is no room but the reserve.
        try syncs.insist { try feed.scrape(2000, series: 0..<10, .written) }
        #expect(try !files.exists("data/reserve"))
        #expect(store.isHealthy)
        files.setCapacity(1 << 30)
        _ = try syncs.insist {
            #expect(syncs.tend(store))
            guard try files.exists("data/reserve") else { throw StorageError.notWritable("no reserve") }
        }
        #expect(try feed.model.difference(store) == nil)
    }

    @Test(arguments: FailingSyncs.runs)
    func `a store opens on a full disk and begins to store when there is room`(_ syncs: FailingSyncs) throws {
        let files = FaultyFileSystem()
        syncs.begin(files)
        var feed = Feed(try syncs.insist { try Self.store(files) })
        try syncs.insist { try feed.scrape(1000, series: 0..<10, .written) }
        feed.store.abandon()
        files.setCapacity(0)
        let store = try syncs.insist { try Self.store(files) }
        #expect(try feed.model.difference(store) == nil)
        files.setCapacity(1 << 30)
        var second = Feed(store)
        second.model = feed.model
        try syncs.insist { try second.scrape(2000, series: 0..<10, .written) }
        #expect(try second.model.difference(store) == nil)
    }

    @Test(arguments: zip([1 << 20, 4 << 20, 1 << 20], [nil, nil, 1].map(FailingSyncs.init)))
    func `the directory never holds more than the size retention`(_ limit: Int, _ syncs: FailingSyncs) throws {
        let files = FaultyFileSystem()
        let store = try Self.store(files, size: Int64(limit), blockDuration: 300_000)
        syncs.begin(files)
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
        #expect(syncs.tend(store))
        let newest = try store.select(SelectRequest(matchers: [], minTime: 899 * 15_000, maxTime: 899 * 15_000))
        #expect(newest.count == 200)
        feed.model.series = [:]
        do { try store.close() } catch { if syncs.seed == nil { throw error } }
        sample()
        let after = try syncs.insist { try Self.store(files, size: Int64(limit), blockDuration: 300_000) }
        sample()
        #expect(try after.select(SelectRequest(matchers: [], minTime: 899 * 15_000, maxTime: .max)).count == 200)
    }

    /// Series that live for a minute only stay open until their window ends: what they take must count before.
    @Test(arguments: FailingSyncs.runs.prefix(2))
    func `series that come and go within one window do not stop a store of a bounded size`(
        _ syncs: FailingSyncs
    ) throws {
        let files = FaultyFileSystem()
        let limit = 1 << 21
        let store = try Self.store(files, size: Int64(limit), blockDuration: 7_200_000)
        syncs.begin(files)
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
            #expect(syncs.seed != nil || store.isHealthy, "step \(i): \(store.unhealthyReason ?? "")")
        }
        #expect(syncs.tend(store))
        #expect(store.unloggedSamples.inMemory == 0)
        let newest = try store.select(SelectRequest(matchers: [], minTime: 699_000, maxTime: 699_000))
        #expect(newest.count == 150)
        #expect(store.blocks.count > 0)
    }

    @Test(arguments: FailingSyncs.runs)
    func `a smaller size retention is kept from the start on`(_ syncs: FailingSyncs) throws {
        let files = FaultyFileSystem()
        let large = try Self.store(files, blockDuration: 300_000)
        syncs.begin(files)
        var feed = Feed(large)
        for i in 0..<400 {
            try feed.scrape(Int64(i) * 15_000, series: 0..<50)
            if i % 20 == 0 { large.runMaintenance() }
        }
        do { try large.close() } catch { if syncs.seed == nil { throw error } }
        #expect(files.pages("data") > 100_000)
        let small = try syncs.insist { try Self.store(files, size: 65_536 * 3, blockDuration: 300_000) }
        #expect(
            syncs.tend(small),
            "\(small.maintenanceFailure.withLock { $0 }) \(small.unhealthyReason) \(files.pages("data"))")
        #expect(files.pages("data") <= 65_536 * 3)
    }

    @Test
    func
        `a push that finds no room below the size limit is to come again, and is taken after the next maintenanceLock`()
        throws
    {
        let files = FaultyFileSystem()
        let limit = 2 << 20
        let store = try Self.store(files, size: Int64(limit), blockDuration: 300_000)
        let group = store.openGroup("g")
        var random = SeededRandom(seed: 13)
        let refs = try (0..<1000).map {
            try store.resolve(TimeSeriesStoreTests.labels(["__name__": "m", "s": "\($0)"]), in: group)
        }
        func batch(_ step: Int) -> SampleBatch {
            var batch = SampleBatch(timestamp: Int64(step) * 15_000)
            for ref in refs { batch.append(ref, Double.random(in: 0..<1, using: &random)) }
            return batch
        }
        func push(_ step: Int) throws { _ = try store.commit(batch(step), in: group, durability: .written) }
        var refusals = 0
        for step in 0..<300 {
            do { try push(step) } catch {
                #expect(error is StoreBusy, "\(error)")
                refusals += 1
                store.runMaintenance()
                let state =
                    "step \(step), room \(store.quota?.spaceLeft ?? 0), \(store.maintenanceFailure.withLock { $0 } ?? "")"
                #expect(throws: Never.self, "\(state)") { try push(step) }
            }
            #expect(files.pages("data") <= limit)
        }
        #expect(refusals > 1)
        #expect(store.isHealthy)
        // Nor is it an error to end without room for a checkpoint.
        var step = 300
        while (try? push(step)) != nil { step += 1 }
        let copy = files.afterPowerCut(.kept)
        let again = try Self.store(copy, size: Int64(limit), blockDuration: 300_000)
        for more in 0..<3 { _ = try? again.commit(batch(step + more), in: again.openGroup("g"), durability: .written) }
        try again.close()
        #expect(copy.pages("data") <= limit)
        #expect(try Self.store(copy, size: Int64(limit), blockDuration: 300_000).damagedRecords == 0)
        // A full disk is another matter.
        files.setCapacity(0)
        store.change(StoreSettings(StoreOptions(directory: "data", retentionTime: 0)))
        #expect(throws: StoreBusy.self) { try push(step + 1) }
    }

    @Test(.timeLimit(.minutes(1))) func `a hurry does the jobs long before they are due`() {
        let loop = BackgroundLoop()
        let done = TimedSemaphore(value: 0)
        loop.start([.init(interval: 1 << 40) { done.signal() }])
        for _ in 0..<3 {
            loop.hurry()
            loop.hurry()
            #expect(done.wait(milliseconds: 50_000))
        }
        loop.stop()
    }

    @Test func `a snapshot costs no block of a store that has a size`() throws {
        let files = FaultyFileSystem()
        var store = try Self.store(files, size: 1 << 20, blockDuration: 300_000)
        var feed = Feed(store)
        func fill(_ steps: Range<Int>) throws {
            for i in steps {
                try feed.scrape(Int64(i) * 15_000, series: 0..<50)
                if i % 20 == 19 { store.runMaintenance() }
            }
        }
        try fill(0..<400)
        _ = try store.snapshot()
        // More snapshots than the store could hold if they counted: each has directories and a manifest.
        for _ in 0..<80 { _ = try store.snapshot(skipsHead: true) }
        try fill(400..<420)
        #expect(files.pages("data/snapshots") > 1 << 20)
        #expect(store.isHealthy && store.blocks.map(\.meta.minTime).min() == 0)
        try store.close()
        store = try Self.store(files, size: 1 << 20, blockDuration: 300_000)
        store.runMaintenance()
        #expect(store.isHealthy && store.blocks.map(\.meta.minTime).min() == 0)
    }

    @Test func `a store of more than its size opens with another duration of blocks`() throws {
        let files = FaultyFileSystem()
        let large = try Self.store(files, blockDuration: 7_200_000)
        var feed = Feed(large)
        for i in 0..<400 { try feed.scrape(Int64(i) * 15_000, series: 0..<50) }
        large.abandon()
        #expect(files.pages("data") > 65_536 * 3)
        let small = try Self.store(files, size: 65_536 * 3, blockDuration: 60_000)
        small.runMaintenance()
        #expect(small.isHealthy && files.pages("data") <= 65_536 * 3)
    }
}
