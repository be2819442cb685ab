import Dispatch
import Model
import Platform
import Synchronization
import TestSupport
import Testing

@testable import Storage

/// When windows become blocks.
@Suite struct StoreCutTests {
    @Test func `Windows of pushed history wait for each other and become one block`() throws {
        let directory = try TemporaryFolder()
        let clock = ManualClock(now: 1_800_000_000_000)
        let hour: Int64 = 3_600_000
        let start: Int64 = 1_700_006_400_000
        let store = try TimeSeriesStore.open(
            options: StoreOptions(directory: directory.path, cutDelay: 30_000, runsInBackground: false), clock: clock)
        let group = store.openGroup("g")
        let ref = try store.resolve(TimeSeriesStoreTests.labels(["__name__": "m"]), in: group)
        for minute in 0..<Int64(20 * 60) {
            var batch = SampleBatch(timestamp: start + minute * 60_000)
            batch.append(ref, Double(minute))
            _ = try store.commit(batch, in: group, durability: .written)
            if minute % 100 == 0 { store.runMaintenance() }
        }
        #expect(store.blocks.isEmpty)
        clock.advance(to: clock.now() + 30_001)
        store.runMaintenance()
        #expect(store.blocks.map(\.minTime) == [start])
        #expect(store.blocks.map(\.maxTime) == [start + 18 * hour - 60_000])
        #expect(try store.stored().map(\.values) == [(0..<1200).map { Double($0) }])
        try store.close()
    }

    @Test func `Long native histograms are sealed by their bytes, and share what is written of their times`() throws {
        let directory = try TemporaryFolder()
        var store = try TimeSeriesStoreTests.open(directory.path)
        let start: Int64 = 1_700_000_400_000
        func histogram(_ s: Int, _ step: Int) -> FloatHistogram {
            let buckets = (0..<60).map { Double(($0 + 1) * (step + s)) }
            return FloatHistogram(
                schema: 3, count: buckets.reduce(0, +), sum: Double(step),
                positiveSpans: [.init(offset: 0, length: 60)], positiveBuckets: buckets)
        }
        for step in 0..<200 {
            let group = store.openGroup("g")
            var batch = SampleBatch(timestamp: start + Int64(step) * 1000)
            for s in 0..<20 {
                let labels = TimeSeriesStoreTests.labels(["__name__": "h", "s": "\(s)"])
                batch.append(try store.resolve(labels, in: group), histogram(s, step), at: batch.timestamp)
            }
            batch.append(try store.resolve(TimeSeriesStoreTests.labels(["__name__": "f"]), in: group), Double(step))
            #expect(try store.commit(batch, in: group, durability: .written).rejected.isEmpty)
            let open = store.head.groups.flatMap(\.histograms.values).reduce(0) { $0 + $1.bytes.count }
            #expect(open < 20 * 2400)
            if step == 90 { try store.checkpoint() }
            if step == 130 {
                store.abandon()
                store = try TimeSeriesStoreTests.open(directory.path)
            }
        }
        // Each chunk has its share of bytes, and much less than a record of 200 times of its own.
        let sealed = store.head.sealed.inUse
        #expect(sealed > 20 * 8)
        let bytes = store.head.spill.files.reduce(0) { $0 + $1.size }
        #expect(bytes < sealed * 2400)
        for _ in 0..<2 {
            let set = try store.select(SelectRequest(matchers: [], minTime: .min, maxTime: .max))
            var columns = SampleColumns()
            for i in 0..<set.count {
                try set.read(i, into: &columns)
                #expect(columns.count == 200)
                #expect((0..<columns.count).allSatisfy { columns.timestamps[$0] == start + Int64($0) * 1000 })
                guard let s = set.labels(i)["s"].flatMap({ Int($0) }) else { continue }
                #expect(columns.histograms.count == 200)
                for (step, entry) in columns.histograms.enumerated() {
                    #expect(entry.histogram.positiveBuckets == histogram(s, step).positiveBuckets)
                }
            }
            // From a block, too.
            _ = try store.snapshot()
        }
        store.abandon()
    }

