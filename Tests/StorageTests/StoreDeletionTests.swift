import Model
import Platform
import Synchronization
import TestSupport
import Testing

@testable import Storage

/// What is deleted stays hidden until blocks are written without it, whichever byte of the disk is damaged.
@Suite struct StoreDeletionTests {
    private static let start: Int64 = 1_700_000_400_000

    private static func open(_ files: FaultyFileSystem) throws -> TimeSeriesStore {
        try TimeSeriesStore.open(
            options: StoreOptions(directory: "data", retentionTime: 0, runsInBackground: false), fileSystem: files,
            clock: ManualClock(now: 1_800_000_000_000))
    }

    private static func commit(_ store: TimeSeriesStore, _ steps: Range<Int>) throws {
        let group = store.openGroup("g")
        for step in steps {
            var batch = SampleBatch(timestamp: start + Int64(step) * 15_000)
            for s in 0..<3 {
                batch.append(
                    try store.resolve(TimeSeriesStoreTests.labels(["__name__": "m", "s": "\(s)"]), in: group),
                    Double(step))
            }
            _ = try store.commit(batch, in: group, durability: .synced)
        }
    }

    /// Samples of the second series in the store; -1 if it cannot be read.
    private static func visible(_ store: TimeSeriesStore) throws -> Int {
        let set = try store.select(
            SelectRequest(matchers: [Matcher(name: "s", equals: "1")], minTime: .min, maxTime: start + 10 * 15_000))
        var columns = SampleColumns()
        var count = 0
        for i in 0..<set.count {
            try set.read(i, into: &columns)
            count += columns.count
        }
        return count
    }

    /// A store in which the first samples of the second series are deleted.
    private static func specimen(withCheckpoint: Bool) throws -> FaultyFileSystem {
        let files = FaultyFileSystem()
        let store = try open(files)
        try commit(store, 0..<5)
        // So that the samples do not go with the file that says that they are gone.
        try store.checkpoint()
        try commit(store, 5..<6)
        try store.deleteSeries([Matcher(name: "s", equals: "1")], minTime: .min, maxTime: .max)
        if withCheckpoint { try store.checkpoint() }
        try commit(store, 11..<13)
        store.abandon()
        return files
    }

