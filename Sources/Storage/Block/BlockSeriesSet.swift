import Encoding
import Model

/// The series of one block that match a request.
package final class BlockSeriesSet: SeriesSet {
    private let block: BlockReader
    private let request: SelectRequest
    private let ranks: [UInt32]
    private let labelSets: [Labels]
    private let chunks: [ChunkRef]
    /// The end of each series' chunks in `chunks`.
    private let ends: [Int]
    private let deleted: DeletedRanges
    private let streams = TimeStreams()

    init(_ block: BlockReader, _ wanted: PostingRuns, _ request: SelectRequest, deleted: DeletedRanges) throws {
        self.block = block
        self.request = request
        self.deleted = deleted
        var (ranks, labelSets, chunks, ends): ([UInt32], [Labels], [ChunkRef], [Int]) = ([], [], [], [])
        let expected = request.limit > 0 ? min(wanted.count, request.limit) : wanted.count
        try request.charge?(expected * Self.bytesPerSeries)
        ranks.reserveCapacity(expected)
        labelSets.reserveCapacity(expected)
        ends.reserveCapacity(expected)
        var (page, charged) = (-1, 0)
        var held: (frame: Frame, first: Int, count: Int)?
        var reader: SeriesPageReader?
        // Ranks below this one are in a damaged page.
        var readable = 0
        outer: for run in wanted.runs {
            for rank in run {
                if request.limit > 0, ranks.count >= request.limit { break outer }
                if Int(rank) < readable { continue }
                let start = chunks.count
                var number = page
                if let held, Int(rank) < held.first + held.count {} else { number = block.seriesPage(of: rank) }
                guard number >= 0 else { break outer }
                do {
                    if number != page {
                        let next = try block.seriesPage(number)
                        held = next
                        reader = try SeriesPageReader(next.frame.bytes, count: next.count)
                        page = number
                    }
                    guard let first = held?.first, let entry = try reader?.read(Int(rank) - first) else { continue }
                    try SeriesPageReader.chunks(entry, baseTime: block.index.baseTime) { chunk in
                        if chunk.minTime <= request.maxTime, chunk.maxTime >= request.minTime { chunks.append(chunk) }
                    }
                    guard chunks.count > start else { continue }
                    // With deletions, the newest chunk may be empty.
                    if request.newestOnly, deleted.isEmpty, chunks.count > start + 1 {
                        chunks.removeSubrange(start..<(chunks.count - 1))
                    }
                } catch let error where error is DecodeError || error is BlockError {
                    // The series of the page are left out; the other pages do not depend on it.
                    let damage =
                        error as? BlockError
                        ?? block.frames.damage(block.index.seriesPages[number].frame, "\(error)")
                    try block.leaveOut(damage, request)
                    chunks.removeLast(chunks.count - start)
                    readable = block.firstRank(behind: number)
                    continue
                }
                if chunks.capacity > charged {
                    try request.charge?((chunks.capacity - charged) * MemoryLayout<ChunkRef>.stride)
                    charged = chunks.capacity
                }
                ranks.append(rank)
                labelSets.append(reader?.copyLabels() ?? .empty)
                ends.append(chunks.count)
            }
        }
        withExtendedLifetime(held) {}
        self.ranks = ranks
        self.labelSets = labelSets
        self.chunks = chunks
        self.ends = ends
    }

    package var count: Int { ranks.count }

    /// The newest time of the block, ms.
    var maxTime: Int64 { block.maxTime }

    /// The approximate bytes of a series without its chunks.
    private static let bytesPerSeries = 192

    package var heldBytes: Int {
        ranks.capacity * Self.bytesPerSeries + chunks.capacity * MemoryLayout<ChunkRef>.stride
    }

    package func labels(_ index: Int) -> Labels { labelSets[index] }

    /// The chunks of a series in the requested time range.
    package func chunks(_ index: Int) -> ArraySlice<ChunkRef> {
        chunks[(index > 0 ? ends[index - 1] : 0)..<ends[index]]
    }

    package func read(_ index: Int, into columns: inout SampleColumns) throws {
        columns.removeAll()
        try append(index, to: &columns)
    }

    /// Appends the samples of series `index` in the requested time range to `columns`.
    ///
    /// The key of the times is combined: columns that are made in the same way have the same key if their times are the
    /// same.
    package func append(_ index: Int, to columns: inout SampleColumns) throws {
        let ranges = deleted.isEmpty ? [] : deleted.ranges(ranks[index])
        var key = columns.count == 0 ? 0 : columns.timestampKey
        let isKeyed = columns.count == 0 || key != 0
        let start = columns.count
        var isWhole = true
        let leftOut = StoredHistograms.leftOut
        for chunk in chunks(index) {
            let count = columns.count
            do { try block.read(chunk, request.minTime, request.maxTime, streams, into: &columns) } catch {
                try block.leaveOut(error, request)
                columns.count = count
                columns.histograms.removeAll { $0.index >= count }
                isWhole = false
            }
            key = Self.mix(key, block.frames.identity, chunk)
        }
        if !ranges.isEmpty { key = columns.remove(ranges, from: start) ? 0 : key }
        // If a sample was left out, the times are not those of the key.
        columns.timestampKey = isKeyed && isWhole && leftOut == StoredHistograms.leftOut ? key : 0
    }

    private static func mix(_ key: UInt64, _ block: UInt64, _ chunk: ChunkRef) -> UInt64 {
        var z = key &* 0x9E37_79B9_7F4A_7C15 &+ block
        for part in [
            UInt64(chunk.timesFrame) << 32 | UInt64(chunk.timesOffset), UInt64(UInt32(bitPattern: chunk.count)),
        ] {
            z = (z ^ part) &* 0xBF58_476D_1CE4_E5B9
            z ^= z >> 29
        }
        return z | 1
    }
}

extension SampleColumns {
    /// Removes the samples within `ranges` from position `start` on; returns whether there were any.
    package mutating func remove(_ ranges: [(minTime: Int64, maxTime: Int64)], from start: Int) -> Bool {
        var kept = start
        var histogram = histograms.firstIndex { $0.index >= start } ?? histograms.count
        var keptHistograms = histogram
        for i in start..<count {
            let time = timestamps[i]
            let isHistogram = histogram < histograms.count && histograms[histogram].index == i
            if !ranges.contains(where: { $0.minTime <= time && time <= $0.maxTime }) {
                timestamps[kept] = time
                values[kept] = values[i]
                if isHistogram {
                    histograms[keptHistograms] = (kept, histograms[histogram].histogram)
                    keptHistograms += 1
                }
                kept += 1
            }
            if isHistogram { histogram += 1 }
        }
        let removed = kept < count
        histograms.removeLast(histograms.count - keptHistograms)
        count = kept
        return removed
    }
}
