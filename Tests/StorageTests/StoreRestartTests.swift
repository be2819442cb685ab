import Model
import Platform
import Synchronization
import TestSupport
import Testing

@testable import Storage

/// What a start makes of the checkpoint and the log.
@Suite struct StoreRestartTests {
    private static func open(_ directory: String) throws -> TimeSeriesStore {
        try TimeSeriesStore.open(options: StoreOptions(directory: directory, runsInBackground: false))
    }

    private static func commit(_ store: TimeSeriesStore, groups: Int, series: Int, steps: Range<Int>) throws {
        for g in 0..<groups {
            let group = store.openGroup("group \(g)")
            let refs = try (0..<series).map {
                try store.resolve(
                    TimeSeriesStoreTests.labels(["__name__": "m\($0 % 7)", "s": "\($0)", "g": "\(g)"]), in: group)
            }
            for step in steps {
                var batch = SampleBatch(timestamp: 1_700_000_000_000 + Int64(step) * 15_000)
                for (s, ref) in refs.enumerated() { batch.append(ref, value(g, s, step)) }
                _ = try store.commit(batch, in: group, durability: .written)
            }
        }
    }

    /// Values that take several bytes each in the log, other ones in each group.
    private static func value(_ g: Int, _ s: Int, _ step: Int) -> Double {
        if s % 5 == 0 { return 1 }
        let mixed: Int = g * 31 + s * 17 + step * step * 7919
        return Double(mixed % 1_000_003) / 8
    }

    /// The first difference between the store and what was committed, or nil.
    private static func difference(_ store: TimeSeriesStore, groups: Int, series: Int, steps: Int) throws -> String? {
        let set = try store.select(SelectRequest(matchers: [], minTime: .min, maxTime: .max))
        if set.count != groups * series { return "\(set.count) series" }
        var columns = SampleColumns()
        for i in 0..<set.count {
            let labels = set.labels(i)
            guard let g = labels["g"].flatMap({ Int($0) }), let s = labels["s"].flatMap({ Int($0) }),
                labels["__name__"] == "m\(s % 7)"
            else { return "\(labels)" }
            try set.read(i, into: &columns)
            if columns.count != steps { return "\(labels): \(columns.count) samples" }
            for step in 0..<steps where columns.values[step] != value(g, s, step) {
                return "\(labels): \(columns.values[step]) at step \(step)"
            }
        }
        return nil
    }

    @Test func `A long log and a long checkpoint, read by several threads, give back what was committed`() throws {
        let directory = try TemporaryFolder()
        let (groups, series) = (40, 100)
        var store = try Self.open(directory.path)
        try Self.commit(store, groups: groups, series: series, steps: 0..<60)
        #expect(store.log.writtenBytes > 4 << 16, "too short for several threads")
        store.abandon()
        store = try Self.open(directory.path)
        #expect(try Self.difference(store, groups: groups, series: series, steps: 60) == nil, "from the log")
        try store.checkpoint()
        #expect(store.checkpointSize.load(ordering: .relaxed) > Head.worthThread, "too short for several threads")
        try Self.commit(store, groups: groups, series: series, steps: 60..<90)
        store.abandon()
        store = try Self.open(directory.path)
        #expect(try Self.difference(store, groups: groups, series: series, steps: 90) == nil, "from both")
        try store.close()
    }

    @Test func `Groups keep their names, so that a target finds its series after any number of restarts`() throws {
        let directory = try TemporaryFolder()
        for life in 0..<4 {
            let store = try Self.open(directory.path)
            try Self.commit(store, groups: 2, series: 3, steps: life..<(life + 1))
            #expect(store.head.groups.map(\.name) == ["group 0", "group 1"])
            if life % 2 == 0 { try store.close() } else { store.abandon() }
        }
    }

    @Test func `A sender of very many series gets groups of a bounded size, and finds them after a restart`() throws {
        let directory = try TemporaryFolder()
        let series = HeadGroup.maxSeries + 100
        for life in 0..<2 {
            let store = try Self.open(directory.path)
            try Self.commit(store, groups: 1, series: series, steps: life..<(life + 1))
            #expect(store.head.groups.map { $0.extents.reduce(0) { $0 + $1.count } } == [HeadGroup.maxSeries, 100])
            #expect(try Self.difference(store, groups: 1, series: series, steps: life + 1) == nil)
            if life == 0 { try store.close() } else { store.abandon() }
        }
    }
}