    @Test func `out-of-order samples that come while their window becomes a block stay in the head`() throws {
        let files = FaultyFileSystem()
        let start: Int64 = 1_700_000_400_000
        func open() throws -> TimeSeriesStore {
            try .open(files, now: start + 7_200_000) {
                ($0.blockDuration, $0.outOfOrderWindow) = (600_000, 7_200_000)
            }
        }
        var store = try open()
        let group = store.openGroup("g")
        let refs = try (0..<2).map {
            try store.resolve(TimeSeriesStoreTests.labels(["__name__": "m", "s": "\($0)"]), in: group)
        }
        func push(_ times: [Int64], _ series: Int) throws {
            var batch = SampleBatch()
            for time in times { batch.append(refs[series], 1, at: time) }
            #expect(try store.commit(batch, in: group, durability: .synced).appended == times.count)
        }
        var wanted: [Set<Int64>] = [[], []]
        for s in 0..<2 {
            wanted[s] = [start, start + 500_000, start + 5_000_000]
            try push(wanted[s].sorted(), s)
        }
        // One of the series has such samples before, the other has none.
        try push([start + 100], 0)
        wanted[0].insert(start + 100)
        try store.maintenanceLock.withLock {
            let head = store.head
            let window = (head.windowEnd(start) - 600_000)..<head.windowEnd(start)
            let spilled = head.close(windowEnd: window.upperBound)
            let writer = try store.blockSet.writer(now: start, baseTime: window.lowerBound)
            let written = try head.write(window, spilled, to: writer)
            try push([start + 50, start + 150], 0)
            try push([start + 60], 1)
            try store.blockSet.replace([], with: try writer.finish())
            head.forget(spilled, outOfOrder: written.outOfOrder)
            try store.writeCheckpoint()
        }
        wanted[0].formUnion([start + 50, start + 150])
        wanted[1].insert(start + 60)
        for life in 0..<3 {
            #expect(try store.stored().map { Set($0.times) } == wanted, "life \(life)")
            if life == 1 { _ = try store.snapshot() }
            store.abandon()
            store = try open()
        }
        store.abandon()
    }

    @Test func `no out-of-order sample is lost while snapshots are taken all the time`() throws {
        let directory = try TemporaryFolder()
        let start: Int64 = 1_700_000_400_000
        let options = StoreOptions(
            directory: directory.path, retentionTime: 0, blockDuration: 600_000, outOfOrderWindow: 7_200_000,
            runsInBackground: false)
        var store = try TimeSeriesStore.open(options: options, clock: ManualClock(now: start + 7_200_000))
        let group = store.openGroup("g")
        let refs = try (0..<20).map {
            try store.resolve(TimeSeriesStoreTests.labels(["__name__": "m", "s": "\($0)"]), in: group)
        }
        var first = SampleBatch()
        for ref in refs { first.append(ref, 0, at: start + 7_000_000) }
        #expect(try store.commit(first, in: group, durability: .written).appended == 20)
        let isDone = Atomic(false)
        let rounds = 400
        let pushed = store
        DispatchQueue.concurrentPerform(iterations: 2) { part in
            guard part == 1 else {
                while !isDone.load(ordering: .acquiring) { _ = try? pushed.snapshot() }
                return
            }
            for round in 0..<rounds {
                var batch = SampleBatch()
                for ref in refs { batch.append(ref, 1, at: start + Int64(round * 7919 % 6_000_000)) }
                #expect((try? pushed.commit(batch, in: group, durability: .written).appended) == 20)
            }
            isDone.store(true, ordering: .releasing)
        }
        for life in 0..<2 {
            #expect(try store.stored().map(\.times.count) == [Int](repeating: rounds + 1, count: 20), "life \(life)")
            store.abandon()
            if life == 0 { store = try TimeSeriesStore.open(options: options, clock: ManualClock(now: start)) }
        }
    }

    @Test(arguments: ["imported", "forgotten"])
    func `the newest sample is found wherever it is`(_ way: String) throws {
        let files = FaultyFileSystem()
        let start: Int64 = 1_700_000_400_000
        let store = try TimeSeriesStore.open(files, now: start + 7_200_000) {
            ($0.blockDuration, $0.outOfOrderWindow) = (600_000, 7_200_000)
        }
        let group = store.openGroup("g")
        func push(_ time: Int64, _ value: Double) throws {
            var batch = SampleBatch()
            batch.append(
                try store.resolve(TimeSeriesStoreTests.labels(["__name__": "m", "s": "1"]), in: group), value, at: time)
            #expect(try store.commit(batch, in: group, durability: .written).appended == 1)
        }
        let time = start + 100_000
        try push(time, 2)
        if way == "forgotten" {
            try push(time + 1000, Staleness.marker)
            _ = try store.snapshot()
            #expect(store.head.maintenanceLock.withLock { store.head.sweep(olderThan: .max) } == 1)
            // The series is a new one for the head.
            try push(time - 30_500, 99)
        } else {
            _ = try store.snapshot()
            try store.maintenanceLock.withLock {
                let writer = try store.blockSet.writer(now: start, baseTime: start)
                var columns = SampleColumns()
                columns.append(time + 15_000, 3)
                try writer.add(TimeSeriesStoreTests.labels(["__name__": "m", "s": "1"]), columns)
                try store.blockSet.replace([], with: try writer.finish())
            }
            try push(time + 1, 1)
        }
        let newest = SelectRequest(matchers: [], minTime: start - 100_000, maxTime: .max, newestOnly: true)
        let set = try store.select(newest)
        var columns = SampleColumns()
        try set.read(0, into: &columns)
        let last = columns.count - 1
        #expect(set.count == 1 && last >= 0)
        #expect(columns.timestamps[last] == (way == "forgotten" ? time + 1000 : time + 15_000))
        #expect(way == "forgotten" ? Staleness.isMarker(columns.values[last]) : columns.values[last] == 3)
        store.abandon()
    }
}
