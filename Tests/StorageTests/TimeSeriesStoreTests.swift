import Model
import Platform
import TestSupport
import Testing

@testable import Storage

@Suite struct TimeSeriesStoreTests {
    static func open(_ directory: String, window: Int64 = 0) throws -> TimeSeriesStore {
        try TimeSeriesStore.open(
            options: StoreOptions(
                directory: directory, blockDuration: 600_000, outOfOrderWindow: window, walSegmentSize: 4096,
                runsInBackground: false))
    }

    static func labels(_ pairs: KeyValuePairs<String, String>) -> Labels {
        var builder = LabelsBuilder()
        for (name, value) in pairs { builder.set(name, value) }
        return builder.labels()
    }

    @Test func `A committed batch is found by its labels, with its values`() throws {
        let directory = try TemporaryFolder()
        let store = try Self.open(directory.path)
        let group = store.openGroup("job a")
        var batch = SampleBatch(timestamp: 1000)
        let up = Self.labels(["__name__": "up", "job": "a"])
        batch.append(try store.resolve(up, in: group), 1, mantissa: 1, scale: 0)
        let outcome = try store.commit(batch, in: group, durability: .synced)
        #expect(outcome.appended == 1)
        let set = try store.select(
            SelectRequest(matchers: [Matcher(name: "__name__", equals: "up")], minTime: 0, maxTime: 2000))
        #expect(set.count == 1)
        var columns = SampleColumns()
        try set.read(0, into: &columns)
        #expect(set.labels(0) == up)
        #expect(columns.count == 1 && columns.timestamps[0] == 1000 && columns.values[0] == 1)
        try store.close()
    }

    @Test func `Label names and values that are asked for again know what came meanwhile`() throws {
        let directory = try TemporaryFolder()
        let store = try Self.open(directory.path)
        let group = store.openGroup("g")
        let all = SelectRequest(matchers: [], minTime: 0, maxTime: 10_000_000, labelsOnly: true)
        func add(_ name: String, _ label: String, _ time: Int64) throws {
            var batch = SampleBatch(timestamp: time)
            batch.append(try store.resolve(Self.labels(["__name__": name, label: "v"]), in: group), 1)
            #expect(try store.commit(batch, in: group, durability: .written).appended == 1)
        }
        try add("a", "x", 1000)
        for _ in 0..<2 {
            #expect(try store.labelValues("__name__", all) == ["a"])
            #expect(try store.labelNames(all) == ["__name__", "x"])
        }
        try add("b", "y", 2000)
        #expect(try store.labelValues("__name__", all) == ["a", "b"])
        #expect(try store.labelNames(all) == ["__name__", "x", "y"])
        // The first window becomes a block, and its series leave the head.
        for time in stride(from: Int64(600_000), to: 4_000_000, by: 60_000) { try add("c", "z", time) }
        store.runMaintenance()
        #expect(try store.labelValues("__name__", all) == ["a", "b", "c"])
        #expect(try store.labelValues("y", all) == ["v"])
        try store.close()
    }

    @Test func `Metadata comes back from blocks without log and checkpoint, and goes with the last block`() throws {
        let directory = try TemporaryFolder()
        let known = MetricMetadata(type: .counter, help: "Jobs done.", unit: "jobs")
        let store = try Self.open(directory.path)
        let group = store.openGroup("g")
        store.setMetadata([("done", known), ("never_seen", known)], in: group)
        var batch = SampleBatch(timestamp: 1000)
        batch.append(try store.resolve(Self.labels(["__name__": "done_total"]), in: group), 1)
        _ = try store.commit(batch, in: group, durability: .synced)
        _ = try store.snapshot()
        #expect(store.metadata(metric: "never_seen") == ["never_seen": known])
        try store.close()
        let files = RealFileSystem()
        try files.removeAll(directory.path + "/wal")
        try files.remove(directory.path + "/checkpoint")
        let again = try Self.open(directory.path)
        #expect(again.metadata() == ["done": known])
        #expect(again.metadata(metric: "done") == ["done": known])
        #expect(again.metadata(metric: "other") == [:])
        _ = try again.deleteSeries([Matcher(name: "__name__", equals: "done_total")], minTime: 0, maxTime: 5000)
        // Its samples are hidden, its block is still there.
        #expect(again.metadata() == ["done": known])
        try again.cleanTombstones()
        #expect(again.blocks.isEmpty)
        #expect(again.metadata() == [:])
        try again.close()
    }

