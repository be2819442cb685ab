import Model
import Platform
import Synchronization
import TestSupport
import Testing

@testable import Storage

/// What is left of series that are gone.
@Suite struct ChurnTests {
    @Test func `Series that were silent for long are forgotten, and the memory of their states is given back`() throws {
        let directory = try TemporaryFolder()
        let start: Int64 = 1_700_000_400_000
        let options = StoreOptions(
            directory: directory.path, retentionTime: 0, blockDuration: 600_000, runsInBackground: false)
        var store = try TimeSeriesStore.open(options: options, clock: ManualClock(now: start + 100_000_000_000))
        func commit(_ refs: [SeriesRef], _ step: Int, _ group: SeriesGroup) throws -> CommitOutcome {
            var batch = SampleBatch(timestamp: start + Int64(step) * 60_000)
            for ref in refs { batch.append(ref, Double(step)) }
            return try store.commit(batch, in: group, durability: .written)
        }
        func resolve(_ name: String, _ count: Int, _ group: SeriesGroup) throws -> [SeriesRef] {
            try (0..<count).map {
                try store.resolve(TimeSeriesStoreTests.labels(["__name__": name, "s": "\($0)"]), in: group)
            }
        }
        let (left, right) = (store.openGroup("left"), store.openGroup("right"))
        // The one that lives lies in the midst of those that go.
        var gone = try resolve("gone", 300, left)
        let lives = try resolve("lives", 10, right)
        gone += try resolve("gone too", 300, left)
        for step in 0..<3 {
            #expect(try commit(gone, step, left).appended == 600)
            #expect(try commit(lives, step, right).appended == 10)
        }
        var blocks: Set<String> = []
        for step in 3..<120 {
            #expect(try commit(lives, step, right).appended == 10)
            store.runMaintenance()
            #expect(store.brokenInvariant(except: &blocks) == nil, "step \(step)")
        }
        #expect(store.head.liveSeries == 10)
        // What was given back reads as zero, what shares a page with the living does not.
        let times = (0..<610).map { store.head.states[UInt32($0)].lastTime }
        let (given, kept) = (times.count { $0 == 0 }, times.count { $0 == .min })
        #expect(given >= 384 && kept > 0 && given + kept == 600)
        let again = try commit(gone, 121, left)
        #expect(again.appended == 0 && again.rejected.count == 600)
        // They come back under new numbers.
        let anew = try resolve("gone", 300, left)
        #expect(Set(anew.map(\.raw)).isDisjoint(with: gone.map(\.raw)))
        #expect(try commit(anew, 122, left).appended == 300)
        for life in 0..<2 {
            let found = try store.stored()
            #expect(found.count == 610)
            for series in found {
                let name = series.labels["__name__"]
                #expect(series.times.count == (name == "lives" ? 120 : name == "gone" ? 4 : 3), "life \(life)")
            }
            #expect(store.brokenInvariant == nil, "life \(life)")
            if life == 0 { store.abandon() }
            if life == 0 {
                store = try TimeSeriesStore.open(options: options, clock: ManualClock(now: start + 100_000_000_000))
            }
        }
        store.abandon()
    }

    @Test func `The table of series does not grow with those that are gone`() throws {
        let index = try LabelIndex()
        var records: [UInt32] = []
        for id in 0..<20_000 {
            let labels = TimeSeriesStoreTests.labels(["__name__": "m", "s": "\(id % 500)", "t": "\(id / 500)"])
            let hash = labels.stableHash
            let record = try labels.bytes.withUnsafeBufferPointer {
                try index.insert(UInt32(id), $0, hash: hash)
            }
            records.append(record)
            if id >= 100 { index.remove(UInt32(id - 100), record: records[id - 100]) }
            for known in [id, id - 99, id - 100] where known >= 0 {
                let labels = index.labels(record: records[known])
                let found = labels.bytes.withUnsafeBufferPointer {
                    index.find($0, hash: labels.stableHash) { records[Int($0)] }
                }
                #expect(found == (known > id - 100 ? UInt32(known) : nil))
            }
        }
        #expect(index.seriesSlots == 1024)
    }

