import Encoding
import Foundation
import Model
import Platform
import TestSupport
import Testing

@testable import Storage

/// Bytes of files flipped, cut, zeroed, doubled and taken away: no crash, no wrong sample, the rest is there; also where
/// syncs fail, before the damage and behind it.
@Suite struct StoreCorruptionTests {
    private static func open(_ files: FaultyFileSystem) throws -> TimeSeriesStore {
        try .open(files, now: 1_800_000_000_000) {
            ($0.blockDuration, $0.walSegmentSize, $0.shortestPackedFrame) = (600_000, 8192, 100)
        }
    }

    private typealias Samples = [Labels: [Int64: UInt64]]

    /// A store as a kill leaves it: merged blocks, one with deletions, a checkpoint with spilled and open chunks, a tail
    /// of the log.
    private struct Specimen {
        let files: FaultyFileSystem
        /// What is stored, and what was before it was deleted; histograms by their counts.
        var samples: Samples = [:]
        var deleted: Samples = [:]
        /// Times of the blocks by their names; all of it before the head's.
        var blocks: [String: ClosedRange<Int64>] = [:]

        init(_ syncs: FailingSyncs) throws {
            files = FaultyFileSystem()
            let store = try StoreCorruptionTests.open(files)
            syncs.begin(files)
            func insist(_ body: () throws -> Void) throws {
                // All of the maintenanceLock would take the deletions out of the blocks.
                try syncs.insist(body) { try? store.checkpoint() }
            }
            var random = SeededRandom(seed: 5)
            let start: Int64 = 1_700_000_400_000
            for step in 0..<500 {
                let time = start + Int64(step) * 15_000
                for g in 0..<3 {
                    let group = store.openGroup("g\(g)")
                    var batch = SampleBatch(timestamp: time)
                    for s in 0..<6 {
                        let labels = TimeSeriesStoreTests.labels(
                            [
                                "__name__": "m\(s % 2)", "s": "\(s)", "g": "\(g)",
                                "late": step > 300 && s == 4 ? "yes" : "",
                            ])
                        let ref = try store.resolve(labels, in: group)
                        if s == 5 {
                            let count = Double(step + g)
                            batch.append(
                                ref,
                                FloatHistogram(
                                    count: count, sum: 1, positiveSpans: [.init(offset: 0, length: 1)],
                                    positiveBuckets: [count]), at: time)
                            samples[labels, default: [:]][time] = count.bitPattern
                        } else {
                            let value = TimeSeriesStoreTests.value(s, &random, nil)
                            batch.append(ref, value, at: time)
                            samples[labels, default: [:]][time] = value.bitPattern
                        }
                    }
                    let whole = batch
                    try insist { _ = try store.commit(whole, in: group, durability: .synced) }
                }
                if step % 50 == 49, step < 300 { _ = syncs.tend(store) }
                if step == 310 {
                    let range = (start + 600_000)...(start + 900_000)
                    try insist {
                        try store.deleteSeries(
                            [Matcher(name: "s", equals: "1")], minTime: range.lowerBound, maxTime: range.upperBound)
                    }
                    for (labels, known) in samples where labels["s"] == "1" {
                        deleted[labels] = known.filter { range.contains($0.key) }
                        samples[labels] = known.filter { !range.contains($0.key) }
                    }
                }
                if step == 420 { try insist { try store.checkpoint() } }
            }
            for reader in store.blockSet.readers { blocks[reader.meta.id] = reader.minTime...reader.maxTime }
            store.abandon()
        }
    }

    private static func list(_ files: FaultyFileSystem, _ path: String) throws -> [String] {
        var result: [String] = []
        for name in try files.list(path) {
            let child = path + "/" + name
            if try files.status(child).isDirectory { result += try list(files, child) } else { result.append(child) }
        }
        return result
    }

