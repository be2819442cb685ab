import Encoding
import Model
import Platform
import TestSupport
import Testing

@testable import Storage

/// Each structure is broken on purpose, and the check says so.
@Suite struct InvariantTests {
    private static let start: Int64 = 1_700_000_400_000

    /// A store with open and sealed chunks, histograms, samples out of order, a block and a log.
    private static func store(_ files: FaultyFileSystem) throws -> TimeSeriesStore {
        let store = try TimeSeriesStore.open(files, now: start + 10_000_000) {
            ($0.blockDuration, $0.outOfOrderWindow) = (600_000, 600_000)
        }
        let group = store.openGroup("g")
        for step in 0..<100 {
            var batch = SampleBatch(timestamp: start + Int64(step) * 15_000)
            for s in 0..<6 {
                let labels = TimeSeriesStoreTests.labels(["__name__": "m\(s % 2)", "s": "\(s)"])
                let ref = try store.resolve(labels, in: group)
                if s == 5 {
                    batch.append(
                        ref,
                        FloatHistogram(
                            count: Double(step), sum: 1, positiveSpans: [.init(offset: 0, length: 1)],
                            positiveBuckets: [Double(step)]), at: batch.timestamp)
                } else {
                    batch.append(ref, Double(step * s) / 7)
                }
            }
            _ = try store.commit(batch, in: group, durability: .written)
            if step == 60 { try store.maintenanceLock.withLock { try store.cutWindows([start + 600_000]) } }
        }
        var outOfOrder = SampleBatch()
        let ref = try store.resolve(TimeSeriesStoreTests.labels(["__name__": "m1", "s": "1"]), in: group)
        for back: Int64 in [20_000, 10_000] { outOfOrder.append(ref, 1, at: start + 99 * 15_000 - back + 1) }
        _ = try store.commit(outOfOrder, in: group, durability: .written)
        try #require(store.brokenInvariant == nil)
        return store
    }

    private struct Break: CustomTestStringConvertible, Sendable {
        let testDescription: String
        /// What the check says.
        let says: String
        let body: @Sendable (Head, HeadGroup) throws -> Void

        init(_ what: String, says: String, _ body: @escaping @Sendable (Head, HeadGroup) throws -> Void) {
            (testDescription, self.says, self.body) = (what, says, body)
        }
    }

