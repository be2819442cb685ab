import Encoding
import Model
import Platform
import Synchronization
import TestSupport
import Testing

@testable import Storage

/// Checkpoints and blocks without memory for all of their content at once.
@Suite struct ShortMemoryTests {
    private static let start: Int64 = 1_700_000_400_000

    /// Counts the questions for memory, and answers them.
    private final class Memory: Sendable {
        private let state = Mutex<(asked: Int, most: Int, refusesFrom: Int, largest: Int)>((0, .max, .max, 0))

        /// Refuses the question of this number and the later ones, and any for more than `most` bytes.
        func limit(refusesFrom: Int = .max, most: Int = .max) { state.withLock { $0 = (0, most, refusesFrom, 0) } }

        var asked: Int { state.withLock { $0.asked } }

        var largest: Int { state.withLock { $0.largest } }

        var request: MemoryRequest {
            var request = MemoryRequest()
            request.canAllocate = { [self] bytes in
                state.withLock { state in
                    state.asked += 1
                    state.largest = max(state.largest, bytes)
                    return state.asked <= state.refusesFrom && bytes <= state.most
                }
            }
            return request
        }
    }

    private static func open(
        _ files: FaultyFileSystem, _ memory: Memory, now: Int64 = start
    ) throws -> TimeSeriesStore {
        try .open(files, now: now) { ($0.blockDuration, $0.memory) = (600_000, memory.request) }
    }

    private static func labels(_ i: Int) -> Labels {
        let value = "number \(i)"
        return TimeSeriesStoreTests.labels(["__name__": "m\(i % 3)", "i": value, "j": value, "odd": "\(i % 2)"])
    }

    /// Stores samples of some series at some times.
    private static func push(_ store: TimeSeriesStore, series: Int, times: [Int64]) throws {
        let group = store.openGroup("a")
        let refs = try (0..<series).map { try store.resolve(labels($0), in: group) }
        for time in times {
            var batch = SampleBatch(timestamp: time)
            for (i, ref) in refs.enumerated() { batch.append(ref, Double(i)) }
            _ = try store.commit(batch, in: group, durability: .written)
        }
    }

    /// Checks that each series has its samples.
    private static func check(_ store: TimeSeriesStore, series: Int, samples: Int, _ about: String) throws {
        #expect(store.brokenInvariant == nil, "\(about)")
        let set = try store.select(
            SelectRequest(matchers: [try Matcher("i", .regex, ".+")], minTime: .min, maxTime: .max))
        #expect(set.count == series, "\(about)")
        var columns = SampleColumns()
        for at in 0..<set.count {
            columns.removeAll()
            try set.read(at, into: &columns)
            let isWhole = columns.count == samples && set.labels(at) == labels(Int(columns.values[0]))
            guard isWhole else {
                Issue.record("\(about): \(set.labels(at)) has \(columns.count) samples")
                return
            }
        }
    }

    @Test("a checkpoint writes metadata and exemplars in small frames, and asks for no memory for all of them")
    func records() throws {
        let (files, memory) = (FaultyFileSystem(), Memory())
        var store = try Self.open(files, memory)
        try Self.push(store, series: 1000, times: [Self.start])
        let help = String(repeating: "h", count: 900)
        var known: [ExactText: MetricMetadata] = [:]
        for i in 0..<1500 { known[ExactText("metric_\(i)")] = MetricMetadata(type: .gauge, help: help + "\(i)") }
        store.setMetadata(known.map { ($0.text, $1) }, in: store.openGroup("a"))
        for i in 0..<5000 {
            let labels = Labels([("trace_id", "number \(i)")])
            store.exemplarRing.add(UInt32(i % 1000), Exemplar(labels: labels, value: 1, timestamp: Int64(i)))
        }
        let exemplars = store.exemplarRing.exemplars(from: .min, to: .max) { _ in true }
        #expect(exemplars.count == 5000)
        memory.limit(most: 1 << 17)
        try store.close()
        let checkpoint = try CheckpointReader("data/checkpoint", files)
        let sizes = checkpoint.frames.filter { $0.kind == CheckpointFrame.records }.map(\.raw)
        #expect(sizes.allSatisfy { $0 <= CheckpointWriter.recordsSize } && sizes.count > 20)
        store = try Self.open(files, memory)
        // The texts are too long for a message.
        let isKnown = store.metadata() == known
        #expect(isKnown)
        let restored = store.exemplarRing.exemplars(from: .min, to: .max) { _ in true }
        #expect(restored.map(\.exemplar) == exemplars.map(\.exemplar) && restored.map(\.id) == exemplars.map(\.id))
        try Self.check(store, series: 1000, samples: 1, "restored")
        store.abandon()
    }

    @Test("a group is written during its copy if there is no memory for all of it")
    func group() throws {
        let (files, memory) = (FaultyFileSystem(), Memory())
        var store = try Self.open(files, memory)
        memory.limit(most: 1 << 20)
        try Self.push(store, series: 20_000, times: [Self.start, Self.start + 1000])
        try store.close()
        #expect(memory.largest == 2 * CheckpointWriter.frameSize)
        let checkpoint = try CheckpointReader("data/checkpoint", files)
        #expect(checkpoint.frames.filter { $0.kind == CheckpointFrame.states }.count > 1)
        store = try Self.open(files, memory)
        try Self.check(store, series: 20_000, samples: 2, "restored")
        store.abandon()
    }

