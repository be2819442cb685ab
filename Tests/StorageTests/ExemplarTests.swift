import Model
import TestSupport
import Testing

@testable import Storage

/// Which exemplars are stored, as Prometheus decides it.
@Suite("Exemplars")
struct ExemplarTests {
    private static func exemplar(
        _ id: String, _ value: Double, _ time: Int64, hasTimestamp: Bool = true
    ) -> Exemplar {
        Exemplar(labels: Labels([("trace_id", id)]), value: value, timestamp: time, hasTimestamp: hasTimestamp)
    }

    private static func isStored(_ verdict: ExemplarRing.Verdict) -> Bool {
        if case .stored = verdict { return true }
        return false
    }

    private static func isOutOfOrder(_ verdict: ExemplarRing.Verdict) -> Bool {
        if case .refused(.outOfOrder) = verdict { return true }
        return false
    }

    @Test("one without a timestamp that is shown at each scrape is stored once")
    func unchanged() {
        let ring = ExemplarRing(capacity: 10)
        for time in 0..<10_000 { ring.add(1, Self.exemplar("a", 0.5, Int64(time), hasTimestamp: false)) }
        #expect(ring.count == 1)
        #expect(ring.figures.appended == 1)
        #expect(Self.isStored(ring.add(1, Self.exemplar("b", 0.5, 20_000, hasTimestamp: false))))
        #expect(Self.isStored(ring.add(1, Self.exemplar("b", 0.7, 20_001, hasTimestamp: false))))
        #expect(ring.count == 3)
    }

    @Test("one with a timestamp is new at another time, and known at the same")
    func timestamps() {
        let ring = ExemplarRing(capacity: 10)
        #expect(Self.isStored(ring.add(1, Self.exemplar("a", 1, 10))))
        #expect(!Self.isStored(ring.add(1, Self.exemplar("a", 1, 10))))
        #expect(Self.isStored(ring.add(1, Self.exemplar("a", 1, 20))))
        // With and without a timestamp are compared by time.
        #expect(Self.isStored(ring.add(1, Self.exemplar("a", 1, 30, hasTimestamp: false))))
        #expect(ring.figures.outOfOrder == 0)
    }

    @Test("older ones, and lower values at the same time, are out of order")
    func outOfOrder() {
        let ring = ExemplarRing(capacity: 10)
        ring.add(1, Self.exemplar("a", 5, 100))
        #expect(Self.isOutOfOrder(ring.add(1, Self.exemplar("b", 5, 99))))
        #expect(Self.isOutOfOrder(ring.add(1, Self.exemplar("b", 4, 100))))
        #expect(Self.isStored(ring.add(1, Self.exemplar("b", 6, 100))))
        #expect(Self.isStored(ring.add(2, Self.exemplar("b", 5, 1))))
        #expect(ring.figures.outOfOrder == 2)
    }

    @Test("within the out-of-order window an older one is stored, unless its time is taken")
    func window() {
        let ring = ExemplarRing(capacity: 10, outOfOrderWindow: 50)
        ring.add(1, Self.exemplar("a", 5, 100))
        #expect(Self.isStored(ring.add(1, Self.exemplar("b", 5, 60))))
        #expect(Self.isOutOfOrder(ring.add(1, Self.exemplar("c", 5, 60))))
        #expect(Self.isOutOfOrder(ring.add(1, Self.exemplar("c", 5, 50))))
        #expect(Self.isStored(ring.add(1, Self.exemplar("c", 5, 101))))
    }

    @Test("many older ones of a series are decided as by a search through the ring", arguments: 0..<10)
    func manyOlder(seed: Int) {
        var random = SeededRandom(seed: SeededRandom.runSeed &+ UInt64(seed))
        let capacity = [40, 100, 300][seed % 3]
        let ring = ExemplarRing(capacity: capacity, outOfOrderWindow: 500)
        var entries: [(id: UInt32, time: Int64)] = []
        var newest: [UInt32: Int64] = [:]
        for step in 0..<4000 {
            let id = UInt32(Int.random(in: 0..<10, using: &random) / 8)
            let time = Int64(step / 8) + Int64.random(in: 0..<700, using: &random)
            let kept = entries.suffix(capacity)
            let last = kept.contains { $0.id == id } ? newest[id] : nil
            let isTaken = kept.contains { $0.id == id && $0.time == time }
            let isWanted = last.map { time > $0 || time < $0 && time > $0 - 500 && !isTaken } ?? true
            // A higher value at the newest time is in order.
            if time == last { continue }
            #expect(Self.isStored(ring.add(id, Self.exemplar("x", Double(step), time))) == isWanted)
            guard isWanted else { continue }
            entries.append((id, time))
            newest[id] = max(last ?? .min, time)
        }
    }

    @Test("labels of more than 128 characters are refused")
    func longLabels() {
        let ring = ExemplarRing(capacity: 10)
        func add(_ length: Int) -> ExemplarRing.Verdict {
            ring.add(
                1, Exemplar(labels: Labels([("i", String(repeating: "é", count: length))]), value: 1, timestamp: 1))
        }
        guard case .refused(.labelsTooLong) = add(128) else { return #expect(Bool(false)) }
        #expect(Self.isStored(add(127)))
    }

    @Test("a full ring forgets the oldest, and what it knew of their series, over ten thousand series")
    func full() {
        let ring = ExemplarRing(capacity: 100)
        for id in 0..<10_000 { ring.add(UInt32(id), Self.exemplar("x", Double(id), Int64(id))) }
        #expect(ring.count == 100)
        #expect(ring.figures.series == 100)
        #expect(ring.figures.oldest == 9900)
        #expect(ring.figures.capacity == 100)
        let kept = ring.exemplars(from: .min, to: .max) { _ in true }
        #expect(kept.map(\.id) == (9900..<10_000).map { UInt32($0) })
        // A series whose exemplars are gone begins anew.
        #expect(Self.isStored(ring.add(1, Self.exemplar("x", 1, 1))))
    }

    @Test("an exemplar of a series without samples is not stored; with a sample of the same push it is")
    func seriesWithoutSamples() throws {
        let directory = try TemporaryFolder()
        let store = try TimeSeriesStoreTests.open(directory.path)
        let own = store.openGroup("own")
        let other = store.openGroup("other")
        let ref = try store.resolve(Labels([("__name__", "a")]), in: own)
        func push(_ sample: Int64?, in group: SeriesGroup) throws -> [ExemplarRejection] {
            var batch = SampleBatch()
            if let sample { batch.append(ref, 1, at: sample) }
            batch.exemplars.append((ref, Self.exemplar("x", 1, 1_000_000)))
            return try store.commit(batch, in: group, durability: .written).rejectedExemplars.map(\.reason)
        }
        func stored() throws -> Int {
            let all = SelectRequest(
                matchers: [Matcher(name: "__name__", equals: "a")], minTime: 0, maxTime: 2_000_000)
            return try store.exemplars(all).flatMap(\.exemplars).count
        }
        #expect(try push(nil, in: own) == [.unknownSeries])
        #expect(try push(nil, in: other) == [.unknownSeries])
        #expect(try stored() == 0)
        #expect(try push(1_000_000, in: own) == [])
        #expect(try push(nil, in: other) == [])
        #expect(try stored() == 1)
        try store.close()
    }
}