    private static let breaks: [Break] = [
        Break("a chunk that is longer than its run", says: "of series 0 ends at") { head, _ in head.states[0].count += 9
        },
        Break("a run that nobody has", says: "series 1 is in run 77") { head, _ in head.states[1].run = 77 },
        Break("a group that is not there", says: "series 2 names group 9") { head, _ in head.states[2].group = 9 },
        Break("a newest time that no run has", says: "the newest time of series 2") { head, _ in
            head.states[2].lastTime -= 1
        },
        Break("a newest time behind all", says: "series 2 has time") { head, _ in
            (head.states[2].count, head.states[2].bits) = (0, 0)
            (head.states[2].firstBlock, head.states[2].lastBlock) = (0, 0)
            head.states[2].lastTime = .max
        },
        Break("more words than blocks", says: "of series 2 has") { head, _ in head.states[2].bits += 1000 },
        Break("a scale that no decimal has", says: "series 0 is unsound") { head, _ in
            head.states[0].codec = SeriesState.integer
            head.states[0].scale = 99
        },
        Break("a block in two chunks", says: "is in two chunks") { head, _ in
            let (from, to) = (head.states[2], head.states[3])
            head.states[3].firstBlock = from.firstBlock
            #expect(from.firstBlock != 0 && to.firstBlock != 0)
        },
        Break("a block that nobody has", says: "blocks are taken") { head, _ in #expect(head.arena.allocate() != 0) },
        Break("a sealed chunk in two lists", says: "is in two lists") { head, _ in
            head.states[2].sealed = head.states[3].sealed
            #expect(head.states[3].sealed != 0)
        },
        Break("a sealed chunk that nobody names", says: "entries of sealed chunks") { head, _ in
            #expect(head.sealed.allocate() != 0)
        },
        Break("histograms that are gone", says: "histograms in the open chunk of series 5") { _, group in
            group.histograms[5] = nil
        },
        Break("samples out of order that are not sorted", says: "of series 1 are not sorted") { _, group in
            group.outOfOrder[1] = (group.outOfOrder[1]?.elements.reversed()).map { OutOfOrderSamples($0) }
        },
        Break("samples out of order of nobody", says: "out of order of series 99") { _, group in
            group.outOfOrder[99] = group.outOfOrder[1]
        },
        Break("a series in no group", says: "is in none") { head, group in
            group.lock.withLock { group.replaceExtents(IdRuns()) }
        },
        Break("a series in its group twice", says: "is in group 0 and in 0") { _, group in
            group.lock.withLock { group.add(3) }
        },
        Break("a living series that is not counted", says: "are counted") { head, _ in head.live.remove(3) },
        Break("a row of which all are gone", says: "against the count") { head, _ in
            for id: UInt32 in 0..<6 { head.live.remove(id) }
            for id: UInt32 in 640..<646 { head.live.add(id) }
        },
        Break("a run that more chunks hold than it counts", says: "which counts") { head, group in
            group.runs[head.states[0].run].references -= 1
        },
        Break("a run that ends before its times", says: "behind") { head, group in
            group.runs[head.states[0].run].windowEnd -= 600_000
        },
        Break("a run with more times than it has room", says: "and space for") { head, group in
            group.runs[head.states[0].run].capacity = 1
        },
        Break("a run whose first time is another", says: "does not begin at") { head, group in
            group.runs[head.states[0].run].base -= 1
            for id: UInt32 in 0..<6 { head.states[id].lastTime -= 1 }
        },
        Break("a latest run that is not there", says: "is the latest") { _, group in group.runs.latest = 99 },
        Break("a name of another group", says: "group 0 is not g") { _, group in group.name = "other" },
    ]

    @Test("what is broken in the head is found", arguments: breaks)
    private func head(_ one: Break) throws {
        let store = try Self.store(FaultyFileSystem())
        let group = try #require(store.head.group(0))
        try one.body(store.head, group)
        let broken = try #require(store.brokenHead, "not found")
        #expect(broken.contains(one.says))
    }

    @Test("what is broken in the index of labels is found")
    func labels() throws {
        func broken(_ body: (Head) throws -> Void) throws -> String {
            let store = try Self.store(FaultyFileSystem())
            try store.head.registry.withLock { try body(store.head) }
            return store.brokenHead ?? ""
        }
        #expect(
            try broken { $0.index.remove(3, record: $0.states[3].labels) }.contains("labels of series 3 lead to none"))
        #expect(try broken { $0.states[3].labels = $0.states[4].labels }.contains("labels of series"))
        func insert(_ id: UInt32, _ labels: Labels, _ head: Head) throws -> UInt32 {
            try labels.bytes.withUnsafeBufferPointer { try head.index.insert(id, $0, hash: labels.stableHash) }
        }
        #expect(
            try broken { head in
                _ = try insert(99, TimeSeriesStoreTests.labels(["__name__": "m1", "s": "unknown"]), head)
            }.contains("the table has 7 series, and 6 are alive"))
        #expect(
            try broken { head in
                let labels = head.index.labels(record: head.states[1].labels)
                head.index.remove(1, record: head.states[1].labels)
                head.states[1].labels = try insert(1, labels, head)
            }.contains("does not ascend"))
    }

    @Test("what is broken in a block is found")
    func block() throws {
        for section in [BlockFormat.Section.stats, .labelNames, .seriesPages] {
            let files = FaultyFileSystem()
            let store = try Self.store(files)
            let directory = try #require(store.blockSet.readers.first).directory
            store.abandon()
            files.damage(directory + "/index") { Self.change(&$0, section) }
            let broken = Result {
                try BlockReader(files, directory: directory, cache: FrameCache()).checkInvariants()
            }
            #expect(throws: (any Error).self, "\(section)") { try broken.get() }
        }
        let files = FaultyFileSystem()
        let store = try Self.store(files)
        let reader = try #require(store.blockSet.readers.first)
        files.damage(reader.directory + "/data") { $0[$0.count - 1] ^= 1 }
        #expect(throws: BlockError.self) { try reader.checkInvariants() }
    }

    /// Changes the first byte of a section of an index file, and mends the checksums.
    private static func change(_ content: inout [UInt8], _ section: BlockFormat.Section) {
        func number(_ at: Int, _ size: Int) -> Int { (0..<size).reduce(0) { $0 | Int(content[at + $1]) << (8 * $1) } }
        func put(_ value: UInt32, _ at: Int) {
            for i in 0..<4 { content[at + i] = UInt8(truncatingIfNeeded: value >> (8 * UInt32(i))) }
        }
        let tail = content.count - BlockFormat.indexEnd.count - 16
        let (start, count) = (number(tail, 8), number(tail + 8, 4))
        for entry in (0..<count).map({ start + 24 * $0 }) where number(entry, 4) == Int(section.rawValue) {
            let (offset, size) = (number(entry + 8, 8), number(entry + 16, 8))
            content[offset + (section == .stats ? 16 : section == .labelNames ? 2 : 4)] ^= 1
            put(CRC32C.hash(Array(content[offset..<(offset + size)])), entry + 4)
        }
        put(CRC32C.hash(Array(content[start..<tail])), tail + 12)
    }

    @Test("what is broken in the log is found")
    func log() throws {
        func broken(_ change: (inout [UInt8]) -> Void) throws -> String {
            let files = FaultyFileSystem()
            let store = try Self.store(files)
            files.damage(WriteAheadLog.path("data/wal", store.log.segment), change)
            return store.brokenInvariant ?? ""
        }
        #expect(try broken { $0[3] ^= 1 }.contains("does not begin as a segment"))
        #expect(try broken { $0[WriteAheadLog.headerSize + 14] ^= 1 }.contains("is damaged"))
        #expect(try broken { $0.removeLast() }.contains("the frame at"))
        #expect(
            try broken { content in
                // Without its last frame.
                var (at, last) = (WriteAheadLog.headerSize, 0)
                while at < content.count {
                    last = at
                    let length = (0..<3).reduce(0) { $0 | Int(content[at + $1]) << (8 * $1) }
                    at += 8 + length
                }
                content.removeLast(content.count - last)
            }.contains("which counts"))
        #expect(
            try broken { content in
                let start = WriteAheadLog.headerSize
                let length = (0..<3).reduce(0) { $0 | Int(content[start + $1]) << (8 * $1) }
                content.removeSubrange(start..<(start + 8 + length))
            }.contains("where 0 is expected"))
    }
}
