import Encoding
import Glibc
import Model
import Platform
import TestSupport
import Testing

@testable import Storage

/// The head at each limit of its columns, one at a time: what does not fit is refused, and nothing else is touched.
@Suite struct HeadLimitTests {
    private static let start: Int64 = 1_700_000_400_000
    /// Fifty steps fill the window of a block, so that chunks are sealed.
    private static let interval: Int64 = 12_000

    /// A limited column.
    enum Part: String, CaseIterable, CustomTestStringConvertible {
        case series, pairs, texts, textBytes, recordBytes, postingBlocks, chunkBlocks, sealedChunks

        var testDescription: String { rawValue }

        /// A space in which only this column is small: about `size` series, or `size` blocks or chunks.
        func space(_ size: Int) -> HeadSpace {
            var space = HeadSpace(
                series: 1 << 16, pairs: 1 << 16, texts: 1 << 16, textBytes: 1 << 22, recordBytes: 1 << 22,
                postingBlocks: 1 << 16, chunkBlocks: 1 << 16, sealedChunks: 1 << 16)
            switch self {
            case .series: space.series = size
            case .pairs: space.pairs = size
            case .texts: space.texts = size
            case .textBytes: space.textBytes = size * 3
            case .recordBytes: space.recordBytes = size * 6
            case .postingBlocks: space.postingBlocks = size / 8
            case .chunkBlocks: space.chunkBlocks = size
            case .sealedChunks: space.sealedChunks = size / 5
            }
            return space
        }

        /// Whether the limit refuses series; the other limits concern samples.
        var refusesSeries: Bool { self != .chunkBlocks && self != .sealedChunks }
    }

    private static func open(_ files: FaultyFileSystem, _ space: HeadSpace) throws -> TimeSeriesStore {
        try .open(files, now: start + 10_000_000) { ($0.blockDuration, $0.space) = (600_000, space) }
    }

    private static func labels(_ i: Int) -> Labels {
        TimeSeriesStoreTests.labels(["__name__": "m\(i % 3)", "i": "\(i)", "odd": "\(i % 2)", "same\(i % 5)": "x"])
    }

    private static func value(_ i: Int, _ step: Int) -> Double { Double((i + 1) * (step * step + 1)) / 7 }

    /// Makes series until many were refused; returns the numbers of those that were made.
    private static func fill(_ store: TimeSeriesStore, _ numbers: Range<Int>) throws -> [Int: SeriesRef] {
        let groups = [store.openGroup("a"), store.openGroup("b")]
        var made: [Int: SeriesRef] = [:]
        var refused = 0
        for i in numbers where refused < 200 {
            do { made[i] = try store.resolve(labels(i), in: groups[i / 2 % 2]) } catch let error as StoreFull {
                #expect(error.description.hasPrefix("limit reached: "))
                refused += 1
                // A refused series leaves nothing: known series are found.
                guard let known = made.first else { continue }
                #expect(try store.resolve(labels(known.key), in: groups[0]) == known.value)
            }
        }
        return made
    }

    /// Appends samples of some steps; returns the number of commits that failed because there was no memory.
    private static func push(_ store: TimeSeriesStore, _ made: [Int: SeriesRef], _ steps: Range<Int>) throws -> Int {
        var failed = 0
        for step in steps {
            for half in 0..<2 {
                var batch = SampleBatch(timestamp: start + Int64(step) * interval)
                for (i, ref) in made.sorted(by: { $0.key < $1.key }) where i / 2 % 2 == half {
                    batch.append(ref, step % 20 == 19 ? Staleness.marker : value(i, step))
                }
                let group = store.openGroup(half == 0 ? "a" : "b")
                do { _ = try store.commit(batch, in: group, durability: .written) } catch is StoreBusy {
                    failed += 1
                }
            }
        }
        return failed
    }