    @Test("the exemplars of a ring come in parts, also while it turns and changes")
    func ring() {
        let ring = ExemplarRing(capacity: 10)
        func add(_ numbers: Range<Int>) {
            for i in numbers { ring.add(UInt32(i), Exemplar(labels: Labels([]), value: 1, timestamp: Int64(i))) }
        }
        var position = ExemplarRing.Position()
        func next() -> [Int] { ring.entries(from: &position, atMost: 4).map { Int($0.id) } }
        #expect(next().isEmpty)
        add(0..<13)
        #expect(next() == [3, 4, 5, 6])
        add(13..<20)
        // What was replaced meanwhile is not missed.
        #expect(next() == [10, 11, 12, 13])
        ring.setLimits(capacity: 5, outOfOrderWindow: 0)
        #expect(next() == [15, 16, 17, 18] && next() == [19] && next().isEmpty)
        ring.setLimits(capacity: 0, outOfOrderWindow: 0)
        #expect(next().isEmpty)
    }

    @Test("a window that cannot become a block for lack of memory becomes one later, and nothing is lost")
    func cut() throws {
        let (series, samples) = (900, 3)
        var (at, questions) = (0, 0)
        repeat {
            let (files, memory) = (FaultyFileSystem(), Memory())
            var store = try Self.open(files, memory, now: Self.start + 10_000_000)
            try Self.push(store, series: series, times: (0..<3).map { Self.start + $0 * 1000 })
            store.setMetadata([("m1", BlockMetadataTests.seconds)], in: store.openGroup("a"))
            memory.limit(refusesFrom: at)
            if questions == 0 { memory.limit() }
            do {
                _ = try store.snapshot()
                #expect(questions == 0)
                questions = memory.asked
                #expect(questions > 5)
            } catch let error as StorageError { #expect(error.isOutOfMemory, "\(at): \(error)") }
            try Self.check(store, series: series, samples: samples, "after question \(at)")
            #expect(try !files.list("data/blocks").contains { $0.hasSuffix(".tmp") })
            if at % 2 == 0 {
                // The shutdown may lack memory, too.
                try? store.close()
                store.abandon()
                memory.limit()
                store = try Self.open(files, memory, now: Self.start + 10_000_000)
                try Self.check(store, series: series, samples: samples, "opened after question \(at)")
            }
            memory.limit()
            _ = try store.snapshot()
            #expect(store.blocks.count == 1 && store.head.windows().isEmpty)
            #expect(store.metadata() == ["m1": BlockMetadataTests.seconds])
            try Self.check(store, series: series, samples: samples, "cut after question \(at)")
            store.abandon()
            at += 1
        } while at < questions
    }

    @Test("a merge without memory leaves the blocks as they are")
    func merge() throws {
        let (files, memory) = (FaultyFileSystem(), Memory())
        let store = try Self.open(files, memory)
        try Self.push(store, series: 2500, times: [Self.start])
        _ = try store.snapshot()
        try Self.push(store, series: 2500, times: [Self.start + 700_000])
        _ = try store.snapshot()
        memory.limit(refusesFrom: 0)
        let blocks = store.blocks
        let id = BlockMeta.makeID(now: Self.start)
        #expect(throws: StorageError.self) {
            try BlockMerger.merge(files, blocks, to: "data/blocks/" + id, memory: memory.request)
        }
        #expect(try files.list("data/blocks").filter { $0.hasPrefix(id) }.isEmpty)
        memory.limit()
        let merged = try BlockMerger.merge(files, blocks, to: "data/blocks/" + id, memory: memory.request)
        #expect(merged?.seriesCount == 2500 && merged?.sampleCount == blocks.reduce(0) { $0 + $1.meta.sampleCount })
        store.abandon()
    }

    @Test("the metadata of a block are compressed in parts, and limited to what a reader accepts")
    func metadata() throws {
        func encoded(_ metadata: [ExactText: MetricMetadata]) throws -> (section: [UInt8], parts: Int) {
            var (section, parts) = ([UInt8](), 0)
            try BlockMetadata.encode(metadata, MemoryRequest()) {
                section += $0
                parts += 1
            }
            return (section, parts)
        }
        var metadata: [ExactText: MetricMetadata] = [:]
        let help = String(repeating: "h", count: 1000)
        for i in 0..<3000 { metadata[ExactText("m\(i)")] = MetricMetadata(type: .counter, help: "\(i)" + help) }
        let (section, parts) = try encoded(metadata)
        #expect(parts == 3)
        #expect(try BlockMetadata.decode(section) == metadata)
        let memory = Memory()
        memory.limit(refusesFrom: 0)
        #expect(throws: StorageError.self) { try BlockMetadata.decode(section, memory.request) }
        metadata = [:]
        let long = String(repeating: help, count: 4000)
        for i in 0..<18 { metadata[ExactText("m\(i + 10)")] = MetricMetadata(type: .counter, help: long) }
        let kept = try BlockMetadata.decode(try encoded(metadata).section)
        #expect(Set(kept.keys) == Set((10..<26).map { ExactText("m\($0)") }))
    }
}
