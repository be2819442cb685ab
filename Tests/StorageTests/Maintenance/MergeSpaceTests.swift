import GoCompatibility
import TestSupport
import Testing

@testable import Storage

/// Merges for which the disk lacks space, or that fail: other blocks are merged, and the newest samples still count.
@Suite struct MergeSpaceTests {
    private static let hour: Int64 = 3_600_000

    private static func block(_ number: Int, _ hours: Range<Int64>, level: Int = 1) -> BlockMeta {
        BlockMeta(
            id: "B\(number)", minTime: hours.lowerBound * hour, maxTime: hours.upperBound * hour - 1, seriesCount: 1,
            level: level)
    }

    /// The names of the blocks that are merged, if each block has its size in MiB.
    private static func plan(_ blocks: [(BlockMeta, size: Int)], free: Int, failed: [Set<String>] = []) -> String {
        let sizes = Dictionary(uniqueKeysWithValues: blocks.map { ($0.0.id, $0.size << 20) })
        let limits = CompactionPlanner.MergeLimits(
            freeSpace: free << 20, failed: failed, size: { sizes[$0.id] ?? 0 })
        return CompactionPlanner().plan(blocks.map(\.0), limits).map(\.id).joined(separator: " ")
    }

    @Test func `other blocks are merged than those for which the disk lacks space`() {
        let windows = [
            (Self.block(0, 0..<2), 50), (Self.block(1, 2..<4), 50), (Self.block(2, 8..<10), 1),
            (Self.block(3, 10..<12), 1), (Self.block(4, 16..<18), 1),
        ]
        #expect(Self.plan(windows, free: 200) == "B0 B1")
        #expect(Self.plan(windows, free: 100) == "B2 B3")
        #expect(Self.plan(windows, free: 2) == "")
        #expect(Self.plan(windows, free: 200, failed: [["B0", "B1"]]) == "B2 B3")
        // A part of a window.
        let parts = [
            (Self.block(0, 0..<2), 50), (Self.block(1, 2..<4), 1), (Self.block(2, 4..<6), 1), (Self.block(3, 6..<8), 1),
            (Self.block(4, 8..<10), 1),
        ]
        #expect(Self.plan(parts, free: 100) == "B0 B1 B2 B3")
        #expect(Self.plan(parts, free: 10) == "B2 B3")
        #expect(Self.plan(parts, free: 100, failed: [["B0", "B1", "B2", "B3"]]) == "B0 B1")
        #expect(Self.plan(parts, free: 100, failed: [["B0", "B1"]]) == "B2 B3")
    }

    @Test func `of overlapping blocks, those are merged that are neighbours in the order of their age`() {
        let overlapping = [
            (Self.block(0, 0..<24, level: 3), 50), (Self.block(1, 1..<2), 1), (Self.block(2, 1..<3), 1),
            (Self.block(3, 2..<3), 1), (Self.block(4, 30..<31), 1),
        ]
        #expect(Self.plan(overlapping, free: 100) == "B0 B1 B2 B3")
        #expect(Self.plan(overlapping, free: 55) == "B1 B2 B3")
        #expect(Self.plan(overlapping, free: 3) == "B1 B2")
        #expect(Self.plan(overlapping, free: 2) == "")
        // The merge of the first and a newer block would count as newer than the block between them.
        #expect(Self.plan(overlapping, free: 100, failed: [["B1"]]) == "")
    }

    /// Blocks with numbers instead of samples: the later a number was stored, the larger it is.
    private struct Life {
        var random: SeededRandom
        var blocks: [String: (meta: BlockMeta, samples: [Int64: Int])] = [:]
        var count = 0

        mutating func add(_ samples: [Int64: Int], level: Int) {
            count += 1
            let times = samples.keys.map { $0 * MergeSpaceTests.hour }
            let meta = BlockMeta(
                id: count.zeroPadded(6), minTime: times.min() ?? 0, maxTime: times.max() ?? 0, seriesCount: 1,
                sampleCount: samples.count, level: level)
            blocks[meta.id] = (meta, samples)
        }

        /// The number that counts at each time.
        var served: [Int64: Int] {
            blocks.values.sorted { CompactionPlanner.isOlder($0.meta, $1.meta) }.reduce(into: [:]) { all, block in
                all.merge(block.samples) { $1 }
            }
        }
    }

    @Test func `merges end and keep the newest sample of each time, whatever the disk has space for`() {
        var merges = 0
        for seed in UInt64(0)..<40 {
            var life = Life(random: SeededRandom(seed: SeededRandom.runSeed &+ seed))
            var newest: [Int64: Int] = [:]
            for step in 0..<120 {
                let first = Int64(step) + Int64.random(in: -30...0, using: &life.random)
                var samples: [Int64: Int] = [:]
                for _ in 0..<Int.random(in: 1...6, using: &life.random) {
                    samples[first + Int64.random(in: 0...9, using: &life.random)] = step
                }
                newest.merge(samples) { $1 }
                life.add(samples, level: 1)
                let limits = CompactionPlanner.MergeLimits(
                    maxSize: Bool.random(using: &life.random)
                        ? .max : Int.random(in: 1...40, using: &life.random) << 20,
                    freeSpace: Bool.random(using: &life.random)
                        ? .max : Int.random(in: 1...60, using: &life.random) << 20,
                    size: { $0.sampleCount << 20 })
                while true {
                    let plan = CompactionPlanner().plan(life.blocks.values.map(\.meta), limits)
                    guard !plan.isEmpty else { break }
                    #expect(plan.count > 1 && plan.count <= CompactionPlanner.mostSources)
                    let bytes = plan.reduce(0) { $0 + $1.sampleCount << 20 }
                    #expect(bytes < limits.freeSpace && bytes <= limits.maxSize)
                    var merged: [Int64: Int] = [:]
                    for meta in plan.sorted(by: CompactionPlanner.isOlder) {
                        merged.merge(life.blocks.removeValue(forKey: meta.id)?.samples ?? [:]) { $1 }
                    }
                    life.add(merged, level: (plan.map(\.level).max() ?? 0) + 1)
                    merges += 1
                    #expect(life.served == newest, "seed \(seed), step \(step)")
                }
            }
        }
        #expect(merges > 1000)
    }
}
