import Model
import Platform
import TestSupport
import Testing

@testable import Storage

/// What is left of series that are gone.
@Suite struct ChurnTests {
    @Test func `Series that were silent for long are forgotten, and the memory of their states is given back`() throws {
        let directory = StoreDirectory()
        let start: Int64 = 1_700_000_400_000
        let options = StoreOptions(
            directory: directory.path, retentionTime: 0, blockDuration: 600_000, runsInBackground: false)
        var store = try TimeSeriesStore.open(options: options, clock: ManualClock(now: start))
        func commit(_ refs: [SeriesRef], _ step: Int, _ group: SeriesGroup) throws -> CommitOutcome {
            var batch = SampleBatch(timestamp: start + Int64(step) * 60_000)
            for ref in refs { batch.append(ref, Double(step)) }
            return try store.commit(batch, in: group, durability: .written)
        }
        func resolve(_ name: String, _ count: Int, _ group: SeriesGroup) throws -> [SeriesRef] {
            try (0..<count).map {
                try store.resolve(TimeSeriesStoreTests.labels(["__name__": name, "s": "\($0)"]), in: group)
            }
        }
        let (left, right) = (store.openGroup("left"), store.openGroup("right"))
        // The one that lives lies in the midst of those that go.
        var gone = try resolve("gone", 300, left)
        let lives = try resolve("lives", 10, right)
        gone += try resolve("gone too", 300, left)
        for step in 0..<3 {
            #expect(try commit(gone, step, left).appended == 600)
            #expect(try commit(lives, step, right).appended == 10)
        }
        for step in 3..<120 {
            #expect(try commit(lives, step, right).appended == 10)
            store.runMaintenance()
        }
        #expect(store.head.liveSeries == 10)
        // What was given back reads as zero, what shares a page with the living does not.
        let times = (0..<610).map { store.head.states[$0].lastTime }
        let (given, kept) = (times.count { $0 == 0 }, times.count { $0 == .min })
        #expect(given >= 384 && kept > 0 && given + kept == 600)
        let late = try commit(gone, 121, left)
        #expect(late.appended == 0 && late.rejected.count == 600)
        // They come back under new numbers.
        let anew = try resolve("gone", 300, left)
        #expect(Set(anew.map(\.raw)).isDisjoint(with: gone.map(\.raw)))
        #expect(try commit(anew, 122, left).appended == 300)
        for life in 0..<2 {
            let set = try store.select(SelectRequest(matchers: [], minTime: .min, maxTime: .max))
            #expect(set.count == 610)
            var columns = SampleColumns()
            for i in 0..<set.count {
                try set.read(i, into: &columns)
                let name = set.labels(i)["__name__"]
                #expect(columns.count == (name == "lives" ? 120 : name == "gone" ? 4 : 3), "life \(life)")
            }
            if life == 0 { store.abandon() }
            if life == 0 { store = try TimeSeriesStore.open(options: options, clock: ManualClock(now: start)) }
        }
        store.abandon()
    }

    @Test func `The table of series does not grow with those that are gone`() throws {
        let index = try LabelIndex()
        var records: [UInt32] = []
        for id in 0..<20_000 {
            let labels = TimeSeriesStoreTests.labels(["__name__": "m", "s": "\(id % 500)", "t": "\(id / 500)"])
            let hash = labels.stableHash
            let record = try labels.bytes.withUnsafeBufferPointer {
                try index.insert(UInt32(id), $0, hash: hash)
            }
            records.append(record)
            if id >= 100 { index.remove(UInt32(id - 100), record: records[id - 100]) }
            for known in [id, id - 99, id - 100] where known >= 0 {
                let labels = index.labels(record: records[known])
                let found = labels.bytes.withUnsafeBufferPointer {
                    index.find($0, hash: labels.stableHash) { records[Int($0)] }
                }
                #expect(found == (known > id - 100 ? UInt32(known) : nil))
            }
        }
        #expect(index.seriesSlots == 1024)
    }
}
