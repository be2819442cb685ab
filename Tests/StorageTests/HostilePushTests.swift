import Encoding
import Model
import Platform
import TestSupport
import Testing

@testable import Storage

/// Series and native histograms that a sender may push although nobody should: wide, long, broken, and marked stale.
@Suite struct HostilePushTests {
    private static let start: Int64 = 1_700_000_400_000

    private static func open(_ files: FaultyFileSystem) throws -> TimeSeriesStore {
        try .open(files, now: start + 3_600_000) { $0.blockDuration = 600_000 }
    }

    // MARK: Labels

    /// `String(repeating:count:)` appends one character after the other: seconds for tens of millions.
    private static func text(_ length: Int) -> String {
        String(decoding: [UInt8](repeating: UInt8(ascii: "v"), count: length), as: UTF8.self)
    }

    @Test func `Series with very many or very long labels live beside others, in log, checkpoint and block`() throws {
        let files = FaultyFileSystem()
        var store = try Self.open(files)
        let group = store.openGroup("g")
        var all = [254, 255, 256, 300, 5000].map { count in
            Labels([("__name__", "wide")] + (1..<count).map { ("l\($0)", "\(count)") })
        }
        for length in [0xFF_FFFF, 20_000_000] {
            all.append(Labels([("__name__", "wide"), ("long", Self.text(length)), ("z", "1")]))
        }
        all.append(Labels([("__name__", "wide"), ("plain", "1")]))
        func check(_ stage: String) throws {
            let set = try store.select(
                SelectRequest(matchers: [Matcher(name: "__name__", equals: "wide")], minTime: .min, maxTime: .max))
            #expect(Set((0..<set.count).map { set.labels($0) }) == Set(all), "\(stage)")
            let narrow = try store.select(
                SelectRequest(matchers: [Matcher(name: "l299", equals: "300")], minTime: .min, maxTime: .max))
            #expect(narrow.count == 1, "\(stage)")
        }
        let refs = try all.map { try store.resolve($0, in: group) }
        for step in 0..<90 {
            var batch = SampleBatch(timestamp: Self.start + Int64(step) * 15_000)
            for ref in refs { batch.append(ref, Double(step)) }
            #expect(try store.commit(batch, in: group, durability: .written).rejected.isEmpty)
        }
        try check("head")
        store.abandon()
        store = try Self.open(files)
        try check("log")
        store.runMaintenance()
        #expect(!store.blocks.isEmpty)
        try check("block")
        try store.close()
        store = try Self.open(files)
        try check("checkpoint")
        store.abandon()
    }

    @Test func `Labels that fit into no block are refused as unusable, and counted`() throws {
        let store = try Self.open(FaultyFileSystem())
        let group = store.openGroup("g")
        let long = Labels([("__name__", "a"), ("b", Self.text(48 << 20))])
        #expect(throws: UnusableLabels.self) { try store.resolve(long, in: group) }
        #expect(throws: UnusableLabels.self) { try store.resolve(.empty, in: group) }
        #expect(store.seriesRefused == 1)
        store.abandon()
    }

    // MARK: Native histograms

    private static let good = FloatHistogram(
        count: 3, sum: 1, positiveSpans: [.init(offset: 0, length: 2)], positiveBuckets: [1, 2], hasFloatCounts: false)

    private static let poisons: [FloatHistogram] = {
        var list: [FloatHistogram] = []
        for schema: Int32 in [.min, -54, -5, 60, .max] {
            var one = good
            one.schema = schema
            list.append(one)
        }
        for span in [
            FloatHistogram.Span(offset: 0, length: .max), .init(offset: 0, length: 5), .init(offset: 0, length: 0),
        ] {
            var one = good
            one.positiveSpans = [span]
            list.append(one)
        }
        var back = good
        back.positiveSpans = [.init(offset: 5, length: 1), .init(offset: -3, length: 1)]
        var unsorted = good
        (unsorted.schema, unsorted.customBounds) = (-53, [2, 1])
        return list + [back, unsorted]
    }()