    private static func mutate(_ content: inout [UInt8], _ random: inout SeededRandom) -> String {
        guard !content.isEmpty else { return "nothing" }
        let at = Int.random(in: 0..<content.count, using: &random)
        let length = min(content.count - at, Int.random(in: 1...64, using: &random))
        switch Int.random(in: 0..<6, using: &random) {
        case 0:
            content[at] ^= 1 << UInt8.random(in: 0..<8, using: &random)
            return "bit at \(at)"
        case 1:
            for i in at..<(at + length) { content[i] = UInt8.random(in: .min ... .max, using: &random) }
            return "\(length) random bytes at \(at)"
        case 2:
            for i in at..<(at + length) { content[i] = 0 }
            return "\(length) zeros at \(at)"
        case 3:
            content.removeLast(content.count - at)
            return "cut at \(at)"
        case 4:
            let end = min(content.count, at + Int.random(in: 1...4096, using: &random))
            content.insert(contentsOf: content[at..<end], at: end)
            return "\(end - at) bytes at \(at) doubled"
        default:
            content.removeSubrange(at..<(at + length))
            return "\(length) bytes at \(at) taken out"
        }
    }

    /// Reads everything between two times: what is wrong, what threw, and how many samples there were.
    private static func read(
        _ store: TimeSeriesStore, _ specimen: Specimen, from: Int64, to: Int64, mayHoldDeleted: Bool
    ) throws -> (wrong: String?, failures: Int, count: Int) {
        let set = try store.select(SelectRequest(matchers: [], minTime: from, maxTime: to))
        var columns = SampleColumns()
        var (failures, count) = (0, 0)
        for i in 0..<set.count {
            let labels = set.labels(i)
            do { try set.read(i, into: &columns) } catch {
                failures += 1
                continue
            }
            guard let known = specimen.samples[labels] else {
                if columns.count == 0 { continue }
                return ("unknown series \(labels)", failures, count)
            }
            var values = (0..<columns.count).map { columns.values[$0].bitPattern }
            for entry in columns.histograms { values[entry.index] = entry.histogram.count.bitPattern }
            for k in 0..<columns.count {
                let time = columns.timestamps[k]
                let isRight =
                    known[time] == values[k] || mayHoldDeleted && specimen.deleted[labels]?[time] == values[k]
                if !isRight { return ("\(labels) at \(time): \(values[k])", failures, count) }
                if k > 0, columns.timestamps[k - 1] >= time {
                    return ("\(labels): times do not ascend", failures, count)
                }
            }
            count += columns.count
        }
        return (nil, failures, count)
    }

    @Test func `a segment with the highest number that there is does not end the process`() throws {
        for checkpoint in [false, true] {
            let files = FaultyFileSystem()
            if checkpoint {
                try files.createDirectory("data")
                var writer = try CheckpointWriter(try files.open("data/checkpoint", .replace))
                var header: [UInt8] = []
                header.appendVarint(UInt64.max)
                header.appendVarint(0 as UInt64)
                for _ in 0..<2 { header.appendZigzag(600_000) }
                try writer.write(CheckpointFrame.header, header)
            } else {
                try files.createDirectory("data/wal")
                let numbers: [UInt64] = [.max, .max - 1, WriteAheadLog.lastSegment + 1]
                for number in numbers {
                    let file = try files.open("data/wal/\(number)", .create)
                    try file.write(WriteAheadLog.Header(number: number, store: nil).bytes)
                }
            }
            for _ in 0..<2 {
                let store = try Self.open(files)
                let group = store.openGroup("g")
                var batch = SampleBatch(timestamp: 1_800_000_000_000)
                batch.append(try store.resolve(TimeSeriesStoreTests.labels(["__name__": "new"]), in: group), 1)
                _ = try store.commit(batch, in: group, durability: .synced)
                let set = try store.select(SelectRequest(matchers: [], minTime: .min, maxTime: .max))
                #expect(set.count == 1)
                store.runMaintenance()
                store.abandon()
            }
        }
    }