    /// Checks that the store has correct samples of correct series; returns the numbers of the series and the number of
    /// samples.
    private static func check(_ store: TimeSeriesStore, _ about: String) throws -> (series: Set<Int>, samples: Int) {
        #expect(store.brokenInvariant == nil, "\(about)")
        let set = try store.select(
            SelectRequest(matchers: [try Matcher("i", .regex, ".+")], minTime: .min, maxTime: .max))
        var found: Set<Int> = []
        var samples = 0
        var columns = SampleColumns()
        for at in 0..<set.count {
            let labels = set.labels(at)
            let i = try #require(labels["i"].flatMap { Int($0) })
            #expect(labels == Self.labels(i) && found.insert(i).inserted, "\(about) \(labels)")
            columns.removeAll()
            try set.read(at, into: &columns)
            samples += columns.count
            for k in 0..<columns.count {
                let step = Int((columns.timestamps[k] - start) / interval)
                let isRight =
                    step % 20 == 19 ? Staleness.isMarker(columns.values[k]) : columns.values[k] == value(i, step)
                guard isRight else {
                    Issue.record("\(about): \(labels) has \(columns.values[k]) in step \(step)")
                    break
                }
            }
            let one = try store.select(
                SelectRequest(matchers: [try Matcher("i", .equal, "\(i)")], minTime: .min, maxTime: .max))
            #expect(one.count == 1, "\(about) \(labels)")
        }
        return (found, samples)
    }

