import Encoding
import Glibc
import Model
import Platform
import TestSupport
import Testing

@testable import Storage

/// A series as a test knows it.
struct PlainSeries {
    var labels: Labels
    var samples: [(time: Int64, value: Double)]
}

extension TemporaryFolder {
    var files: RealFileSystem { RealFileSystem() }
}

enum BlockMaking {
    /// Series like a few targets give them, ordered by labels.
    static func series(seed: UInt64, metrics: Int = 12, targets: Int = 7, samples: Int = 300, start: Int64 = 0)
        -> [PlainSeries]
    {
        var random = SeededRandom(seed: seed)
        var result: [PlainSeries] = []
        for metric in 0..<metrics {
            for target in 0..<targets {
                var pairs = [
                    ("__name__", "metric_\(metric)"), ("instance", "host-\(target):9100"),
                    ("job", target % 2 == 0 ? "even" : "odd"),
                ]
                if metric % 3 == 0 { pairs.append(("mode", ["user", "system", "idle"][target % 3])) }
                var value = Double(random.next() % 100_000)
                var times: [(Int64, Double)] = []
                for i in 0..<samples {
                    if target == 3, i % 17 == 5 { continue }
                    let time = start + Int64(i) * 15_000 + Int64(target * 100)
                    switch metric % 4 {
                    case 0: value += Double(random.next() % 50)
                    case 1: break
                    case 2: value = Double(random.next() % 10_000) / 100
                    default: value = Double(random.next() >> 11) / 3e15
                    }
                    times.append((time, i % 97 == 96 ? Staleness.marker : value))
                }
                result.append(PlainSeries(labels: Labels(pairs), samples: times))
            }
        }
        return result.sorted { $0.labels < $1.labels }
    }

    static func write(
        _ series: [PlainSeries], to directory: TemporaryFolder, id: String = BlockMeta.makeID(now: 1)
    ) throws -> BlockMeta? {
        let writer = try BlockWriter(directory.files, parent: directory.path, id: id, options: .init())
        var columns = SampleColumns()
        for one in series {
            columns.removeAll()
            for sample in one.samples { columns.append(sample.time, sample.value) }
            try writer.add(one.labels, columns)
        }
        return try writer.finish()
    }
}

@Suite struct BlockTests {
    static func read(_ set: some SeriesSet) throws -> [PlainSeries] {
        var result: [PlainSeries] = []
        var columns = SampleColumns()
        for i in 0..<set.count {
            try set.read(i, into: &columns)
            result.append(
                PlainSeries(
                    labels: set.labels(i),
                    samples: (0..<columns.count).map { (columns.timestamps[$0], columns.values[$0]) }))
        }
        return result
    }

    static func expectEqual(_ a: [PlainSeries], _ b: [PlainSeries]) {
        #expect(a.map(\.labels) == b.map(\.labels))
        for (x, y) in zip(a, b) {
            #expect(x.samples.map(\.time) == y.samples.map(\.time))
            #expect(x.samples.map(\.value.bitPattern) == y.samples.map(\.value.bitPattern))
        }
    }

    static func within(_ series: [PlainSeries], _ low: Int64, _ high: Int64) -> [PlainSeries] {
        series.map { one in
            PlainSeries(labels: one.labels, samples: one.samples.filter { $0.time >= low && $0.time <= high })
        }
    }

    @Test func `gives back every series and sample`() throws {
        let directory = try TemporaryFolder()
        let series = BlockMaking.series(seed: 1, samples: 1500)
        let meta = try #require(try BlockMaking.write(series, to: directory))
        let block = try BlockReader(directory.files, directory: "\(directory.path)/\(meta.id)", cache: FrameCache())
        #expect(block.meta == meta)
        #expect(meta.seriesCount == series.count)
        #expect(meta.sampleCount == series.reduce(0) { $0 + $1.samples.count })
        let all = try block.select(SelectRequest(matchers: [], minTime: .min, maxTime: .max))
        Self.expectEqual(try Self.read(all), series)
        try block.verify()
        for (low, high) in [(Int64(100_000), Int64(3_000_000)), (14_400_000, 14_400_000), (15_000, 22_000_000)] {
            let some = try block.select(SelectRequest(matchers: [], minTime: low, maxTime: high))
            let found = try Self.read(some).filter { !$0.samples.isEmpty }
            Self.expectEqual(found, Self.within(series, low, high).filter { !$0.samples.isEmpty })
        }
    }

