import Model
import Platform
import TestSupport
import Testing

@testable import Storage

@Suite struct CompactionTests {
    @Test func `merging blocks gives the union, the later block winning`() throws {
        for seed in UInt64(0)..<12 {
            let directory = try TemporaryFolder()
            var random = SeededRandom(seed: seed)
            var model: [Labels: [Int64: Double]] = [:]
            var readers: [BlockReader] = []
            let cache = FrameCache()
            for number in 0..<3 {
                let start = Int64(random.next() % 3) * 1_000_000 + (seed % 2 == 0 ? Int64(number) * 7_200_000 : 0)
                let series = BlockMaking.series(
                    seed: random.next(), metrics: 5 + number, targets: 4, samples: 100, start: start)
                for one in series {
                    for sample in one.samples { model[one.labels, default: [:]][sample.time] = sample.value }
                }
                let meta = try #require(try BlockMaking.write(series, to: directory))
                readers.append(
                    try BlockReader(directory.files, directory: "\(directory.path)/\(meta.id)", cache: cache))
            }
            let id = BlockMeta.makeID(now: 5)
            let meta = try #require(
                try BlockMerger.merge(directory.files, readers, to: directory.path + "/" + id))
            #expect(meta.level == 2)
            #expect(meta.sources.count == 3)
            let merged = try BlockReader(directory.files, directory: "\(directory.path)/\(id)", cache: cache)
            let expected = model.map { labels, samples in
                PlainSeries(labels: labels, samples: samples.sorted { $0.key < $1.key }.map { ($0.key, $0.value) })
            }.sorted { $0.labels < $1.labels }
            let all = try merged.select(SelectRequest(matchers: [], minTime: .min, maxTime: .max))
            BlockTests.expectEqual(try BlockTests.read(all), expected)
        }
    }

    @Test func `merging leaves deleted samples out`() throws {
        let directory = try TemporaryFolder()
        let series = BlockMaking.series(seed: 9)
        let meta = try #require(try BlockMaking.write(series, to: directory))
        let block = try BlockReader(directory.files, directory: "\(directory.path)/\(meta.id)", cache: FrameCache())
        try block.delete([Matcher(name: "__name__", equals: "metric_3")], minTime: .min, maxTime: .max)
        let id = BlockMeta.makeID(now: 5)
        _ = try BlockMerger.merge(directory.files, [block], to: directory.path + "/" + id)
        let merged = try BlockReader(directory.files, directory: "\(directory.path)/\(id)", cache: FrameCache())
        let all = try merged.select(SelectRequest(matchers: [], minTime: .min, maxTime: .max))
        BlockTests.expectEqual(try BlockTests.read(all), series.filter { $0.labels.metricName != "metric_3" })
        #expect(!merged.hasDeletions)
    }

    private static let hour: Int64 = 3_600_000

    private static func blocks(_ hours: [(Int, Int)]) -> [BlockMeta] {
        hours.enumerated().map { number, span in
            BlockMeta(
                id: "B\(number)", minTime: Int64(span.0) * hour, maxTime: Int64(span.1) * hour - 1, seriesCount: 1)
        }
    }

    @Test func `windows are merged when they are over`() {
        let planner = CompactionPlanner()
        func names(_ hours: [(Int, Int)], _ deletions: Set<String> = []) -> [String] {
            planner.plan(Self.blocks(hours), deletions: deletions).map(\.id)
        }
        #expect(names([(0, 2), (2, 4), (4, 6)]) == [])
        #expect(names([(0, 2), (2, 4), (4, 6), (6, 8)]) == [])
        #expect(names([(0, 2), (2, 4), (4, 6), (6, 8), (8, 10)]) == ["B0", "B1", "B2", "B3"])
        #expect(names([(0, 8), (8, 16), (16, 24), (24, 26)]) == ["B0", "B1", "B2"])
        #expect(names([(0, 24), (24, 26)]) == [])
        #expect(names([(0, 4), (2, 6), (6, 8)]) == ["B0", "B1"])
        #expect(names([(0, 24), (24, 26)], ["B1"]) == ["B1"])
        #expect(CompactionPlanner(retention: 24 * Self.hour).ranges == [2 * Self.hour])
        #expect(CompactionPlanner(retention: 100 * Self.hour).ranges == [2 * Self.hour, 8 * Self.hour])
    }

    @Test func `blocks with few samples become longer than a day`() {
        func names(_ days: [Int], samples: Int, retention: Int64 = 0) -> [String] {
            var blocks = Self.blocks(days.map { ($0 * 24, $0 * 24 + 2) })
            for i in blocks.indices { blocks[i].sampleCount = samples }
            return CompactionPlanner(retention: retention).plan(blocks).map(\.id)
        }
        let few = CompactionPlanner.mostOfLongBlock / 5
        #expect(names([0, 1, 2, 3, 4, 5], samples: few) == ["B0", "B1", "B2", "B3", "B4"])
        #expect(names([0, 1, 2, 3, 4, 5], samples: few + 1) == [])
        #expect(names([0, 1, 2, 3, 4, 5], samples: .max) == [])
        #expect(names([0, 1, 2, 3, 4, 5], samples: few, retention: 49 * 24 * Self.hour) == [])
        // 30 days, of which each 5 are one block.
        #expect(names([0, 5, 29, 31], samples: 1) == ["B0", "B1", "B2"])
        #expect(names([0, 5, 29, 31], samples: 1, retention: 299 * 24 * Self.hour) == [])
    }

    @Test func `a merge has a limited number of sources`() {
        let planner = CompactionPlanner()
        let overlapping = planner.plan(Self.blocks((0..<200).map { ($0, $0 + 2) }))
        #expect(Set(overlapping.map(\.id)) == Set((0..<200).map { "B\($0)" }.sorted().prefix(64)))
        let present = planner.plan(
            (0..<16).map { BlockMeta(id: "B\($0)", minTime: $0 * 1000, maxTime: $0 * 1000, seriesCount: 1) })
        #expect(present.count == 16)
        let apart = planner.plan(Self.blocks((0..<80).map { ($0 * 9, $0 * 9 + 1) }))
        #expect(apart.count > 1 && apart.count <= 64)
    }

    @Test func `the description of a block has a limited size, however many blocks were merged to it`() throws {
        let directory = try TemporaryFolder()
        func series(_ seed: UInt64) -> [PlainSeries] { BlockMaking.series(seed: seed, metrics: 1, targets: 1) }
        var last = try #require(try BlockMaking.write(series(1), to: directory))
        let first = last.id
        for round in 0..<3 {
            let added = try #require(try BlockMaking.write(series(2), to: directory))
            last.sources += (0..<3000).map { BlockMeta.makeID(now: Int64(round * 3000 + $0)) }
            try directory.files.replace("\(directory.path)/\(last.id)/meta.json", with: last.json())
            let readers = try [last, added].map {
                try BlockReader(directory.files, directory: "\(directory.path)/\($0.id)", cache: FrameCache())
            }
            let id = BlockMeta.makeID(now: 1 << 41 + Int64(round))
            let merged = try #require(try BlockMerger.merge(directory.files, readers, to: directory.path + "/" + id))
            #expect(merged.sources.count <= BlockMeta.mostSources && merged.parents == [last.id, added.id])
            #expect(try BlockMeta.read(directory.files, directory.path + "/" + id) == merged)
            #expect(merged.replaces(added) && merged.replaces(last) && !last.replaces(merged))
            if round == 0 { #expect(merged.parents.contains(first)) }
            last = merged
        }
        #expect(last.sources.count == BlockMeta.mostSources)
    }

    @Test func `retention drops whole blocks, oldest first`() {
        let blocks = Self.blocks([(0, 2), (2, 4), (4, 6)])
        let expired = CompactionPlanner.expired(blocks, now: 9 * Self.hour, retention: 6 * Self.hour)
        #expect(expired.map(\.id) == ["B0"])
        #expect(CompactionPlanner.expired(blocks, now: 9 * Self.hour, retention: 0).isEmpty)
    }
}

