import Model
import Platform
import TestSupport
import Testing

@testable import Storage

/// When windows become blocks.
@Suite struct StoreCutTests {
    @Test func `Windows of pushed history wait for each other and become one block`() throws {
        let directory = StoreDirectory()
        let clock = ManualClock(now: 1_700_000_000_000)
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
}
