import Model
import Platform
import Synchronization
import TestSupport
import Testing

@testable import Storage

/// Which series a select finds, beside asking each label set.
@Suite struct SelectMatcherTests {
    private static let names = ["__name__", "job", "instance", "pod"]

    /// A label set of few values, so that matchers meet many series.
    private static func labels(_ number: Int, _ random: inout SeededRandom) -> Labels {
        var builder = LabelsBuilder()
        builder.set("__name__", "m\(Int.random(in: 0..<5, using: &random))")
        builder.set("job", "j\(Int.random(in: 0..<2, using: &random))")
        if Bool.random(using: &random) { builder.set("instance", "i\(Int.random(in: 0..<3, using: &random))") }
        builder.set("pod", "p\(number)")
        return builder.labels()
    }

    private static func matcher(_ random: inout SeededRandom) throws -> Matcher {
        let name = names[Int.random(in: 0..<names.count, using: &random)]
        let letter = name == "__name__" ? "m" : String(name.prefix(1))
        func value() -> String { letter + "\(Int.random(in: 0..<(name == "pod" ? 60 : 4), using: &random))" }
        switch Int.random(in: 0..<8, using: &random) {
        case 0: return try Matcher(name, .notEqual, value())
        case 1: return try Matcher(name, .regex, "\(value())|\(value())")
        case 2: return try Matcher(name, .regex, ".*[13579]")
        case 3: return try Matcher(name, .notRegex, "\(letter)[0-2].*")
        case 4: return try Matcher(name, .regex, ".*")
        case 5: return Matcher(name: name, equals: "")
        default: return Matcher(name: name, equals: value())
        }
    }

    /// Series come to the groups by turns, so that the ids of each lie among those of the others.
    @Test(arguments: 0..<40) func `Matchers find the same series before and after any restart`(_ seed: Int) throws {
        let directory = try TemporaryFolder()
        var random = SeededRandom(seed: UInt64(seed))
        var store = try TimeSeriesStoreTests.open(directory.path)
        var known: [Labels] = []
        for step in 0..<12 {
            let group = store.openGroup("g\(Int.random(in: 0..<4, using: &random))")
            var batch = SampleBatch(timestamp: 1_700_000_000_000 + Int64(step) * 1000)
            for _ in 0..<Int.random(in: 1...12, using: &random) {
                let labels = Self.labels(known.count, &random)
                batch.append(try store.resolve(labels, in: group), 1)
                known.append(labels)
            }
            #expect(try store.commit(batch, in: group, durability: .written).rejected.isEmpty)
            switch Int.random(in: 0..<6, using: &random) {
            case 0: try store.checkpoint()
            case 1:
                try store.close()
                store = try TimeSeriesStoreTests.open(directory.path)
            case 2:
                store.abandon()
                store = try TimeSeriesStoreTests.open(directory.path)
            default: break
            }
            for _ in 0..<20 {
                let matchers = try (0..<Int.random(in: 1...3, using: &random)).map { _ in try Self.matcher(&random) }
                let set = try store.select(SelectRequest(matchers: matchers, minTime: .min, maxTime: .max))
                let found = (0..<set.count).map { set.labels($0) }
                let wanted = known.filter { labels in matchers.allSatisfy { $0.matches(labels) } }
                #expect(Set(found) == Set(wanted) && found.count == wanted.count, "\(matchers) in step \(step)")
            }
        }
        try store.close()
    }

    @Test func `Posting lists are ascending in whatever order series come`() throws {
        var random = SeededRandom(seed: 1)
        for _ in 0..<50 {
            let index = try LabelIndex()
            let ids = (0..<UInt32.random(in: 1...80, using: &random)).filter { _ in Bool.random(using: &random) }
            for id in ids.shuffled(using: &random) {
                let labels = TimeSeriesStoreTests.labels(["a": "x", "s": "\(id)"])
                _ = try labels.bytes.withUnsafeBufferPointer { try index.insert(id, $0, hash: labels.stableHash) }
            }
            #expect(index.postings("a", equals: "x") == ids)
            #expect(index.ids(of: index.pairsInUse(of: "a")) == ids)
        }
    }

    @Test("a check that throws ends the search, in memory and in blocks, and new series come while values are tried")
    func check() throws {
        struct Enough: Error {}
        let directory = try TemporaryFolder()
        let store = try TimeSeriesStoreTests.open(directory.path)
        let group = store.openGroup("g")
        var batch = SampleBatch(timestamp: 1_700_000_000_000)
        for i in 0..<2000 {
            batch.append(try store.resolve(TimeSeriesStoreTests.labels(["__name__": "m", "i": "\(i)"]), in: group), 1)
        }
        #expect(try store.commit(batch, in: group, durability: .written).rejected.isEmpty)
        let matchers = try (0..<50).map { try Matcher("i", .notRegex, ".*0.*x\($0)") }
        for isInBlock in [false, true] {
            if isInBlock {
                try store.maintenanceLock.withLock {
                    for end in store.head.windows() { try store.cutWithinSize([end]) }
                }
            }
            let calls = CallCounter()
            var request = SelectRequest(matchers: matchers, minTime: .min, maxTime: .max)
            request.check = { if calls.increment() > 20 { throw Enough() } }
            #expect(throws: Enough.self) { try store.select(request) }
            #expect(calls.count == 21)
            // Made in the middle of a search: whoever locked the registry for all of it would wait for itself.
            let added = CallCounter()
            request.check = {
                guard added.increment() == 5 else { return }
                let labels = TimeSeriesStoreTests.labels(["__name__": "m", "new": "\(isInBlock)"])
                _ = try store.resolve(labels, in: group)
            }
            #expect(try store.select(request).count >= 2000)
            #expect(added.count > 50 * 2000 / 256)
        }
        try store.close()
    }
}

/// Counts calls.
private final class CallCounter: Sendable {
    private let calls = Atomic(0)
    var count: Int { calls.load(ordering: .relaxed) }
    func increment() -> Int { calls.add(1, ordering: .relaxed).newValue }
}