    @Test("what does not fit is refused, and a start at the same limit has all that fitted", arguments: Part.allCases)
    func same(part: Part) throws {
        let files = FaultyFileSystem()
        let space = part.space(400)
        var store = try Self.open(files, space)
        let made = try Self.fill(store, 0..<(part.refusesSeries ? 2000 : 100))
        #expect(part.refusesSeries ? made.count < 1000 && made.count > 20 : made.count == 100)
        let failed = try Self.push(store, made, 0..<60)
        #expect(failed == 0 || !part.refusesSeries)
        let before = try Self.check(store, "\(part)")
        #expect(before.series == Set(made.keys))
        if part != .sealedChunks, failed == 0 { #expect(before.samples == made.count * 60) }
        store.abandon()
        store = try Self.open(files, space)
        let replayed = try Self.check(store, "\(part) after a replay")
        #expect(replayed.series == Set(made.keys))
        if part.refusesSeries {
            #expect(replayed.samples == before.samples && store.damagedRecords == 0)
            #expect(try Self.fill(store, 2000..<2100).isEmpty || part == .recordBytes || part == .postingBlocks)
        }
        try store.close()
        store = try Self.open(files, space)
        let restored = try Self.check(store, "\(part) after a checkpoint")
        #expect(restored.series.isSuperset(of: made.keys) && store.damagedRecords == 0)
        if part.refusesSeries { #expect(restored.samples == before.samples) }
        store.abandon()
    }

    /// All files of the store with their contents, except those in which a start may leave more than it reads.
    private static func contents(_ files: FaultyFileSystem, _ path: String = "data") throws -> [String: [UInt8]] {
        var result: [String: [UInt8]] = [:]
        for name in try files.list(path) where name != "spill" && name != "lock" {
            let entry = path + "/" + name
            if try files.status(entry).isDirectory {
                result.merge(try contents(files, entry)) { first, _ in first }
            } else {
                result[entry] = try files.read(entry, limit: 1 << 24)
            }
        }
        return result
    }

    /// Checks that a start is refused and changes nothing.
    private static func expectRefusal(_ files: FaultyFileSystem, _ space: HeadSpace, _ about: String) throws {
        let before = try contents(files)
        do {
            let store = try open(files, space)
            Issue.record("\(about): the store was opened, with \(store.leftOut) left out")
            store.abandon()
        } catch let error as StorageError {
            guard case .unfit(let file, let limit) = error else { throw error }
            #expect(file.hasPrefix("data/wal/") || file == "data/checkpoint", "\(about)")
            #expect(limit.hasPrefix("limit reached: "), "\(about)")
            #expect("\(error)".contains("nothing was changed"))
        }
        #expect(try contents(files) == before, "\(about)")
        #expect(DamageNotes.setAside("data", files).isEmpty, "\(about)")
    }

    @Test("a start at a smaller limit is refused, and a later one has all", arguments: Part.allCases)
    func smaller(part: Part) throws {
        let large = part.space(part == .chunkBlocks ? 2400 : 1200)
        for (isClosed, hasCheckpoint) in [(false, true), (false, false), (true, true)] {
            let files = FaultyFileSystem()
            let about = "\(part) after \(isClosed ? "a checkpoint" : "a replay")"
            var store = try Self.open(files, large)
            let made = try Self.fill(store, 0..<150)
            #expect(made.count == 150 || part == .postingBlocks)
            #expect(try Self.push(store, made, 0..<60) == 0)
            let before = try Self.check(store, about)
            if isClosed { try store.close() } else { store.abandon() }
            if !hasCheckpoint { try files.remove("data/checkpoint") }
            for _ in 0..<2 { try Self.expectRefusal(files, part.space(100), about) }
            store = try Self.open(files, large)
            let after = try Self.check(store, "\(about), and then with the first limit")
            #expect(after.series == before.series && after.samples == before.samples, "\(about)")
            #expect(store.damagedRecords == 0 && store.leftOut.isEmpty, "\(about)")
            store.abandon()
        }
    }

    @Test("a full head starts at a limit that is a little smaller", arguments: Part.allCases)
    func alike(part: Part) throws {
        for isClosed in [false, true] {
            let files = FaultyFileSystem()
            let about = "\(part) after \(isClosed ? "a checkpoint" : "a replay")"
            var store = try Self.open(files, part.space(800))
            let made = try Self.fill(store, 0..<(part.refusesSeries ? 3000 : 200))
            _ = try Self.push(store, made, 0..<60)
            let before = try Self.check(store, about)
            if isClosed { try store.close() } else { store.abandon() }
            store = try Self.open(files, part.space(776))
            let after = try Self.check(store, about)
            #expect(after.series == before.series, "\(about)")
            if part.refusesSeries { #expect(after.samples == before.samples && store.damagedRecords == 0, "\(about)") }
            store.abandon()
        }
    }

    @Test("after a start at a larger limit, a start at the first one must have all of the log")
    func changed() throws {
        let files = FaultyFileSystem()
        let (small, large) = (Part.sealedChunks.space(100), Part.sealedChunks.space(1200))
        try Self.open(files, small).abandon()
        let store = try Self.open(files, large)
        let made = try Self.fill(store, 0..<100)
        #expect(try Self.push(store, made, 0..<60) == 0)
        store.abandon()
        try Self.expectRefusal(files, small, "the first limit")
        let again = try Self.open(files, HeadSpace())
        #expect(try Self.check(again, "no limit").samples == 6000)
        again.abandon()
    }

    @Test("what a process has no memory or no open files for is read at the next start", arguments: [ENOMEM, EMFILE])
    func shortage(code: Int32) throws {
        for part in ["data/checkpoint", "data/wal/", "data/spill/", "data/blocks/", "data/damage", "data/"] {
            let files = FaultyFileSystem()
            var store = try Self.open(files, HeadSpace())
            let made = try Self.fill(store, 0..<20)
            #expect(try Self.push(store, made, 0..<120) == 0)
            store.runMaintenance()
            try store.close()
            store = try Self.open(files, HeadSpace())
            #expect(try Self.push(store, made, 120..<130) == 0)
            store.abandon()
            let before = try Self.contents(files)
            files.failReads(of: part, code: code)
            do { try Self.open(files, HeadSpace()).abandon() } catch {
                #expect(StorageError.shortage(error) != nil || error is StorageError, "\(part): \(error)")
                #expect(!"\(error)".contains("damaged"), "\(part): \(error)")
            }
            files.heal()
            #expect(try Set(Self.contents(files).keys).isSuperset(of: before.keys), "\(part)")
            #expect(DamageNotes.setAside("data", files).isEmpty, "\(part)")
            store = try Self.open(files, HeadSpace())
            #expect(try Self.check(store, part).samples == 20 * 130, "\(part)")
            #expect(store.damagedRecords == 0 && store.leftOut.isEmpty, "\(part)")
            store.abandon()
        }
    }

    @Test("a lack of memory or of open files is no damage")
    func kinds() {
        let short: [any Error] = [
            StorageError.limit("a"), StorageError.outOfMemory("a"), FileError("open", "a", code: ENOMEM),
            FileError("open", "a", code: EMFILE), CompressionError.outOfMemory("zstd"),
        ]
        for error in short {
            #expect(StorageError.shortage(error) != nil && LeftOut.kind(error) != .damaged, "\(error)")
        }
        let others: [any Error] = [
            StorageError.damaged("a"), StorageError.closed, FileError("open", "a", code: EIO),
            CompressionError(format: "zstd", reason: "Data corruption detected"),
            BlockError(file: "a", section: "b", offset: 0, reason: "c"),
        ]
        for error in others { #expect(StorageError.shortage(error) == nil, "\(error)") }
    }

    @Test("columns that are indexed alike have one length, whatever share of the address space there is")
    func shares() {
        for budget in [1 << 20, 1 << 28, 1 << 32, 1 << 40] {
            let space = HeadSpace().limited { Int(Double(budget) * $0) }
            #expect(space.series >= 1024 && space.pairs >= 1024 && space.pairs <= 1 << 28)
            let pair = MemoryLayout<LabelPair>.stride + MemoryLayout<PostingList>.stride
            #expect(budget < 1 << 28 || space.pairs * pair <= budget / 20)
        }
        #expect(HeadSpace().limited { _ in .max } == HeadSpace())
    }

    @Test("a chunk for which there are no blocks stays as it was")
    func chunk() throws {
        var random = SeededRandom(seed: 7)
        for round in 0..<200 {
            let arena = try BlockArena(blocks: Int.random(in: 3...12, using: &random))
            let memory = FixedBuffer(repeating: SeriesState.none, count: 1)
            defer { memory.deallocate() }
            let state = memory.element(0)
            var values: [UInt64] = []
            func check() {
                var words = [UInt32](repeating: 0, count: HeadChunk.maxWords)
                var found = [Double](repeating: 0, count: HeadChunk.capacity)
                words.withUnsafeMutableBufferPointer { words in
                    HeadChunk.copyWords(state.pointee, arena, to: words)
                    _ = found.withUnsafeMutableBufferPointer {
                        ChunkView(state.pointee, words: UnsafeBufferPointer(words)).decode(into: $0)
                    }
                }
                #expect(found.prefix(values.count).map(\.bitPattern) == values, "round \(round)")
            }
            var failures = 0
            while failures < 5, state.pointee.count < HeadChunk.capacity {
                let value =
                    switch Int.random(in: 0..<8, using: &random) {
                    case 0: Staleness.marker
                    case 1: Double.random(in: 0...1, using: &random)
                    case 2: Double(Int.random(in: 0...1000, using: &random)) / 100
                    default: Double(Int.random(in: 0...100, using: &random))
                    }
                let isMarker = Staleness.isMarker(value)
                let isDone =
                    isMarker ? HeadChunk.appendStale(state, arena) : HeadChunk.append(state, arena, value, 0, -1)
                if isDone { values.append(value.bitPattern) } else { failures += 1 }
                #expect(Int(state.pointee.count) == values.count)
                check()
            }
            HeadChunk.release(state, arena)
            #expect(arena.usedBlocks == 0, "round \(round)")
        }
    }
}
