import Model
import Platform
import TestSupport
import Testing

@testable import Storage

/// When windows become blocks.
@Suite struct StoreCutTests {
    @Test func `Windows of pushed history wait for each other and become one block`() throws {
        let directory = StoreDirectory()
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
        let set = try store.select(SelectRequest(matchers: [], minTime: .min, maxTime: .max))
        var columns = SampleColumns()
        try set.read(0, into: &columns)
        #expect(columns.count == 1200)
        #expect((0..<columns.count).allSatisfy { columns.values[$0] == Double($0) })
        try store.close()
    }

    @Test func `Long native histograms are sealed by their bytes, and share what is written of their times`() throws {
        let directory = StoreDirectory()
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
}
