import Model
import Platform
import TestSupport
import Testing

@testable import Storage

/// A scripted life on a file system that fails; after each crash the store holds what it acknowledged.
@Suite struct StoreCrashTests {
    /// What the store acknowledged, and what it may have done although it threw.
    private struct Promise {
        var model = StoreModel()
        /// A batch that is there as a whole, or not at all.
        var maybe: [(Labels, Int64, UInt64)] = []
        /// Samples of this series and times may be there or not.
        var doubtful: (labels: Labels, times: ClosedRange<Int64>)?
        /// Samples before it may be gone.
        var floor = Int64.min
    }

    static let retention: Int64 = 1_800_000

    static func open(_ files: FaultyFileSystem) throws -> TimeSeriesStore {
        try .open(files, now: 1_800_000_000_000) {
            ($0.retentionTime, $0.retentionWait) = (retention, 0)
            ($0.blockDuration, $0.walSegmentSize, $0.shortestPackedFrame) = (600_000, 2048, 0)
        }
    }

    /// Appends, seals, cuts, merges, deletes, retains, snapshots and checkpoints.
    private static func live(_ store: TimeSeriesStore, from round: Int, _ promise: inout Promise) throws {
        var random = SeededRandom(seed: UInt64(round))
        let group = store.openGroup("g")
        let all = try (0..<4).map { s -> (Labels, SeriesRef) in
            let labels = TimeSeriesStoreTests.labels(["__name__": "m", "s": "\(s)"])
            return (labels, try store.resolve(labels, in: group))
        }
        for step in 0..<40 {
            let now = 1_700_000_100_000 + Int64(round * 40 + step) * 50_000
            var batch = SampleBatch(timestamp: now)
            var wanted: [(Labels, Int64, UInt64)] = []
            for (s, (labels, ref)) in all.enumerated() {
                let value = TimeSeriesStoreTests.value(s + 1, &random, nil)
                batch.append(ref, value)
                wanted.append((labels, now, value.bitPattern))
            }
            promise.maybe = wanted
            promise.floor = now - retention
            _ = try store.commit(batch, in: group, durability: .synced)
            for (labels, time, bits) in wanted { promise.model.series[labels, default: [:]][time] = bits }
            promise.maybe = []
            if step % 13 == 12 { store.runMaintenance() }
            if step == 22 || step == 35 {
                let times = (now - 800_000)...(now - 100_000)
                let labels = all[step % 4].0
                promise.doubtful = (labels, times)
                _ = try store.deleteSeries(
                    [Matcher(name: "s", equals: "\(step % 4)")], minTime: times.lowerBound, maxTime: times.upperBound)
                promise.model.series[labels] = promise.model.series[labels]?.filter { !times.contains($0.key) }
                promise.doubtful = nil
            }
            if step == 30 { _ = try? store.snapshot() }
        }
    }

    /// Compares, allowing for what is in doubt to be there or not.
    private func difference(_ store: TimeSeriesStore, _ promise: Promise) throws -> String? {
        func compare(_ model: StoreModel) throws -> String? {
            try model.difference(store, from: promise.floor) { labels, time in
                promise.doubtful.map { $0.labels == labels && $0.times.contains(time) } ?? false
            }
        }
        guard let without = try compare(promise.model) else { return nil }
        guard !promise.maybe.isEmpty else { return without }
        var with = promise.model
        for (labels, time, bits) in promise.maybe { with.series[labels, default: [:]][time] = bits }
        return try compare(with) == nil ? nil : without
    }

    @Test(arguments: FaultyFileSystem.Aftermath.allCases, 0..<4)
    func `A process killed at any operation loses nothing that was acknowledged`(
        _ aftermath: FaultyFileSystem.Aftermath, _ part: Int
    ) throws {
        let whole = FaultyFileSystem()
        var promise = Promise()
        let store = try Self.open(whole)
        try Self.live(store, from: 0, &promise)
        try store.close()
        let count = whole.operations.count
        #expect(count > 300)
        for at in stride(from: 1 + part, through: count, by: 4) {
            let files = FaultyFileSystem()
            var promise = Promise()
            files.inject(.stop, at: at)
            // Syncs may fail before, which a store that goes on must not forget.
            if at / 4 % 2 == 0 { files.failSyncs(oneIn: 60, seed: UInt64(at)) }
            do {
                let store = try Self.open(files)
                try Self.live(store, from: 0, &promise)
                try store.close()
            } catch {}
            let after = files.afterPowerCut(aftermath)
            let reopened = try Self.open(after)
            let operation = at <= files.operations.count ? "\(files.operations[at - 1])" : ""
            #expect(try difference(reopened, promise) == nil, "killed at \(at) \(operation), \(aftermath)")
            #expect(reopened.brokenInvariant == nil, "killed at \(at) \(operation), \(aftermath)")
            // It goes on, and the next life is whole too; to look at each of them would double the time.
            guard at % 5 == 0 else { continue }
            try Self.settle(reopened, &promise)
            try Self.live(reopened, from: 1, &promise)
            try reopened.close()
            let last = try Self.open(after)
            #expect(try difference(last, promise) == nil, "the life after \(at) \(operation), \(aftermath)")
            #expect(last.brokenInvariant == nil, "the life after \(at) \(operation), \(aftermath)")
        }
    }

    /// Takes what the store holds as the truth; it was compared before.
    private static func settle(_ store: TimeSeriesStore, _ promise: inout Promise) throws {
        promise.maybe = []
        promise.doubtful = nil
        promise.model.series = [:]
        for series in try store.stored() where !series.times.isEmpty {
            let bits = series.values.map(\.bitPattern)
            promise.model.series[series.labels] = Dictionary(zip(series.times, bits)) { $1 }
        }
    }

    @Test func `A full disk refuses samples with a reason, keeps the others, and recovers by itself`() throws {
        let files = FaultyFileSystem()
        var promise = Promise()
        let store = try Self.open(files)
        let group = store.openGroup("g")
        let labels = TimeSeriesStoreTests.labels(["__name__": "m"])
        let ref = try store.resolve(labels, in: group)
        func commit(_ time: Int64) throws {
            var batch = SampleBatch(timestamp: time)
            batch.append(ref, Double(time) / 7)
            _ = try store.commit(batch, in: group, durability: .written)
            promise.model.series[labels, default: [:]][time] = (Double(time) / 7).bitPattern
        }
        for i in 0..<50 { try commit(Int64(i) * 1000) }
        files.setCapacity(0)
        #expect(throws: StoreBusy.self) { try commit(60_000) }
        #expect(!store.isHealthy)
        #expect(try promise.model.difference(store) == nil)
        files.setCapacity(1 << 30)
        try commit(61_000)
        #expect(store.isHealthy)
        #expect(store.brokenInvariant == nil)
        #expect(try promise.model.difference(store) == nil)
        store.abandon()
        #expect(try promise.model.difference(try Self.open(files)) == nil)
    }
}