    @Test func `Samples that are not the newest are refused with Prometheus's reasons`() throws {
        let directory = try TemporaryFolder()
        let store = try Self.open(directory.path)
        let group = store.openGroup("g")
        let ref = try store.resolve(Self.labels(["__name__": "m"]), in: group)
        func commit(_ time: Int64, _ value: Double) throws -> SampleRejection? {
            var batch = SampleBatch(timestamp: time)
            batch.append(ref, value)
            return try store.commit(batch, in: group, durability: .written).rejected.first?.reason
        }
        #expect(try commit(1_000_000, 1) == nil)
        #expect(try commit(1_000_000, 1) == nil)
        #expect(try commit(1_000_000, 2) == .duplicate)
        #expect(try commit(999_000, 2) == .outOfOrder)
        #expect(try commit(1000, 2) == .outOfBounds)
        var batch = SampleBatch(timestamp: 2_000_000)
        batch.append(SeriesRef(raw: 77), 1)
        let outcome = try store.commit(batch, in: group, durability: .written)
        #expect(outcome.rejected.first?.reason == .unknownSeries)
        #expect(Set(store.rejectedCounts.map(\.reason)) == [.duplicate, .outOfBounds, .outOfOrder])
        #expect(store.rejectedCounts.allSatisfy { $0.job == "g" && $0.count == 1 })
        #expect(store.lastRejected.map(\.time) == [1000, 999_000, 1_000_000])
        #expect(store.lastRejected.allSatisfy { $0.value == 2 && $0.newestValue == 1 && $0.newestTime == 1_000_000 })
        var early = SampleBatch(timestamp: 0)
        early.append(try store.resolve(Labels([("__name__", "new")]), in: group), 3)
        #expect(try store.commit(early, in: group, durability: .written).rejected.first?.reason == .outOfBounds)
        #expect(store.lastRejected.first?.value == 3)
        #expect(store.lastRejected.first.map { $0.newestTime == nil && $0.newestValue == nil } == true)
        try store.close()
    }

    @Test func `Optional samples that are not the newest are left out without a word`() throws {
        let directory = try TemporaryFolder()
        let store = try TimeSeriesStore.open(options: StoreOptions(directory: directory.path, runsInBackground: false))
        let group = store.openGroup("g")
        let refs = try ["a", "b"].map { try store.resolve(Self.labels(["__name__": $0]), in: group) }
        func commit(_ zero: Int64, _ time: Int64) throws -> CommitOutcome {
            var batch = SampleBatch()
            for ref in refs {
                batch.optional.append(batch.count)
                batch.append(ref, 0, at: zero)
                batch.append(ref, 5, at: time)
            }
            return try store.commit(batch, in: group, durability: .written)
        }
        let written = store.log.writtenBytes
        let first = try commit(1_700_000_000_000, 1_700_000_010_000)
        #expect(first.appended == 4 && first.rejected.isEmpty)
        let second = try commit(1_700_000_005_000, 1_700_000_020_000)
        #expect(second.appended == 2 && second.rejected.isEmpty)
        // Those that are left out do not make a record of their own of each series.
        #expect(store.log.writtenBytes - written < 200)
        let third = try commit(1_700_000_020_000, 1_700_000_020_000)
        #expect(third.appended == 2 && third.rejected.isEmpty)
        let set = try store.select(SelectRequest(matchers: [], minTime: .min, maxTime: .max))
        var columns = SampleColumns()
        try set.read(0, into: &columns)
        #expect((0..<columns.count).map { columns.values[$0] } == [0, 5, 5])
    }

