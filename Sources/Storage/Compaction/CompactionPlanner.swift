/// The rules for which blocks are merged and which are dropped; they only use the descriptions of blocks.
package struct CompactionPlanner: Sendable {
    /// The lengths of blocks in ms, ascending; each is a multiple of the previous one.
    package var ranges: [Int64]

    /// The lengths of blocks with few samples, ms, ascending; each is a multiple of the previous one and of `ranges`.
    ///
    /// Each block uses an open file and memory for its index. Without these lengths, years of samples are thousands of
    /// blocks.
    package var longRanges: [Int64]

    /// The most samples of a block whose length is one of ``longRanges``: a merge ends within a few minutes.
    static let mostOfLongBlock = 1 << 29
    /// The number of blocks in a window that are merged before the window is over: snapshots make many small blocks.
    static let manyInWindow = 16
    /// The most blocks of one merge.
    static let mostSources = 64

    /// Makes a planner of blocks of 2 h, 8 h and 24 h, and of 5 and 30 days if they have few samples; none is longer
    /// than a tenth of `retention` (ms; 0 for no limit).
    package init(retention: Int64 = 0) {
        let hour: Int64 = 3_600_000
        let cap = retention > 0 ? max(retention / 10, 2 * hour) : .max
        ranges = [2 * hour, 8 * hour, 24 * hour].filter { $0 <= cap }
        longRanges = [120 * hour, 720 * hour].filter { $0 <= cap }
    }

    /// The limits of the blocks of a merge.
    struct MergeLimits {
        /// The most bytes of the sources.
        var maxSize = Int.max
        /// The free bytes of the disk.
        var freeSpace = Int.max
        /// Sources that are not merged together: a merge of them failed less than a minute ago.
        var failed: [Set<String>] = []
        /// The bytes of a block.
        var size: (BlockMeta) -> Int = { _ in 0 }

        /// The bytes that a merge of sources of so many bytes needs: about as many.
        static func space(forSources size: Int) -> Int { size / 5 * 6 &+ (1 << 16) }

        /// Whether blocks may be merged, now or later; a part of larger ones is not merged either.
        func mayMerge(_ blocks: [BlockMeta]) -> Bool { maxSize == .max || bytes(blocks) <= maxSize }

        /// Whether blocks may be merged now.
        func mayMergeNow(_ blocks: [BlockMeta]) -> Bool {
            if !failed.isEmpty {
                let names = Set(blocks.map(\.id))
                if failed.contains(where: { $0.isSubset(of: names) }) { return false }
            }
            return freeSpace == .max || Self.space(forSources: bytes(blocks)) < freeSpace
        }

        private func bytes(_ blocks: [BlockMeta]) -> Int { blocks.reduce(0) { $0 &+ size($1) } }
    }

    /// The blocks to be merged next; empty if there is nothing to do.
    ///
    /// Overlapping blocks are first.
    ///
    /// Otherwise it is the oldest complete window of a longer range with at least two blocks: a later block exists, so
    /// that no more blocks will be added to the window. A window with many blocks does not wait until it is complete.
    /// Blocks with deletions are rewritten alone if nothing else is to be done.
    ///
    /// If blocks may not be merged together now, a part of them is merged, or other ones.
    ///
    /// - Parameter deletions: The names of blocks with deleted samples.
    func plan(
        _ blocks: [BlockMeta], deletions: Set<String> = [], _ limits: MergeLimits = MergeLimits()
    ) -> [BlockMeta] {
        let sorted = blocks.sorted { ($0.minTime, $0.maxTime, $0.id) < ($1.minTime, $1.maxTime, $1.id) }
        let groups = Self.overlaps(sorted, times: { ($0.minTime, $0.maxTime) })
        for group in groups where group.count > 1 {
            if let sources = Self.overlapping(group, limits) { return sources }
        }
        guard let newest = sorted.map(\.maxTime).max() else { return [] }
        for range in ranges.dropFirst() + longRanges {
            if let sources = adjacent(groups, range, newest: newest, limits) { return sources }
        }
        let alone = sorted.first {
            deletions.contains($0.id) && limits.mayMerge([$0]) && limits.mayMergeNow([$0])
        }
        return alone.map { [$0] } ?? []
    }

    /// Blocks of a window of this length that are merged; nil if there are none.
    private func adjacent(
        _ groups: [[BlockMeta]], _ range: Int64, newest: Int64, _ limits: MergeLimits
    ) -> [BlockMeta]? {
        let isLong = range > ranges.last ?? .max
        var at = 0
        while at < groups.count {
            let start = Self.floor(groups[at][0].minTime, range)
            let (end, overflow) = start.addingReportingOverflow(range)
            // Blocks are not merged across other ones.
            var runs: [[BlockMeta]] = [[]]
            while at < groups.count, Self.floor(groups[at][0].minTime, range) == start {
                if groups[at].count == 1, groups[at][0].maxTime < end {
                    runs[runs.count - 1].append(groups[at][0])
                } else if runs.last?.isEmpty == false {
                    runs.append([])
                }
                at += 1
            }
            let count = runs.reduce(0) { $0 + $1.count }
            guard !overflow, newest >= end && count > 1 || count >= Self.manyInWindow else { continue }
            for run in runs {
                let sources = Array(run.prefix(Self.mostSources))
                if isLong, Self.samples(sources) > Self.mostOfLongBlock { continue }
                guard limits.mayMerge(sources) else { continue }
                if let part = Self.part(of: sources, limits) { return part }
            }
        }
        return nil
    }

    /// The largest of the parts of adjacent blocks that may be merged, of those that come from repeated halving.
    private static func part(of blocks: [BlockMeta], _ limits: MergeLimits) -> [BlockMeta]? {
        guard blocks.count > 1 else { return nil }
        if limits.mayMergeNow(blocks) { return blocks }
        let middle = blocks.count / 2
        return part(of: Array(blocks[..<middle]), limits) ?? part(of: Array(blocks[middle...]), limits)
    }

    /// The number of samples of blocks.
    private static func samples(_ blocks: [BlockMeta]) -> Int {
        blocks.reduce(0) { $0.addingReportingOverflow($1.sampleCount).overflow ? .max : $0 &+ $1.sampleCount }
    }

    private static func floor(_ time: Int64, _ range: Int64) -> Int64 {
        let rest = time % range
        return (time - rest).addingReportingOverflow(rest < 0 ? -range : 0).partialValue
    }

    /// Blocks of a group, which overlap, that are merged; nil if there are none.
    ///
    /// The merge must count as older than the blocks that are newer than its sources, and as newer than those that are
    /// older.
    private static func overlapping(_ group: [BlockMeta], _ limits: MergeLimits) -> [BlockMeta]? {
        let sorted = group.sorted(by: isOlder)
        for first in sorted.indices where first == 0 || sorted[first - 1].level > sorted[first].level {
            var sources = sorted[first...].prefix(mostSources)
            guard limits.mayMerge(Array(sources)) else { continue }
            while sources.count > 1 {
                if limits.mayMergeNow(Array(sources)) { return Array(sources) }
                sources = sources.prefix((sources.count + 1) / 2)
            }
        }
        return nil
    }

    /// Groups of things, sorted by their first time, whose times overlap.
    static func overlaps<Element>(
        _ sorted: [Element], times: (Element) -> (first: Int64, last: Int64)
    ) -> [[Element]] {
        var groups: [[Element]] = []
        var end = Int64.min
        for element in sorted {
            let (first, last) = times(element)
            if groups.isEmpty || first > end { groups.append([]) }
            groups[groups.count - 1].append(element)
            end = groups[groups.count - 1].count == 1 ? last : max(end, last)
        }
        return groups
    }

    /// Whether the samples of a block are older than those of another one: the newer sample of a time counts.
    ///
    /// A merge has samples of earlier blocks, although it is made later.
    static func isOlder(_ first: BlockMeta, _ second: BlockMeta) -> Bool {
        (-first.level, first.id) < (-second.level, second.id)
    }

    /// The blocks whose samples are all before `now` − `retention` (ms; 0 for no limit).
    package static func expired(_ blocks: [BlockMeta], now: Int64, retention: Int64) -> [BlockMeta] {
        guard retention > 0 else { return [] }
        let (limit, overflow) = now.subtractingReportingOverflow(retention)
        return overflow ? [] : blocks.filter { $0.maxTime < limit }
    }
}
