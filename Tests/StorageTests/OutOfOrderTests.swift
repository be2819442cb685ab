import Model
import TestSupport
import Testing

@testable import Storage

/// Samples that arrive in any order, in any number.
@Suite struct OutOfOrderTests {
    private static let start: Int64 = 1_700_000_400_000

    private static func open(_ files: FaultyFileSystem = FaultyFileSystem()) throws -> TimeSeriesStore {
        try .open(files, now: start + 3_600_000) {
            ($0.blockDuration, $0.outOfOrderWindow) = (600_000, 7_200_000)
        }
    }

    /// A sample as text: NaN, stale markers and histograms are compared by their bits.
    private static func text(_ sample: OutOfOrderSample) -> String {
        "\(sample.time) \(sample.value.bitPattern) \(sample.histogram.map { "\($0)" } ?? "")"
    }

    private static func histogram(_ count: Double) -> FloatHistogram {
        FloatHistogram(zeroCount: count, count: count, sum: count, hasFloatCounts: false)
    }

    /// Adds a sample to a sorted array, where the last sample of a time stays.
    private static func add(_ sample: OutOfOrderSample, to samples: inout [OutOfOrderSample]) {
        let at = samples.firstIndex { $0.time >= sample.time } ?? samples.count
        if at < samples.count, samples[at].time == sample.time {
            samples[at] = sample
        } else {
            samples.insert(sample, at: at)
        }
    }