    @Test(arguments: 0..<24)
    func `Random lives with restarts equal a dictionary`(seed: Int) throws {
        var random = SeededRandom(seed: UInt64(seed))
        let directory = try TemporaryFolder()
        var model = StoreModel()
        var now: Int64 = 1_700_000_000_000
        for life in 0..<4 {
            let store = try Self.open(directory.path)
            #expect(try model.difference(store) == nil, "seed \(seed), life \(life), after the start")
            var groups: [(SeriesGroup, [(Labels, SeriesRef)])] = []
            for g in 0..<3 {
                let group = store.openGroup("group \(g)")
                let count = Int.random(in: 1...12, using: &random)
                groups.append(
                    (
                        group,
                        try (0..<count).map { s in
                            let labels = Self.labels(["__name__": "m\(s % 5)", "s": "\(s)", "g": "\(g)"])
                            return (labels, try store.resolve(labels, in: group))
                        }
                    ))
            }
            for _ in 0..<Int.random(in: 1...400, using: &random) {
                now += Int64.random(in: 1...15_000, using: &random)
                let (group, all) = groups[Int.random(in: 0..<groups.count, using: &random)]
                var batch = SampleBatch(timestamp: now)
                let isMixed = Int.random(in: 0..<10, using: &random) == 0
                var wanted: [(Labels, Int64, UInt64)] = []
                for (s, (labels, ref)) in all.enumerated() where Int.random(in: 0..<20, using: &random) > 0 {
                    for k in 0..<(isMixed ? 3 : 1) {
                        let time = isMixed ? now + Int64(k) * 10 : now
                        let value = Self.value(s, &random, model.series[labels])
                        if isMixed { batch.append(ref, value, at: time) } else { batch.append(ref, value) }
                        wanted.append((labels, time, value.bitPattern))
                    }
                }
                if isMixed { now += 30 }
                if Int.random(in: 0..<100, using: &random) == 0 { store.runMaintenance() }
                let outcome = try store.commit(batch, in: group, durability: .written)
                #expect(outcome.rejected.isEmpty)
                for (labels, time, bits) in wanted { model.series[labels, default: [:]][time] = bits }
            }
            let difference = try model.difference(store)
            #expect(difference == nil, "seed \(seed), life \(life)")
            let from = now - Int64.random(in: 0...2_000_000, using: &random)
            let part = try model.difference(
                store, from: from, to: from + Int64.random(in: 0...900_000, using: &random))
            #expect(part == nil, "seed \(seed), life \(life), a part")
            switch Int.random(in: 0..<4, using: &random) {
            case 0: store.runMaintenance()
            case 1: _ = try store.snapshot()
            default: break
            }
            #expect(try model.difference(store) == nil, "seed \(seed), life \(life), after upkeep")
            if Bool.random(using: &random) { try store.close() } else { store.abandon() }
            if difference != nil { return }
        }
    }

    /// Values of every form a chunk knows.
    static func value(_ series: Int, _ random: inout SeededRandom, _ known: [Int64: UInt64]?) -> Double {
        if Int.random(in: 0..<40, using: &random) == 0 { return Staleness.marker }
        switch series % 6 {
        case 0: return 7
        case 1: return Double(known?.count ?? 0) * 3
        case 2: return Double(Int.random(in: -5000...5000, using: &random)) / 100
        case 3: return Double(bitPattern: random.next())
        case 4: return Double.random(in: 0...1, using: &random)
        default:
            let choices = [0, -0.0, 1, 1e300, .infinity, .nan, 123_456_789, 0.1, 2_251_799_813_685_249]
            return choices[Int.random(in: 0..<choices.count, using: &random)]
        }
    }
}
