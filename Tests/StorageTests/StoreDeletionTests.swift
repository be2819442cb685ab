import Dispatch
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
        try .open(files, now: 1_800_000_000_000)
    }

    private static func commit(_ store: TimeSeriesStore, _ steps: Range<Int>) throws {
        for step in steps {
            try store.push(series: 3, at: start + Int64(step) * 15_000, durability: .synced) { _ in Double(step) }
        }
    }

    /// The number of samples of the second series in the store.
    private static func visible(_ store: TimeSeriesStore) throws -> Int {
        try store.stored(Matcher(name: "s", equals: "1"), to: start + 10 * 15_000).times.count
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
        func count(_ name: String) throws -> Int { try store.stored(named: name).times.count }
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

    /// Names of the ways in which a sample can come to a time that was deleted.
    private enum Way: String, CaseIterable {
        case outOfOrder, clockSetBack, atTheNewestTime
    }

    @Test(arguments: Way.allCases, [false, true])
    private func `A sample that is stored after a deletion is kept, whatever its time`(
        _ way: Way, hasHistograms: Bool
    ) throws {
        let files = FaultyFileSystem()
        let clock = ManualClock(now: Self.start + 60 * 15_000)
        func open() throws -> TimeSeriesStore {
            try .open(files, clock) { ($0.blockDuration, $0.outOfOrderWindow) = (600_000, 7_200_000) }
        }
        var store = try open()
        /// Pushes one sample; `delay` says that it is one of the store's owner, as scrapes are.
        func push(_ time: Int64, _ value: Double, delay: Int64? = nil) throws {
            let group = store.openGroup("g")
            var batch = SampleBatch(timestamp: time)
            let ref = try store.resolve(TimeSeriesStoreTests.labels(["__name__": "m", "s": "1"]), in: group)
            if hasHistograms {
                batch.append(ref, FloatHistogram(schema: 0, count: value, sum: value), at: time)
            } else {
                batch.append(ref, value)
            }
            batch.delay = delay
            let outcome = try store.commit(batch, in: group, durability: .synced)
            #expect(outcome.rejected.isEmpty && outcome.appended == 1, "\(time)")
        }
        let all = SelectRequest(matchers: [Matcher(name: "s", equals: "1")], minTime: .min, maxTime: .max)
        func at(_ step: Int) -> Int64 { Self.start + Int64(step) * 15_000 }
        for step in 0..<60 { try push(at(step), Double(step)) }
        // Steps 20 to 59 go.
        try store.deleteSeries([Matcher(name: "s", equals: "1")], minTime: at(20), maxTime: at(1000))
        var wanted = Set((0..<20).map { at($0) })
        #expect(try Set(store.stored(all).times) == wanted)
        var newest = all
        newest.newestOnly = true
        #expect(try store.stored(newest).times.max() == at(19))
        switch way {
        case .outOfOrder: for step in [25, 45, 58] { try push(at(step) + 1, 7) }
        case .clockSetBack:
            clock.set(by: at(30) - clock.now())
            for step in 30..<40 {
                clock.set(by: at(step) - clock.now())
                try push(at(step) + 2, 7, delay: 0)
            }
        case .atTheNewestTime: try push(at(59), 59)
        }
        switch way {
        case .outOfOrder: wanted.formUnion([25, 45, 58].map { at($0) + 1 })
        case .clockSetBack: wanted.formUnion((30..<40).map { at($0) + 2 })
        case .atTheNewestTime: wanted.insert(at(59))
        }
        for life in 0..<6 {
            #expect(try store.stored(all).times.sorted() == wanted.sorted(), "life \(life)")
            #expect(try store.stored(newest).times.max() == wanted.max(), "life \(life)")
            switch life {
            case 1: try store.checkpoint()
            case 3:
                // A window that is over becomes a block.
                clock.set(by: at(400) - clock.now())
                try push(at(400), 1)
                wanted.insert(at(400))
                store.runMaintenance()
                #expect(try store.stored(all).times.sorted() == wanted.sorted())
            default: break
            }
            if life == 2 { try store.close() } else { store.abandon() }
            store = try open()
        }
        try store.head.checkInvariants()
        store.abandon()
    }

    @Test func `Chunks at the borders of a deletion keep the rest, of all kinds of samples`() throws {
        var random = SeededRandom(seed: SeededRandom.runSeed)
        for round in 0..<200 {
            let files = FaultyFileSystem()
            var store = try Self.open(files)
            let group = store.openGroup("g")
            let ref = try store.resolve(TimeSeriesStoreTests.labels(["__name__": "m", "s": "1"]), in: group)
            var wanted: [Int64: String] = [:]
            var time = Self.start
            let kinds = Int.random(in: 0..<4, using: &random)
            for i in 0..<Int.random(in: 1...500, using: &random) {
                time += Int64.random(in: 1...30_000, using: &random)
                var batch = SampleBatch(timestamp: time)
                let isMarker = Int.random(in: 0..<9, using: &random) == 0
                let isHistogram = kinds == 1 || kinds == 2 && Int.random(in: 0..<30, using: &random) == 0
                if isMarker {
                    batch.append(ref, Staleness.marker)
                    wanted[time] = "marker"
                } else if isHistogram {
                    batch.append(ref, FloatHistogram(schema: 0, count: Double(i), sum: Double(i)), at: time)
                    wanted[time] = "histogram \(i)"
                } else {
                    let value = kinds == 3 ? Double.random(in: 0...1, using: &random) : Double(i / 20)
                    batch.append(ref, value)
                    wanted[time] = "\(value)"
                }
                _ = try store.commit(batch, in: group, durability: .written)
            }
            for _ in 0..<Int.random(in: 1...3, using: &random) {
                let from = Self.start + Int64.random(in: -10_000...(time - Self.start), using: &random)
                let to = from + Int64.random(in: 0...2_000_000, using: &random)
                try store.deleteSeries([Matcher(name: "s", equals: "1")], minTime: from, maxTime: to)
                wanted = wanted.filter { $0.key < from || $0.key > to }
            }
            for life in 0..<3 {
                let set = try store.select(
                    SelectRequest(matchers: [Matcher(name: "s", equals: "1")], minTime: .min, maxTime: .max))
                var columns = SampleColumns()
                var found: [Int64: String] = [:]
                for i in 0..<set.count {
                    try set.read(i, into: &columns)
                    var histograms = columns.histograms.makeIterator()
                    var next = histograms.next()
                    for k in 0..<columns.count {
                        let at = columns.timestamps[k]
                        if let one = next, one.index == k {
                            found[at] = "histogram \(Int(one.histogram.count))"
                            next = histograms.next()
                        } else {
                            found[at] = Staleness.isMarker(columns.values[k]) ? "marker" : "\(columns.values[k])"
                        }
                    }
                }
                #expect(found == wanted, "round \(round), life \(life)")
                try store.head.checkInvariants()
                if life == 1 { try store.checkpoint() }
                store.abandon()
                store = try Self.open(files.afterPowerCut(.kept))
            }
            store.abandon()
        }
    }

    @Test func `a chunk that cannot be read stays as it is, and the deletion says so`() throws {
        let files = FaultyFileSystem()
        let store = try Self.open(files)
        try Self.commit(store, 0..<400)
        try store.checkpoint()
        let name = try #require(try files.list("data/spill").first)
        files.damage("data/spill/" + name) { bytes in for at in bytes.indices { bytes[at] = 0 } }
        #expect(throws: StorageError.self) {
            try store.deleteSeries([Matcher(name: "s", equals: "1")], minTime: .min, maxTime: .max)
        }
        try store.head.checkInvariants()
        store.abandon()
    }

    @Test func `chunks go to another spill file before one has no more positions`() throws {
        let files = FaultyFileSystem()
        let store = try Self.open(files)
        try Self.commit(store, 0..<10)
        let end = try #require(store.head.windows().first)
        // As long as one that takes no more.
        store.head.spill.restore(windowEnd: end, number: 7, size: SpillFile.longest)
        let groups = store.head.groups
        for group in groups {
            group.lock.withLock { for id in group.extents.joined() { store.head.seal(id, group) } }
        }
        try Self.commit(store, 10..<12)
        for group in groups {
            group.lock.withLock { for id in group.extents.joined() { store.head.seal(id, group) } }
        }
        #expect(store.head.spill.files.count == 2 && store.head.lost.load(ordering: .relaxed) == 0)
        #expect(store.head.spill.file(windowEnd: end)?.number != 7)
        try store.maintenanceLock.withLock { try store.cutWindows([end]) }
        store.abandon()
    }

    @Test func `A deletion of many series holds after restarts`() throws {
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
        for life in 0..<3 {
            let request = SelectRequest(
                matchers: [Matcher(name: "__name__", equals: "m")], minTime: .min, maxTime: .max)
            #expect(try store.select(request).count == 0, "start \(life)")
            if life == 1 { try store.checkpoint() }
            store.abandon()
            store = try Self.open(files.afterPowerCut(.kept))
        }
        store.abandon()
    }

    @Test(arguments: [false, true]) func `A deletion that fails leaves everything, also after a kill`(checkpoints: Bool)
        throws
    {
        let files = FaultyFileSystem()
        var store = try Self.open(files)
        try Self.commit(store, 0..<5)
        // Nothing can be written, and nothing is kept for that.
        _ = store.reserve.giveUp()
        files.setCapacity(files.used)
        #expect(throws: (any Error).self) {
            for _ in 0..<3 {
                try store.deleteSeries([Matcher(name: "s", equals: "1")], minTime: .min, maxTime: .max)
            }
        }
        #expect(try Self.visible(store) == 5)
        files.setCapacity(.max)
        store.runMaintenance()
        try Self.commit(store, 5..<8)
        if checkpoints { try store.checkpoint() }
        try Self.commit(store, 8..<10)
        for life in 0..<2 {
            #expect(try Self.visible(store) == 10, "life \(life)")
            store.abandon()
            store = try Self.open(files.afterPowerCut(.kept))
        }
        store.abandon()
    }

    @Test func `Samples that come while their series are deleted are there after a kill as they were before`() throws {
        let directory = try TemporaryFolder()
        let options = StoreOptions(
            directory: directory.path, retentionTime: 0, outOfOrderWindow: 7_200_000, runsInBackground: false)
        let clock = ManualClock(now: Self.start + 10_000_000)
        for round in 0..<10 {
            let store = try TimeSeriesStore.open(options: options, clock: clock)
            let group = store.openGroup("g")
            let refs = try (0..<300).map {
                try store.resolve(TimeSeriesStoreTests.labels(["__name__": "m", "s": "\($0)"]), in: group)
            }
            let isDone = Atomic(false)
            DispatchQueue.concurrentPerform(iterations: 2) { part in
                guard part == 1 else {
                    while !isDone.load(ordering: .acquiring) {
                        _ = try? store.deleteSeries(
                            [Matcher(name: "__name__", equals: "m")], minTime: .min, maxTime: .max)
                    }
                    return
                }
                for step in 0..<60 {
                    var batch = SampleBatch()
                    let time = Self.start + Int64(round * 100 + step) * 1000
                    // Some of each batch are out of order.
                    for (s, ref) in refs.enumerated() { batch.append(ref, 1, at: s % 7 == 0 ? time - 1500 : time) }
                    _ = try? store.commit(batch, in: group, durability: .written)
                }
                isDone.store(true, ordering: .releasing)
            }
            let before = try Self.samples(store)
            store.abandon()
            let again = try TimeSeriesStore.open(options: options, clock: clock)
            #expect(try Self.samples(again) == before, "round \(round)")
            try again.close()
        }
    }

    /// The samples of each series.
    private static func samples(_ store: TimeSeriesStore) throws -> [Labels: [Int64]] {
        Dictionary(try store.stored().map { ($0.labels, $0.times) }) { $1 }.filter { !$0.value.isEmpty }
    }

    @Test func `A deletion in a block holds after a kill, though the checkpoint is older and the series are forgotten`()
        throws
    {
        let files = FaultyFileSystem()
        var store = try Self.open(files)
        try Self.commit(store, 0..<5)
        let end = try #require(store.head.windows().first)
        try store.maintenanceLock.withLock {
            try store.cutWindows([end])
            _ = store.head.sweep(olderThan: .max)
        }
        try store.deleteSeries([Matcher(name: "s", equals: "1")], minTime: .min, maxTime: .max)
        store.abandon()
        store = try Self.open(files.afterPowerCut(.kept))
        #expect(try Self.visible(store) == 0)
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
