import Model
import Platform
import TestSupport
import Testing

@testable import Storage

/// Several values of one time: the value that was stored last is answered, whether blocks were merged or not.
@Suite struct OverlapTests {
    private static let now: Int64 = 1_700_000_400_000

    private static func open(
        _ files: FaultyFileSystem, _ clock: ManualClock = ManualClock(now: now)
    ) throws -> TimeSeriesStore {
        try TimeSeriesStore.open(
            options: StoreOptions(
                directory: "data", retentionTime: 0, outOfOrderWindow: 1_000_000_000, runsInBackground: false),
            fileSystem: files, clock: clock)
    }

    private static func stored(_ store: TimeSeriesStore) throws -> [Int64: Double] {
        let set = try store.select(
            SelectRequest(matchers: [Matcher(name: "__name__", equals: "m")], minTime: .min, maxTime: .max))
        var columns = SampleColumns()
        var result: [Int64: Double] = [:]
        for i in 0..<set.count {
            try set.read(i, into: &columns)
            for at in 0..<columns.count { result[columns.timestamps[at]] = columns.values[at] }
        }
        return result
    }

    @Test func `the value that was stored last is answered`() throws {
        var random = SeededRandom(seed: SeededRandom.runSeed)
        for _ in 0..<30 {
            let (files, clock) = (FaultyFileSystem(), ManualClock(now: Self.now))
            let store = try Self.open(files, clock)
            var model: [Int64: Double] = [:]
            var newest = Self.now - 50_000_000
            for step in 0..<40 {
                let group = store.openGroup("g")
                let ref = try store.resolve(TimeSeriesStoreTests.labels(["__name__": "m"]), in: group)
                var batch = SampleBatch()
                newest += Int64.random(in: 1...2_000_000, using: &random)
                let first = newest - Int64.random(in: 0...9_000_000, using: &random)
                let again = model.keys.sorted().filter { $0 >= first }.prefix(Int.random(in: 0...5, using: &random))
                let times = Set(again + [newest, first]).sorted()
                for time in times { batch.append(ref, Double(step), at: time) }
                let outcome = try store.commit(batch, in: group, durability: .written)
                let refused = Set(outcome.rejected.map(\.index))
                for (index, time) in times.enumerated() where !refused.contains(index) { model[time] = Double(step) }
                #expect(try Self.stored(store) == model, "step \(step), before a block was made")
                clock.advance(to: clock.now() + 1)
                // A value of the head is not replaced, but one of a block is.
                try store.upkeep.withLock {
                    for end in store.head.windows() { try store.cutWithinSize([end]) }
                }
                if Int.random(in: 0...9, using: &random) == 0 { store.runMaintenance() }
                #expect(try Self.stored(store) == model, "step \(step)")
            }
        }
    }

    @Test func `exemplars that were accepted survive a kill`() throws {
        let files = FaultyFileSystem()
        let store = try Self.open(files)
        for step in 0..<10 {
            let group = store.openGroup("g")
            var batch = SampleBatch()
            let ref = try store.resolve(TimeSeriesStoreTests.labels(["__name__": "m"]), in: group)
            batch.append(ref, 1, at: Self.now + Int64(step))
            batch.exemplars.append(
                (
                    ref,
                    Exemplar(
                        labels: TimeSeriesStoreTests.labels(["trace": "\(step)"]), value: 1,
                        timestamp: Self.now + Int64(step))
                ))
            _ = try store.commit(batch, in: group, durability: .written)
            let again = try Self.open(files.afterPowerCut(.kept))
            let found = try again.exemplars(
                SelectRequest(matchers: [Matcher(name: "__name__", equals: "m")], minTime: .min, maxTime: .max))
            #expect(found.first?.exemplars.count == step + 1)
            again.abandon()
        }
    }
}