    @Test func `matchers choose as they do on the labels themselves`() throws {
        let directory = try TemporaryFolder()
        let series = BlockMaking.series(seed: 2, metrics: 40, targets: 20, samples: 3)
        let meta = try #require(try BlockMaking.write(series, to: directory))
        let block = try BlockReader(directory.files, directory: "\(directory.path)/\(meta.id)", cache: FrameCache())
        let sets: [[Matcher]] = [
            [Matcher(name: "__name__", equals: "metric_7")],
            [Matcher(name: "__name__", equals: "metric_7"), try Matcher("job", .notEqual, "odd")],
            [try Matcher("mode", .equal, "")],
            [try Matcher("mode", .notEqual, "")],
            [try Matcher("mode", .regex, "user|idle"), try Matcher("instance", .notRegex, "host-1.*")],
            [try Matcher("__name__", .regex, "metric_1.?"), try Matcher("nothing", .regex, ".*")],
            [Matcher(name: "nothing", equals: "x")],
            [Matcher(name: "job", equals: "other")],
            [try Matcher("nothing", .notEqual, "x"), Matcher(name: "job", equals: "even")],
        ]
        for matchers in sets {
            let found = try block.select(SelectRequest(matchers: matchers, minTime: .min, maxTime: .max))
            let expected = series.filter { one in matchers.allSatisfy { $0.matches(one.labels) } }
            Self.expectEqual(try Self.read(found), expected)
            let names = Set(expected.flatMap { $0.labels.pairs.map(\.name) })
            #expect(try Set(block.labelNames(matchers)) == names)
            let jobs = Set(expected.compactMap { $0.labels["job"] })
            #expect(try block.labelValues("job", matchers) == jobs.sorted())
        }
        #expect(try block.labelValues("mode", []) == ["idle", "system", "user"])
        let limited = try block.select(SelectRequest(matchers: [], minTime: .min, maxTime: .max, limit: 5))
        #expect(limited.count == 5)
    }

    @Test func `series of one target have the same key of times`() throws {
        let directory = try TemporaryFolder()
        let series = BlockMaking.series(seed: 3)
        let meta = try #require(try BlockMaking.write(series, to: directory))
        let block = try BlockReader(directory.files, directory: "\(directory.path)/\(meta.id)", cache: FrameCache())
        let set = try block.select(SelectRequest(matchers: [], minTime: 60_000, maxTime: 900_000))
        var columns = SampleColumns()
        var times: [UInt64: [Int64]] = [:]
        for i in 0..<set.count {
            try set.read(i, into: &columns)
            let mine = (0..<columns.count).map { columns.timestamps[$0] }
            #expect(columns.timestampKey != 0)
            #expect(times[columns.timestampKey, default: mine] == mine)
            times[columns.timestampKey] = mine
        }
        #expect(times.count == 7)
    }

    @Test func `histograms and floats of one series come back`() throws {
        let directory = try TemporaryFolder()
        var columns = SampleColumns()
        var expected: [Int: FloatHistogram] = [:]
        for i in 0..<400 {
            if i % 50 > 40 {
                columns.append(Int64(i) * 60_000, Double(i))
            } else {
                var histogram = FloatHistogram(
                    resetHint: i % 50 == 0 ? .reset : .unknown, schema: 3, zeroThreshold: 1e-128,
                    zeroCount: Double(i), count: Double(i * 7), sum: Double(i) * 0.123,
                    positiveSpans: [.init(offset: -2, length: 3), .init(offset: 4, length: 1)],
                    positiveBuckets: [Double(i), Double(2 * i), 3.5, Double(i * i)])
                if i > 200 { histogram.negativeSpans = [.init(offset: 0, length: 1)] }
                if i > 200 { histogram.negativeBuckets = [.infinity] }
                expected[i] = histogram
                columns.append(Int64(i) * 60_000, histogram)
            }
        }
        let writer = try BlockWriter(
            directory.files, parent: directory.path, id: BlockMeta.makeID(now: 1), options: .init())
        try writer.add(Labels([("__name__", "h")]), columns)
        let meta = try #require(try writer.finish())
        let block = try BlockReader(directory.files, directory: "\(directory.path)/\(meta.id)", cache: FrameCache())
        var back = SampleColumns()
        let set = try block.select(SelectRequest(matchers: [], minTime: 60_000 * 10, maxTime: 60_000 * 390))
        try set.read(0, into: &back)
        #expect(back.count == 381)
        #expect(back.histograms.count == expected.keys.filter { $0 >= 10 && $0 <= 390 }.count)
        for (index, histogram) in back.histograms {
            let original = try #require(expected[index + 10])
            #expect(histogram.positiveBuckets == original.positiveBuckets)
            #expect(histogram.negativeBuckets == original.negativeBuckets)
            #expect(histogram.positiveSpans == original.positiveSpans)
            #expect(histogram.sum.bitPattern == original.sum.bitPattern)
            #expect(histogram.resetHint == original.resetHint)
            #expect(back.timestamps[index] == Int64(index + 10) * 60_000)
        }
    }