    private static func expected(_ specimen: Specimen, _ from: Int64, _ to: Int64) -> Int {
        specimen.samples.values.reduce(0) { $0 + $1.keys.count { $0 >= from && $0 <= to } }
    }

    /// `MARTLET_CORRUPTIONS` asks for more than the sample that is taken by default.
    private static let total = Int(ProcessInfo.processInfo.environment["MARTLET_CORRUPTIONS"] ?? "") ?? 2000

    @Test(arguments: 0..<4) func `A damaged store serves nothing wrong, and what is not damaged`(_ part: Int) throws {
        let syncs = FailingSyncs(seed: part % 2 == 1 ? UInt64(part) : nil)
        let specimen = try Specimen(syncs)
        let all = try Self.list(specimen.files, "data").filter { !$0.hasSuffix("/lock") && !$0.hasSuffix("/reserve") }
        #expect(all.contains { $0.hasSuffix("/deleted") } && all.contains { $0.hasSuffix(".spill") })
        #expect(all.contains("data/checkpoint") && specimen.blocks.count > (syncs.seed == nil ? 2 : 0))
        let headStart = (specimen.blocks.values.map(\.upperBound).max() ?? 0) + 1
        for seed in 0..<(Self.total / 4) {
            var random = SeededRandom(seed: UInt64(seed * 4 + part))
            let files = specimen.files.afterPowerCut(.kept)
            let path = all[Int.random(in: 0..<all.count, using: &random)]
            var what = "removed"
            if Int.random(in: 0..<20, using: &random) == 0 {
                try files.remove(path)
            } else {
                files.damage(path) { what = Self.mutate(&$0, &random) }
            }
            let place = "seed \(seed * 4 + part): \(path): \(what)"
            let store: TimeSeriesStore
            syncs.begin(files)
            do { store = try syncs.insist { try Self.open(files) } } catch {
                #expect("\(error)".contains(FilePath.name(path)), "\(place): \(error)")
                continue
            }
            #expect(store.brokenHead == nil, "\(place)")
            // A deletion may be gone with a whole file, or with both of its places; nothing else may come back.
            let mayHoldDeleted =
                what == "removed" && path.hasSuffix("/deleted")
                || !what.hasPrefix("bit") && (path.hasPrefix("data/wal") || path == "data/checkpoint")
            var ranges: [(Int64, Int64, isWhole: Bool)] = [(.min, .max, false)]
            if let block = specimen.blocks.first(where: { path.contains($0.key) })?.value {
                ranges.append((.min, block.lowerBound - 1, true))
                ranges.append((block.upperBound + 1, .max, true))
            } else if path.contains("/blocks/") {
                ranges.append((.min, .max, true))
            } else {
                ranges.append((.min, headStart - 1, true))
            }
            for (from, to, isWhole) in ranges {
                do {
                    let result = try Self.read(store, specimen, from: from, to: to, mayHoldDeleted: mayHoldDeleted)
                    if let wrong = result.wrong { Issue.record("\(place): \(wrong)") }
                    if isWhole {
                        let expected = Self.expected(specimen, from, to)
                        #expect(result.failures == 0 && result.count >= expected, "\(place): \(from)...\(to)")
                    }
                } catch {
                    #expect(!isWhole && error is BlockError, "\(place): \(from)...\(to): \(error)")
                }
            }
            // It goes on.
            let group = store.openGroup("g0")
            var batch = SampleBatch(timestamp: 1_800_000_000_000)
            batch.append(try store.resolve(TimeSeriesStoreTests.labels(["__name__": "new"]), in: group), 1)
            var isFirst = true
            let appended = try syncs.insist {
                defer { isFirst = false }
                return try store.commit(batch, in: group, durability: .synced).appended
            } between: {
                store.runMaintenance()
            }
            #expect(appended == 1 || !isFirst && appended == 0, "\(place)")
            if seed % 16 == 0 { store.runMaintenance() }
            #expect(store.brokenHead == nil, "\(place): after it went on")
            store.abandon()
        }
    }
}