    @Test(arguments: 0..<12) func `The samples of a head equal sorted arrays`(seed: Int) throws {
        var random = SeededRandom(seed: SeededRandom.runSeed &+ UInt64(seed))
        let store = try Self.open()
        let handle = store.openGroup("g")
        let refs = try (0..<3).map { try store.resolve(Labels([("__name__", "s\($0)")]), in: handle) }
        let ids = refs.map { UInt32($0.raw - 1) }
        let (head, group) = (store.head, try #require(store.head.group(handle.raw)))
        var wanted = [[OutOfOrderSample]](repeating: [], count: 3)
        let span = [300, 5000, 900_000][seed % 3] as Int64
        for step in 0..<3000 {
            let s = Int.random(in: 0..<3, using: &random)
            let time = Self.start + (seed % 4 == 3 ? -Int64(step) : Int64.random(in: 0..<span, using: &random))
            let range = time...(time + span / 10)
            switch Int.random(in: 0..<500, using: &random) {
            case 0:
                head.maintenanceLock.withLock {
                    _ = head.delete([ids[s]], from: range.lowerBound, to: range.upperBound)
                }
                wanted[s].removeAll { range.contains($0.time) }
            case 1:
                let window = range.lowerBound..<range.upperBound
                head.forget([], outOfOrder: try head.outOfOrderSamples(in: window))
                for i in 0..<3 { wanted[i].removeAll { window.contains($0.time) } }
            default:
                let value = [Double(step), .nan, Staleness.marker][Int.random(in: 0..<3, using: &random)]
                let sample = OutOfOrderSample(
                    time: time, value: value, histogram: step % 5 == 0 ? Self.histogram(Double(step)) : nil)
                group.lock.withLock { head.addOutOfOrder(ids[s], time, value, sample.histogram, group) }
                Self.add(sample, to: &wanted[s])
            }
            guard step % 100 == 99 else { continue }
            for (id, samples) in zip(ids, wanted) {
                #expect(group.outOfOrder[id]?.elements.map(Self.text) ?? [] == samples.map(Self.text))
                #expect(group.outOfOrder[id]?.isSound ?? true)
            }
            let windows = Set(wanted.joined().map { head.windowEnd($0.time) })
            #expect(head.windows() == windows.sorted())
        }
        store.abandon()
    }

    @Test func `Late samples of one push are in the head, the log, a checkpoint and a block`() throws {
        var random = SeededRandom(seed: SeededRandom.runSeed)
        let files = FaultyFileSystem()
        var store = try Self.open(files)
        let group = store.openGroup("g")
        let refs = try ["a", "b"].map { try store.resolve(Labels([("__name__", $0)]), in: group) }
        let now = Self.start + 3_600_000
        var wanted: [[Int64: Double]] = [[:], [:]]
        var batch = SampleBatch()
        for ref in refs { batch.append(ref, 0, at: now) }
        // One series gets its samples in descending order, the other one in a random order and some of them twice.
        for n in 0..<5000 {
            let times = [now - 1 - Int64(n) * 100, now - 1 - Int64.random(in: 0..<8000, using: &random) * 100]
            for (s, time) in times.enumerated() {
                batch.append(refs[s], Double(n), at: time)
                wanted[s][time] = Double(n)
            }
        }
        for s in 0..<2 { wanted[s][now] = 0 }
        #expect(try store.commit(batch, in: group, durability: .written).rejected.isEmpty)
        func check(_ stage: String) throws {
            for (s, name) in ["a", "b"].enumerated() {
                #expect(try store.stored(named: name).valuesByTime == wanted[s], "\(stage)")
            }
            try store.head.checkInvariants()
        }
        try check("head")
        store.abandon()
        store = try Self.open(files)
        try check("log")
        try store.close()
        store = try Self.open(files)
        try check("checkpoint")
        var later = SampleBatch()
        for (s, ref) in refs.enumerated() {
            later.append(ref, 1, at: now + 7_200_000)
            wanted[s][now + 7_200_000] = 1
        }
        _ = try store.commit(later, in: group, durability: .written)
        store.runMaintenance()
        #expect(!store.blocks.isEmpty)
        try check("block")
        store.abandon()
    }

    /// Series that alternate in one push, so that each sample is a record of its own, with start timestamps.
    @Test func `Start timestamps of alternating series stay with their samples`() throws {
        let store = try Self.open()
        let group = store.openGroup("g")
        let refs = try ["a", "b"].map { try store.resolve(Labels([("__name__", $0)]), in: group) }
        let now = Self.start + 3_600_000
        var batch = SampleBatch()
        var starts: [[Int64: Int64]] = [[:], [:]]
        for n in 0..<1000 {
            for s in 0..<2 {
                // The first half is in order, the second half is late.
                let time = now + Int64(n < 500 ? n * 2 : (999 - n) * 2 - 1) * 10
                batch.append(refs[s], 1, at: time)
                let start = time - Int64((n * 7 + s) % 4)
                if (n + s) % 3 != 0 { batch.setStart(start) }
                starts[s][time] = (n + s) % 3 != 0 ? start : 0
            }
        }
        #expect(try store.commit(batch, in: group, durability: .written).rejected.isEmpty)
        for (s, name) in ["a", "b"].enumerated() {
            let set = try store.select(
                SelectRequest(matchers: [Matcher(name: "__name__", equals: name)], minTime: .min, maxTime: .max))
            var columns = SampleColumns()
            try set.read(0, into: &columns)
            #expect(columns.count == 1000)
            for at in 0..<columns.count {
                let time = columns.timestamps[at]
                #expect(columns.starts.start(at: time) == starts[s][time])
            }
        }
        store.abandon()
    }

    @Test(arguments: 0..<20) func `A push is divided among its groups, and each sample read once`(seed: Int) throws {
        var random = SeededRandom(seed: SeededRandom.runSeed &+ UInt64(seed))
        let store = try Self.open()
        let groups = (0..<(seed % 4 * 20 + 1)).map { store.openGroup("g\($0)") }
        var refs: [SeriesRef] = [.none, SeriesRef(raw: 1_000_000)]
        for (at, group) in groups.enumerated() {
            for n in 0..<3 { refs.append(try store.resolve(Labels([("__name__", "s\(at)_\(n)")]), in: group)) }
        }
        let own = try #require(groups.randomElement(using: &random))
        var batch = SampleBatch()
        for n in 0..<500 {
            let ref = refs[Int.random(in: 0..<refs.count, using: &random)]
            batch.append(ref, Double(n), at: Self.start + Int64(n))
        }
        let head = store.head
        let owners = BatchOwners(batch, try #require(head.group(own.raw)), head)
        #expect(owners.groups.map(\.id) == owners.groups.map(\.id).sorted())
        #expect(owners.groups.contains { $0.id == own.raw })
        var seen: [Int] = []
        for (group, part) in owners.parts {
            let positions = part.numbers.map { part.position($0) }
            #expect(positions == positions.sorted())
            seen += positions
            for i in positions {
                let ref = batch.refs[i]
                let isKnown = ref != refs[0] && ref != refs[1]
                #expect(group.id == (isKnown ? head.states[UInt32(ref.raw - 1)].group : own.raw))
            }
        }
        #expect(seen.sorted() == Array(0..<500))
        let outcome = try store.commit(batch, in: own, durability: .written)
        let unknown = batch.refs.indices.filter { batch.refs[$0] == refs[0] || batch.refs[$0] == refs[1] }
        #expect(outcome.rejected.map(\.index).sorted() == unknown)
        #expect(outcome.rejected.allSatisfy { $0.reason == .unknownSeries })
        #expect(outcome.appended == 500 - unknown.count)
        for (at, name) in groups.indices.flatMap({ at in (0..<3).map { (at * 3 + $0 + 2, "s\(at)_\($0)") } }) {
            let wanted = batch.refs.indices.filter { batch.refs[$0] == refs[at] }.map { Self.start + Int64($0) }
            #expect(try store.stored(named: name).times == wanted)
        }
        store.abandon()
    }
}