    @Test func `deleted samples are gone, also after opening again`() throws {
        let directory = try TemporaryFolder()
        let series = BlockMaking.series(seed: 4)
        let meta = try #require(try BlockMaking.write(series, to: directory))
        let path = "\(directory.path)/\(meta.id)"
        let block = try BlockReader(directory.files, directory: path, cache: FrameCache())
        let before = try block.select(SelectRequest(matchers: [], minTime: .min, maxTime: .max))
        let matchers = [Matcher(name: "job", equals: "odd")]
        try block.delete(matchers, minTime: 300_000, maxTime: 900_000)
        let expected = series.map { one in
            guard matchers[0].matches(one.labels) else { return one }
            return PlainSeries(
                labels: one.labels, samples: one.samples.filter { $0.time < 300_000 || $0.time > 900_000 })
        }
        for reader in [block, try BlockReader(directory.files, directory: path, cache: FrameCache())] {
            let all = try reader.select(SelectRequest(matchers: [], minTime: .min, maxTime: .max))
            Self.expectEqual(try Self.read(all), expected)
        }
        Self.expectEqual(try Self.read(before), series)
    }

    @Test func `wrong order is refused and an empty block is none`() throws {
        let directory = try TemporaryFolder()
        #expect(try BlockMaking.write([], to: directory) == nil)
        let series = BlockMaking.series(seed: 5, metrics: 2, targets: 2, samples: 3)
        #expect(throws: BlockError.self) { try BlockMaking.write(series.reversed(), to: directory) }
        #expect(try directory.files.list(directory.path) == [])
    }
}

@Suite struct BlockMetadataTests {
    static let seconds = MetricMetadata(type: .histogram, help: "How long it took.", unit: "seconds")

    static func write(
        _ directory: TemporaryFolder, _ name: String, at time: Int64, _ metadata: [ExactText: MetricMetadata]
    ) throws -> BlockReader {
        let id = BlockMeta.makeID(now: time)
        let writer = try BlockWriter(directory.files, parent: directory.path, id: id, options: .init())
        writer.metadata = metadata
        var columns = SampleColumns()
        columns.append(time, 1)
        try writer.add(Labels([("__name__", name)]), columns)
        _ = try writer.finish()
        return try BlockReader(directory.files, directory: directory.path + "/" + id, cache: FrameCache())
    }

    @Test func `a block keeps what is known of its metrics, and nothing of others`() throws {
        let directory = try TemporaryFolder()
        let known: [ExactText: MetricMetadata] = ["wait_seconds": Self.seconds, "other": .init(type: .gauge)]
        let block = try Self.write(directory, "wait_seconds_bucket", at: 1, known)
        #expect(try block.metadata() == ["wait_seconds": Self.seconds])
        #expect(try Self.write(directory, "third", at: 1, known).metadata() == [:])
    }

    @Test func `a merge keeps the newest`() throws {
        let directory = try TemporaryFolder()
        let older = MetricMetadata(type: .counter, help: "old")
        let blocks = [
            try Self.write(directory, "a", at: 2000, ["a": Self.seconds]),
            try Self.write(directory, "a", at: 1000, ["a": older]),
            try Self.write(directory, "b", at: 1000, ["b": older]),
        ]
        let id = BlockMeta.makeID(now: 3000)
        _ = try BlockMerger.merge(directory.files, blocks, to: directory.path + "/" + id)
        let merged = try BlockReader(directory.files, directory: directory.path + "/" + id, cache: FrameCache())
        #expect(try merged.metadata() == ["a": Self.seconds, "b": older])
    }
}
