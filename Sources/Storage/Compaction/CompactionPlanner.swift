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

    /// The blocks to be merged next, in the order of time; empty if there is nothing to do.
    ///
    /// Overlapping blocks are first.
    ///
    /// Otherwise it is the oldest complete window of a longer range with at least two blocks: a later block exists, so
    /// that no more blocks will be added to the window. A window with many blocks does not wait until it is complete.
    /// Blocks with deletions are rewritten alone if nothing else is to be done.
    ///
    /// - Parameters:
    ///   - deletions: The names of blocks with deleted samples.
    ///   - isAllowed: Whether blocks may be merged; if not, other blocks are searched.
    package func plan(
        _ blocks: [BlockMeta], deletions: Set<String> = [], isAllowed: ([BlockMeta]) throws -> Bool
    ) rethrows -> [BlockMeta] {
        let sorted = blocks.sorted { ($0.minTime, $0.maxTime, $0.id) < ($1.minTime, $1.maxTime, $1.id) }
        if let overlapping = try overlapping(sorted, isAllowed) { return overlapping }
        guard let newest = sorted.map(\.maxTime).max() else { return [] }
        for range in ranges.dropFirst() + longRanges {
            let isLong = range > ranges.last ?? .max
            var at = 0
            while at < sorted.count {
                let start = Self.floor(sorted[at].minTime, range)
                let (end, overflow) = start.addingReportingOverflow(range)
                var window: [BlockMeta] = []
                while at < sorted.count, Self.floor(sorted[at].minTime, range) == start {
                    if overflow || sorted[at].maxTime < end { window.append(sorted[at]) }
                    at += 1
                }
                window = Array(window.prefix(Self.mostSources))
                let isOver = newest >= end && window.count > 1
                guard !overflow, isOver || window.count >= Self.manyInWindow else { continue }
                if isLong, Self.samples(window) > Self.mostOfLongBlock { continue }
                if try isAllowed(window) { return window }
            }
        }
        return try sorted.first { try deletions.contains($0.id) && isAllowed([$0]) }.map { [$0] } ?? []
    }

    /// The same for blocks that may all be merged.
    package func plan(_ blocks: [BlockMeta], deletions: Set<String> = []) -> [BlockMeta] {
        plan(blocks, deletions: deletions) { _ in true }
    }

    /// The number of samples of blocks.
    private static func samples(_ blocks: [BlockMeta]) -> Int {
        blocks.reduce(0) { $0.addingReportingOverflow($1.sampleCount).overflow ? .max : $0 &+ $1.sampleCount }
    }

    private static func floor(_ time: Int64, _ range: Int64) -> Int64 {
        let rest = time % range
        return (time - rest).addingReportingOverflow(rest < 0 ? -range : 0).partialValue
    }

    private func overlapping(_ sorted: [BlockMeta], _ isAllowed: ([BlockMeta]) throws -> Bool) rethrows
        -> [BlockMeta]?
    {
        for group in Self.overlaps(sorted, times: { ($0.minTime, $0.maxTime) }) where group.count > 1 {
            // The block of a merge counts as older than blocks that were made of the head: the oldest ones are first.
            let isLong = group.count > Self.mostSources
            let sources = isLong ? Array(group.sorted(by: Self.isOlder).prefix(Self.mostSources)) : group
            if try isAllowed(sources) { return sources }
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