@Suite struct ManifestTests {
    @Test func `keeps edits over restarts and cuts a torn end`() throws {
        let directory = try TemporaryFolder()
        let ids = (0..<4).map { BlockMeta.makeID(now: Int64($0)) }
        let manifest = try Manifest(directory.files, directory: directory.path)
        try manifest.commit(.init(added: [ids[0], ids[1]], mark: 10))
        try manifest.commit(.init(added: [ids[2]], removed: [ids[0], ids[1]], mark: 20))
        let path = directory.path + "/manifest.log"
        let content = try directory.files.read(path)
        let first = 16 + 8 + Int(content[16])
        for size in 0...content.count {
            try directory.files.replace(path, with: Array(content[..<size]))
            // The first record comes with the file.
            guard size >= first else {
                #expect(throws: BlockError.self) { try Manifest(directory.files, directory: directory.path) }
                continue
            }
            let opened = try Manifest(directory.files, directory: directory.path)
            let possible: [[String]] = [[], [ids[0], ids[1]], [ids[2]]]
            #expect(possible.contains(opened.blocks))
            if size == content.count { #expect(opened.blocks == [ids[2]] && opened.mark == 20) }
        }
        let opened = try Manifest(directory.files, directory: directory.path)
        try opened.commit(.init(added: [ids[3]], mark: 30))
        #expect(try Manifest(directory.files, directory: directory.path).blocks == [ids[2], ids[3]])
    }

    @Test func `a flipped byte is an error or costs the last record only`() throws {
        let directory = try TemporaryFolder()
        let ids = (0..<3).map { BlockMeta.makeID(now: Int64($0)) }
        let manifest = try Manifest(directory.files, directory: directory.path)
        for id in ids { try manifest.commit(.init(added: [id])) }
        let path = directory.path + "/manifest.log"
        let content = try directory.files.read(path)
        for i in content.indices {
            var damaged = content
            damaged[i] ^= 0x20
            try directory.files.replace(path, with: damaged)
            do {
                let opened = try Manifest(directory.files, directory: directory.path)
                #expect(opened.blocks == Array(ids.dropLast()), "byte \(i)")
            } catch let error as BlockError { #expect(error.file == path) }
        }
    }

    @Test func `what the manifest does not name is removed, unless it holds files of others`() throws {
        let directory = try TemporaryFolder()
        let ids = (0..<4).map { BlockMeta.makeID(now: Int64($0)) }
        let manifest = try Manifest(directory.files, directory: directory.path)
        try manifest.commit(.init(added: [ids[0]]))
        for name in [ids[0], ids[1], ids[2] + ".tmp", ids[3], "wal"] {
            try directory.files.createDirectory("\(directory.path)/\(name)")
            for file in BlockFiles.names + ["deleted.tmp"] {
                try directory.files.open("\(directory.path)/\(name)/\(file)", .create).close()
            }
        }
        try directory.files.createDirectory("\(directory.path)/\(ids[3])/chunks")
        try manifest.removeGarbage(in: directory.path)
        #expect(try Set(directory.files.list(directory.path)) == [ids[0], ids[3], "wal", "manifest.log"])
        #expect(try directory.files.list("\(directory.path)/\(ids[3])").count == 6)
    }
}