    @Test func `A commit refuses a broken histogram and keeps what stands beside it`() throws {
        let store = try Self.open(FaultyFileSystem())
        let group = store.openGroup("g")
        var batch = SampleBatch()
        let ref = try store.resolve(Labels([("__name__", "h")]), in: group)
        for (i, poison) in Self.poisons.enumerated() {
            batch.append(ref, poison, at: Self.start + Int64(i) * 2000)
            batch.append(ref, Self.good, at: Self.start + Int64(i) * 2000 + 1000)
        }
        let outcome = try store.commit(batch, in: group, durability: .written)
        #expect(outcome.appended == Self.poisons.count)
        #expect(outcome.rejected.count == Self.poisons.count)
        #expect(outcome.rejected.allSatisfy { $0.reason == .invalidHistogram })
        store.abandon()
    }

    @Test func `Broken histograms in log, chunks and blocks of before are left out, and the store opens`() throws {
        let files = FaultyFileSystem()
        var store = try Self.open(files)
        let group = store.openGroup("g")
        let ref = try store.resolve(Labels([("__name__", "h")]), in: group)
        // As a store without the check took them: the log has them, and the open chunk.
        let head = try #require(store.head.group(group.raw))
        for step in 0..<20 {
            let time = Self.start + Int64(step) * 15_000
            var batch = SampleBatch()
            batch.append(ref, Self.good, at: time)
            #expect(try store.commit(batch, in: group, durability: .written).appended == 1)
            let poison = Self.poisons[step % Self.poisons.count]
            head.lock.withLock {
                _ = store.head.append(UInt32(ref.raw - 1), time + 1000, poison, head)
            }
        }
        let wanted = (0..<20).map { Self.start + Int64($0) * 15_000 }
        let before = TimeSeriesStore.histogramsLeftOut
        #expect(try store.stored(named: "h").times == wanted)
        #expect(TimeSeriesStore.histogramsLeftOut > before)
        try store.close()
        store = try Self.open(files)
        #expect(try store.stored(named: "h").times == wanted)
        // The cut writes a block without them, in bounded time and memory.
        for step in 0..<160 {
            var batch = SampleBatch(timestamp: Self.start + 600_000 + Int64(step) * 15_000)
            batch.append(try store.resolve(Labels([("__name__", "later")]), in: group), 1)
            _ = try store.commit(batch, in: group, durability: .written)
        }
        store.runMaintenance()
        #expect(!store.blocks.isEmpty)
        #expect(try store.stored(named: "h").times == wanted)
        store.abandon()
    }

    @Test func `Broken histograms in the log are left out when it is read`() throws {
        for poison in Self.poisons {
            var bytes = [ValueCode.histogram]
            HistogramBytes.append(poison, to: &bytes)
            try bytes.withUnsafeBytes { raw in
                var (reader, scale) = (ByteReader(raw), Int8(0))
                guard case .unsound = try ValueCode.read(&reader, after: 0, scale: &scale) else {
                    Issue.record("\(poison)")
                    return
                }
                #expect(reader.isAtEnd)
            }
        }
    }

    @Test func `A chunk is no longer than the buckets that there are, whatever the spans claim`() throws {
        for poison in Self.poisons {
            var bytes: [UInt8] = []
            HistogramChunk.write([poison, Self.good], to: &bytes)
            #expect(bytes.count < 200)
            try bytes.withUnsafeBytes { raw in
                var reader = ByteReader(raw)
                let read = try HistogramChunk.read(&reader, count: 2)
                #expect(read.count == 2)
            }
        }
    }

    // MARK: Times and markers

