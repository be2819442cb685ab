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
        try .open(files, clock) { $0.outOfOrderWindow = 1_000_000_000 }
    }

    /// Stores a value at each time, and notes in `model` those that were not refused.
    private static func push(
        _ times: [Int64], _ step: Int, isHistogram: Bool, _ store: TimeSeriesStore, _ model: inout [Int64: String]
    ) throws {
        let group = store.openGroup("g")
        let ref = try store.resolve(TimeSeriesStoreTests.labels(["__name__": "m"]), in: group)
        var batch = SampleBatch()
        for (index, time) in times.enumerated() {
            if isHistogram {
                let count = Double(step)
                batch.append(
                    ref, FloatHistogram(zeroCount: count, count: count, sum: Double(index), hasFloatCounts: false),
                    at: time)
            } else {
                batch.append(ref, Double(step) + Double(index) / 100, at: time)
            }
        }
        let refused = Set(try store.commit(batch, in: group, durability: .written).rejected.map(\.index))
        for (index, time) in times.enumerated() where !refused.contains(index) {
            model[time] = isHistogram ? "h\(step).\(index)" : "\(Double(step) + Double(index) / 100)"
        }
    }

    private static func stored(_ store: TimeSeriesStore) throws -> [Int64: String] {
        let set = try store.select(
            SelectRequest(matchers: [Matcher(name: "__name__", equals: "m")], minTime: .min, maxTime: .max))
        var columns = SampleColumns()
        var result: [Int64: String] = [:]
        for i in 0..<set.count {
            try set.read(i, into: &columns)
            for at in 0..<columns.count { result[columns.timestamps[at]] = "\(columns.values[at])" }
            for (index, histogram) in columns.histograms {
                result[columns.timestamps[index]] = "h\(Int(histogram.count)).\(Int(histogram.sum))"
            }
        }
        return result
    }

    /// Pushes that repeat times of the head and of blocks, with cuts, merges, checkpoints, kills and ends.
    @Test(arguments: 0..<40) func `the value that was stored last is answered`(life: Int) throws {
        let seed = SeededRandom.runSeed &+ UInt64(life)
        var random = SeededRandom(seed: seed)
        let (files, clock) = (FaultyFileSystem(), ManualClock(now: Self.now))
        var store = try Self.open(files, clock)
        var model: [Int64: String] = [:]
        var newest = Self.now - 50_000_000
        for step in 0..<50 {
            if Int.random(in: 0...9, using: &random) == 0 {
                // A newest sample in the future lets its series continue at an earlier time.
                clock.set(by: Int64.random(in: -20_000_000...20_000_000, using: &random))
                newest = min(newest, clock.now())
            }
            newest += Int64.random(in: 1...2_000_000, using: &random)
            let first = newest - Int64.random(in: 0...9_000_000, using: &random)
            let again = model.keys.sorted().filter { $0 >= first }.prefix(Int.random(in: 0...5, using: &random))
            var times = Set(again + [newest, first]).sorted()
            if Bool.random(using: &random) { times.shuffle(using: &random) }
            try Self.push(times, step, isHistogram: Int.random(in: 0...4, using: &random) == 0, store, &model)
            #expect(try Self.stored(store) == model, "seed \(seed), step \(step), before a block was made")
            clock.advance(to: clock.now() + 1)
            if Bool.random(using: &random) {
                try store.maintenanceLock.withLock {
                    for end in store.head.windows() where Int.random(in: 0...3, using: &random) > 0 {
                        try store.cutWithinSize([end])
                    }
                }
            }
            switch Int.random(in: 0...11, using: &random) {
            case 0: store.runMaintenance()
            case 1: try store.checkpoint()
            case 2:
                store.abandon()
                store = try Self.open(files, clock)
            case 3:
                let disk = files.afterPowerCut(.kept)
                store.abandon()
                store = try Self.open(disk, clock)
                store.abandon()
                store = try Self.open(files, clock)
            case 4:
                try store.close()
                store = try Self.open(files, clock)
            default: break
            }
            #expect(try Self.stored(store) == model, "seed \(seed), step \(step)")
        }
        store.abandon()
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
