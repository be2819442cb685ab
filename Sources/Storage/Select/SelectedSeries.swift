import Model
import Synchronization
import Telemetry

/// The answer to a select: the series, sorted by labels, as they were at one moment.
final class SelectedSeries: SeriesSet, @unchecked Sendable {
    // SAFETY: the variables are set by the initialiser, then only read.
    /// A part of a series: a position in one of the sources; source 0 is the head.
    private struct Part {
        var source: Int32
        var index: Int32
    }

    private let snapshot: HeadSnapshot
    private let blocks: [BlockSeriesSet]
    /// The parts of all series; the parts of series i end at `ends[i]`.
    private let parts: [Part]
    private let ends: [Int]
    private let request: SelectRequest
    private let leftOut: LeftOut

    init(_ store: TimeSeriesStore, _ request: SelectRequest) throws {
        leftOut = store.blockSet.leftOut
        self.request = request
        let head = store.head
        let ids = try head.ids(matching: request.matchers, check: request.check)
        // The head is read before the list of blocks: samples that move to a block meanwhile are then found twice, not
        // lost.
        snapshot = try HeadSnapshot(head, ids, request)
        let readers = store.blockSet.readers.filter {
            $0.minTime <= request.maxTime && $0.maxTime >= request.minTime
        }
        store.warn(request)
        blocks = try readers.compactMap { reader in
            do { return try reader.select(request) } catch {
                try reader.leaveOut(error, request)
                return nil
            }
        }.filter { $0.count > 0 }
        if request.isSorted || !blocks.isEmpty { snapshot.sort() }
        let most = blocks.reduce(snapshot.entries.count) { $0 + $1.count }
        try request.charge?(most * (MemoryLayout<Part>.stride + MemoryLayout<Int>.stride))
        var (parts, ends): ([Part], [Int])
        if blocks.isEmpty {
            parts = snapshot.order.map { Part(source: 0, index: $0) }
            ends = Array(1..<(parts.count + 1))
        } else {
            (parts, ends) = Self.merge(snapshot, blocks)
        }
        if request.limit > 0, ends.count > request.limit { ends.removeLast(ends.count - request.limit) }
        self.parts = parts
        self.ends = ends
    }

    /// Merges the sorted lists of all sources.
    private static func merge(_ snapshot: HeadSnapshot, _ blocks: [BlockSeriesSet]) -> ([Part], [Int]) {
        var (parts, ends): ([Part], [Int]) = ([], [])
        let most = blocks.reduce(snapshot.order.count) { max($0, $1.count) }
        parts.reserveCapacity(most &* (blocks.count &+ 1))
        ends.reserveCapacity(most)
        let order = snapshot.order
        var cursors = [Int](repeating: 0, count: blocks.count + 1)
        func labels(_ source: Int) -> Labels? {
            let at = cursors[source]
            if source == 0 { return at < order.count ? snapshot.labels(Int(order[at])) : nil }
            return at < blocks[source - 1].count ? blocks[source - 1].labels(at) : nil
        }
        var heads = cursors.indices.map { labels($0) }
        // Blocks that overlap are in the order of their age, then comes the head: of samples at the same time, the newest
        // source is used.
        let sources = Array(1..<cursors.count) + [0]
        var tied: [Int] = []
        while true {
            var least: Labels?
            for source in sources {
                guard let candidate = heads[source] else { continue }
                let place = least.map { Labels.compare(candidate, $0) } ?? -1
                if place < 0 {
                    least = candidate
                    tied.removeAll(keepingCapacity: true)
                }
                if place <= 0 { tied.append(source) }
            }
            guard !tied.isEmpty, least != nil else { return (parts, ends) }
            for source in tied {
                let at = cursors[source]
                parts.append(Part(source: Int32(source), index: source == 0 ? order[at] : Int32(at)))
                cursors[source] += 1
                heads[source] = labels(source)
            }
            ends.append(parts.count)
        }
    }

    var count: Int { ends.count }

    var heldBytes: Int {
        blocks.reduce(snapshot.heldBytes + parts.count * 8 + ends.count * 8) { $0 + $1.heldBytes }
    }

    private func parts(_ index: Int) -> ArraySlice<Part> { parts[(index > 0 ? ends[index - 1] : 0)..<ends[index]] }

    private func labels(_ part: Part) -> Labels {
        part.source == 0 ? snapshot.labels(Int(part.index)) : blocks[Int(part.source) - 1].labels(Int(part.index))
    }

    func labels(_ index: Int) -> Labels { labels(parts[index > 0 ? ends[index - 1] : 0]) }

    func read(_ index: Int, into columns: inout SampleColumns) throws {
        columns.removeAll()
        let parts = parts(index)
        if parts.count == 1, let part = parts.first {
            try append(part, &columns)
            return
        }
        if request.newestOnly, let last = parts.last, last.source == 0, snapshot.entries[Int(last.index)].isNewest {
            let newest = snapshot.entries[Int(last.index)].state.lastTime
            // A block can have newer samples than the head: imported ones, or those of a series that was removed
            // meanwhile.
            if parts.dropLast().allSatisfy({ blocks[Int($0.source) - 1].maxTime <= newest }) {
                return try append(last, &columns)
            }
        }
        var next = SampleColumns()
        var spare = SampleColumns()
        var key: UInt64 = 1
        for part in parts {
            next.removeAll()
            try append(part, &next)
            columns.cost += next.cost
            next.cost = ReadCost()
            guard next.count > 0 else { continue }
            if columns.count > 0, columns.timestamps[columns.count - 1] >= next.timestamps[0] { key = 0 }
            key = key == 0 || next.timestampKey == 0 ? 0 : (key &* 0x9E37_79B9_7F4A_7C15 ^ next.timestampKey) | 1
            columns.merge(next, spare: &spare)
        }
        columns.timestampKey = columns.count > 0 ? key : 0
    }

    private func append(_ part: Part, _ columns: inout SampleColumns) throws {
        if part.source > 0 { return try blocks[Int(part.source) - 1].append(Int(part.index), to: &columns) }
        try snapshot.read(Int(part.index), into: &columns) { what in
            // The chunk is not in a block yet; its file is damaged or was removed.
            let part = LeftOutPart(
                name: "spill", isBlock: false, kind: .damaged, reason: what, times: request.minTime...request.maxTime)
            if leftOut.note(part) { Log("storage").error("Chunks of the head cannot be read", ["err": what]) }
            request.warn?(part.description)
        }
    }
}