    @Test func `What follows another sample of its batch is told from what follows a stored one`() throws {
        let store = try Self.open(FaultyFileSystem())
        let group = store.openGroup("g")
        let (a, b) = (
            try store.resolve(Labels([("__name__", "a")]), in: group),
            try store.resolve(Labels([("__name__", "b")]), in: group)
        )
        var batch = SampleBatch()
        batch.append(a, 1, at: Self.start)
        #expect(try store.commit(batch, in: group, durability: .written).overtaken.isEmpty)
        batch = SampleBatch()
        // Stored: a at 0. 0, 1: after a stored sample. 3, 4, 6: after one of the batch, there or at another place.
        batch.append(a, 2, at: Self.start)
        batch.append(a, 2, at: Self.start - 1)
        batch.append(a, 3, at: Self.start + 2000)
        batch.append(a, 4, at: Self.start + 2000)
        batch.append(a, 4, at: Self.start + 1000)
        batch.append(b, 5, at: Self.start)
        batch.append(a, 6, at: Self.start + 2000)
        batch.append(a, 7, at: Self.start)
        let outcome = try store.commit(batch, in: group, durability: .written)
        #expect(outcome.rejected.map(\.index) == [0, 1, 3, 4, 6, 7])
        #expect(outcome.overtaken == [3, 4, 6])
        store.abandon()
    }

    @Test
    func `A marker in the form of a float ends a series of histograms, also in another batch and after a restart`()
        throws
    {
        let files = FaultyFileSystem()
        var store = try Self.open(files)
        let group = store.openGroup("g")
        var float = Self.good
        float.hasFloatCounts = true
        let custom = FloatHistogram(
            schema: -53, count: 1, positiveSpans: [.init(offset: 0, length: 1)], positiveBuckets: [1], customBounds: [1]
        )
        for histogram in [Self.good, float, custom] {
            let ref = try store.resolve(
                Labels([("__name__", "h\(histogram.schema)\(histogram.hasFloatCounts)")]), in: group)
            var batch = SampleBatch()
            batch.append(ref, histogram, at: Self.start)
            _ = try store.commit(batch, in: group, durability: .written)
            batch = SampleBatch()
            batch.append(ref, Staleness.marker, at: Self.start + 1000)
            #expect(try store.commit(batch, in: group, durability: .written).appended == 1)
        }
        for _ in 0..<2 {
            let set = try store.select(SelectRequest(matchers: [], minTime: .min, maxTime: .max))
            #expect(set.count == 3)
            var columns = SampleColumns()
            for i in 0..<set.count {
                try set.read(i, into: &columns)
                #expect(columns.count == 2 && columns.histograms.map(\.index) == [0])
                #expect(Staleness.isMarker(columns.values[1]))
            }
            store.abandon()
            store = try Self.open(files)
        }
        store.abandon()
    }

    @Test func `A float marker that is pushed before histograms of its own batch is out of order`() throws {
        for (flag, stored) in [(true, 3), (false, 4)] {
            let files = FaultyFileSystem()
            let store = try Self.open(files)
            let group = store.openGroup("g")
            let ref = try store.resolve(Labels([("__name__", "h")]), in: group)
            var batch = SampleBatch()
            batch.append(ref, Self.good, at: Self.start)
            _ = try store.commit(batch, in: group, durability: .written)
            batch = SampleBatch()
            batch.commitsFloatMarkersLast = flag
            batch.append(ref, Staleness.marker, at: Self.start + 1000)
            batch.append(ref, Self.good, at: Self.start + 2000)
            batch.append(ref, Staleness.marker, at: Self.start + 3000)
            let outcome = try store.commit(batch, in: group, durability: .written)
            #expect(outcome.rejected.isEmpty)
            #expect(try store.stored().map(\.times.count) == [stored])
            store.abandon()
        }
    }

    @Test func `What is said about metrics is bounded in number and size`() {
        var table = MetadataTable()
        for i in 0..<MetadataTable.maxMetrics + 5 { _ = table.set("m\(i)", MetricMetadata(type: .gauge)) }
        #expect(table.byName.count == MetadataTable.maxMetrics && table.refused == 5)
        let changes = [
            table.set("m1", MetricMetadata(type: .counter)), table.set("m1", MetricMetadata(type: .counter)),
            table.set("m2", MetricMetadata(help: String(repeating: "x", count: MetadataTable.maxBytes))),
        ]
        #expect(changes == [true, false, false])
        #expect(table.refused == 6)
    }
}