    @Test(arguments: ["log", "checkpoint"]) func `No damaged byte brings back what is deleted`(_ place: String) throws {
        let files = try Self.specimen(withCheckpoint: place == "checkpoint")
        let path: String
        if place == "checkpoint" {
            path = "data/checkpoint"
        } else {
            path = "data/wal/" + (try #require(try files.list("data/wal").max()))
        }
        let size = try files.read(path).count
        #expect(size > 100)
        for at in 0..<size {
            let damaged = files.afterPowerCut(.kept)
            damaged.damage(path) { $0[at] ^= 1 << UInt8(at % 8) }
            let store = try Self.open(damaged)
            let count = try Self.visible(store)
            #expect(count == 0, "byte \(at) of \(size): \(count) deleted samples")
            store.abandon()
            // What was saved of the damage holds for the next start, too.
            guard at % 16 == 0 else { continue }
            let again = try Self.open(damaged.afterPowerCut(.kept))
            #expect(try Self.visible(again) == 0, "byte \(at) of \(size), second start")
            again.abandon()
        }
    }

    @Test(arguments: [Int64.max, start + 1000 * 15_000])
    func `What comes after a deletion is there, also while another series is ahead`(maxTime: Int64) throws {
        let files = FaultyFileSystem()
        var store = try Self.open(files)
        let group = store.openGroup("g")
        func push(_ name: String, _ steps: Range<Int>) throws {
            for step in steps {
                var batch = SampleBatch(timestamp: Self.start + Int64(step) * 15_000)
                batch.append(
                    try store.resolve(TimeSeriesStoreTests.labels(["__name__": name, "s": "1"]), in: group), 1)
                _ = try store.commit(batch, in: group, durability: .synced)
            }
        }
        func count(_ name: String) throws -> Int {
            let set = try store.select(
                SelectRequest(matchers: [Matcher(name: "__name__", equals: name)], minTime: .min, maxTime: .max))
            var columns = SampleColumns()
            var count = 0
            for i in 0..<set.count {
                try set.read(i, into: &columns)
                count += columns.count
            }
            return count
        }
        try push("m", 0..<20)
        try push("ahead", 0..<80)
        try push("n", 0..<40)
        try store.deleteSeries([Matcher(name: "s", equals: "1")], minTime: .min, maxTime: maxTime)
        #expect(try count("m") == 0 && count("n") == 0 && count("ahead") == 0)
        try push("m", 20..<45)
        try push("n", 40..<50)
        for life in 0..<4 {
            #expect(try count("m") == 25, "life \(life)")
            #expect(try count("n") == 10, "life \(life)")
            #expect(try count("ahead") == 0, "life \(life)")
            if life == 1 { try store.checkpoint() }
            if life == 2 { try store.close() } else { store.abandon() }
            store = try Self.open(files.afterPowerCut(.kept))
        }
        store.abandon()
    }

    @Test func `too many different ends are joined, and no series is forgotten`() {
        let newest = (0..<1000).map { (id: UInt32($0), time: Int64($0) * 10) }
        let made = Deletion.of(newest, from: 95, to: 9000)
        #expect(made.count <= 64 && made.allSatisfy { $0.from == 95 && $0.to <= 9000 })
        for (id, time) in newest {
            let own = made.filter { $0.ids.contains(id) }
            #expect(own.count == (time >= 95 ? 1 : 0) && own.allSatisfy { $0.to >= min(time, 9000) })
        }
        #expect(Deletion.of([(1, 5)], from: .min, to: .max) == [Deletion(ids: [1], from: .min, to: 5)])
    }

    @Test func `A deletion of many series is one deletion again after restarts`() throws {
        let files = FaultyFileSystem()
        var store = try Self.open(files)
        let group = store.openGroup("g")
        var batch = SampleBatch(timestamp: Self.start)
        for s in 0..<20_000 {
            batch.append(
                try store.resolve(TimeSeriesStoreTests.labels(["__name__": "m", "s": "\(s)"]), in: group), 1)
        }
        _ = try store.commit(batch, in: group, durability: .synced)
        try store.deleteSeries([Matcher(name: "__name__", equals: "m")], minTime: .min, maxTime: .max)
        let made = store.deletions.withLock { $0 }
        for life in 0..<3 {
            if life == 1 { try store.checkpoint() }
            store.abandon()
            store = try Self.open(files.afterPowerCut(.kept))
            #expect(store.deletions.withLock { $0 } == made && made.count == 1, "start \(life)")
        }
        store.abandon()
    }

    @Test func `Damage to the metadata in a checkpoint takes a part of it along, not all`() throws {
        let files = FaultyFileSystem()
        var store = try Self.open(files)
        let all = (0..<3000).map { i in
            (
                metric: "metric_\(i)",
                metadata: MetricMetadata(type: .counter, help: "Help of \(i), as long as help is.", unit: "")
            )
        }
        store.setMetadata(all, in: store.openGroup("g"))
        try Self.commit(store, 0..<3)
        try store.checkpoint()
        store.abandon()
        let frames = try CheckpointReader("data/checkpoint", files).frames.filter {
            $0.kind == CheckpointFrame.records
        }
        #expect(frames.count > 2 && frames.allSatisfy { $0.raw <= CheckpointWriter.recordsSize })
        let broken = try #require(frames.first)
        files.damage("data/checkpoint") { $0[broken.offset + broken.stored / 2] ^= 1 }
        store = try Self.open(files.afterPowerCut(.kept))
        let kept = store.metadata().count
        #expect(kept < all.count && kept > all.count / 2)
        store.abandon()
    }

    @Test func `Without an interval a commit is on the disk when it is acknowledged`() throws {
        let files = FaultyFileSystem()
        let store = try TimeSeriesStore.open(
            options: StoreOptions(directory: "data", walSyncInterval: 0, runsInBackground: false), fileSystem: files,
            clock: ManualClock(now: 1_800_000_000_000))
        let group = store.openGroup("g")
        for step in 0..<4 {
            var batch = SampleBatch(timestamp: Self.start + Int64(step) * 15_000)
            batch.append(
                try store.resolve(TimeSeriesStoreTests.labels(["__name__": "m", "s": "1"]), in: group), Double(step))
            #expect(try store.commit(batch, in: group, durability: .written).appended == 1)
            let after = try Self.open(files.afterPowerCut(.dropped))
            #expect(try Self.visible(after) == step + 1)
            after.abandon()
        }
        store.abandon()
    }
}

/// How often checkpoints are written.
@Suite struct CheckpointPaceTests {
    /// Writes `rates` bytes of log each second beside a checkpoint of a fixed size: bytes of the checkpoints, the log
    /// behind the last of them, and the longest there was.
    private static func run(_ rates: [Int], checkpoint: Int) -> (written: Int, tail: Int, longest: Int) {
        var pace = CheckpointPace()
        var (written, tail, longest) = (0, 0, 0)
        for rate in rates {
            tail += rate
            longest = max(longest, tail)
            if pace.isDue(log: tail, checkpoint: checkpoint, short: 64 << 20, largest: 1 << 40) {
                written += checkpoint
                pace.wrote(checkpoint)
                tail = 0
            }
        }
        return (written, tail, longest)
    }

    @Test func `The log of a burst is cut short when the burst is over`() {
        let mega = 1 << 20
        for burst in 25..<60 {
            let rates = [Int](repeating: 2 * mega, count: burst) + [Int](repeating: 100_000, count: 5)
            let result = Self.run(rates, checkpoint: 20 * mega)
            #expect(result.tail <= 5 * mega, "\(burst) s: \(result.tail)")
            #expect(result.longest <= 22 * mega)
        }
    }

    @Test func `Checkpoints are at most twice as long as the log in the long run`() {
        let mega = 1 << 20
        for rate in [mega / 20, mega / 2, mega, 3 * mega] {
            let rates = [Int](repeating: rate, count: 20_000)
            let result = Self.run(rates, checkpoint: 20 * mega)
            #expect(result.written <= 2 * rate * rates.count)
            #expect(result.longest <= 23 * mega)
        }
        #expect(Self.run([Int](repeating: mega / 20, count: 20_000), checkpoint: 20 * mega).longest <= 11 * mega)
    }
}