    @Test func `Labels of series that are gone are given back, and who holds them reads on`() throws {
        let directory = try TemporaryFolder()
        let start: Int64 = 1_700_000_400_000
        let options = StoreOptions(
            directory: directory.path, retentionTime: 0, blockDuration: 600_000, runsInBackground: false)
        let store = try TimeSeriesStore.open(options: options, clock: ManualClock(now: start + 100_000_000_000))
        let groups = [store.openGroup("a"), store.openGroup("b")]
        func resolve(_ g: Int, _ pods: Range<Int>) throws -> [SeriesRef] {
            try pods.map {
                try store.resolve(
                    TimeSeriesStoreTests.labels(["__name__": "m\($0 % 3)", "pod": "p\($0)"]), in: groups[g])
            }
        }
        func commit(_ refs: [SeriesRef], _ g: Int, _ step: Int) throws {
            var batch = SampleBatch(timestamp: start + Int64(step) * 60_000)
            for ref in refs { batch.append(ref, Double(step)) }
            #expect(try store.commit(batch, in: groups[g], durability: .written).appended == refs.count)
        }
        func pods(_ matchers: [Matcher] = []) throws -> [String] {
            let set = try store.select(SelectRequest(matchers: matchers, minTime: start + 3_600_000, maxTime: .max))
            return (0..<set.count).compactMap { set.labels($0)["pod"] }.sorted()
        }
        let living = try resolve(0, 0..<20)
        let more = try resolve(1, 20..<40)
        try commit(try resolve(0, 1000..<3000), 0, 0)
        try commit(try resolve(1, 3000..<5000), 1, 0)
        let held = try store.select(
            SelectRequest(matchers: [Matcher(name: "pod", equals: "p4321")], minTime: .min, maxTime: .max))
        for step in 1..<120 {
            try commit(living, 0, step)
            try commit(more, 1, step)
            store.runMaintenance()
        }
        #expect(store.head.liveSeries == 40 && store.head.deadLabels == 4000)
        let all = try pods()
        #expect(all.count == 40)
        let (before, generation) = (store.head.index.usedBytes, store.head.index.generation)
        try store.compactLabels()
        #expect(store.head.index.usedBytes == before, "few dead series are not worth it")
        try store.compactLabels(evenFew: true)
        #expect(store.head.index.usedBytes < before / 10 && store.head.deadLabels == 0)
        #expect(store.head.index.generation > generation)
        #expect(store.brokenInvariant == nil)
        #expect(held.labels(0)["pod"] == "p4321")
        #expect(try pods() == all)
        let three = try Matcher("pod", .regex, "p(19|22|23)")
        #expect(try pods([Matcher(name: "__name__", equals: "m1"), three]) == ["p19", "p22"])
        let recent = SelectRequest(matchers: [], minTime: start + 7_140_000, maxTime: .max)
        #expect(try store.labelValues("pod", recent).sorted() == all)
        // Known series keep their ids, new ones get others.
        #expect(try resolve(0, 0..<20) == living)
        let new = try resolve(1, 50..<60)
        #expect(Set(new.map(\.raw)).isDisjoint(with: (living + more).map(\.raw)))
        try commit(living + new, 1, 120)
        #expect(try pods([Matcher(name: "pod", equals: "p55")]) == ["p55"])
        try store.checkpoint()
        store.abandon()
        let again = try TimeSeriesStore.open(options: options, clock: ManualClock(now: start + 100_000_000_000))
        #expect(try again.select(recent).count == 50)
        #expect(again.brokenInvariant == nil)
        again.abandon()
    }

    @Test func `Selects beside series that come and go, and an index that is exchanged, find what lives`() throws {
        let directory = try TemporaryFolder()
        let store = try TimeSeriesStoreTests.open(directory.path)
        let group = store.openGroup("g")
        let fixed = try (0..<50).map {
            try store.resolve(TimeSeriesStoreTests.labels(["__name__": "fixed", "s": "\($0)"]), in: group)
        }
        var batch = SampleBatch(timestamp: 1_700_000_000_000)
        for ref in fixed { batch.append(ref, 1) }
        _ = try store.commit(batch, in: group, durability: .written)
        let isDone = Atomic(false)
        let failures = Mutex<[String]>([])
        Workers.run(pieces: 3, threads: 3) { piece in
            do {
                if piece == 0 {
                    defer { isDone.store(true, ordering: .releasing) }
                    for round in 0..<300 {
                        // As if series had died, so that each round exchanges the index.
                        store.head.registry.withLock { store.head.deadLabels += 1 }
                        try store.compactLabels(evenFew: true)
                        let other = store.openGroup("other \(round % 7)")
                        _ = try store.resolve(
                            TimeSeriesStoreTests.labels(["__name__": "other", "s": "\(round)"]), in: other)
                    }
                    return
                }
                while !isDone.load(ordering: .acquiring) {
                    let set = try store.select(
                        SelectRequest(
                            matchers: [Matcher(name: "__name__", equals: "fixed")], minTime: .min, maxTime: .max))
                    let found = Set((0..<set.count).compactMap { set.labels($0)["s"] })
                    if set.count != 50 || found.count != 50 { failures.withLock { $0.append("\(set.count) \(found)") } }
                }
            } catch { failures.withLock { $0.append("\(error)") } }
        }
        #expect(failures.withLock { $0 } == [])
        #expect(store.brokenInvariant == nil)
        store.abandon()
    }
}
