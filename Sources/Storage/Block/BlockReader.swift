import Encoding
import Model
import Platform
import Telemetry

/// An open block.
///
/// Many threads may use it.
///
/// The files stay readable until the last reference is released, even if they are removed.
package final class BlockReader: Sendable {
    package let meta: BlockMeta
    /// The directory of the block.
    package let directory: String
    let index: BlockIndex
    let frames: BlockFrames
    private let files: any FileSystem
    private let deleted: Guarded<DeletedRanges>
    /// The place where damage is noted, so that answers are given without it; nil if damage ends a read.
    let leftOut: LeftOut?

    /// Opens the block in `directory`; only its small tables are read and checked.
    package convenience init(_ files: any FileSystem, directory: String, cache: FrameCache) throws {
        try self.init(files, directory: directory, cache: cache, leftOut: nil)
    }

    init(_ files: any FileSystem, directory: String, cache: FrameCache, leftOut: LeftOut?) throws {
        self.files = files
        self.leftOut = leftOut
        self.directory = directory
        index = try BlockIndex(files, directory + "/index")
        var meta = try BlockMeta.read(files, directory)
        // The index has a checksum, but the description has none.
        (meta.minTime, meta.maxTime) = (index.minTime, index.maxTime)
        self.meta = meta
        frames = try BlockFrames(try files.open(directory + "/data", .read), table: index.frames, cache: cache)
        deleted = Guarded(try DeletedRanges.read(files, directory, limit: UInt32(index.seriesCount)))
    }

    /// Another reader of the same open file with a cache of its own; damage ends a read.
    init(_ other: BlockReader, cache: FrameCache) throws {
        (meta, directory, index, files) = (other.meta, other.directory, other.index, other.files)
        leftOut = nil
        frames = try BlockFrames(other.frames, cache: cache)
        deleted = Guarded(other.deleted.withLock { $0 })
    }

    package var minTime: Int64 { index.minTime }
    package var maxTime: Int64 { index.maxTime }

    /// Notes that a part of the block cannot be read, and adds a warning to the answer of the request.
    ///
    /// - Throws: `error`, if it is about something else, or if damage ends a read.
    func leaveOut(_ error: any Error, _ request: SelectRequest) throws {
        // A shortage of the process is no property of the block: the query fails, and may succeed later.
        guard StorageError.shortage(error) == nil, let part = noteDamage(error) else { throw error }
        request.warn?(part.description)
    }

    /// Notes that a part of the block cannot be read; returns nil if damage ends a read, or `error` is about something
    /// else.
    @discardableResult
    func noteDamage(_ error: any Error) -> LeftOutPart? {
        guard let leftOut, let kind = LeftOut.kind(error) else { return nil }
        let part = LeftOutPart(
            name: meta.id, isBlock: true, kind: kind, reason: "\(error)", times: minTime...max(minTime, maxTime))
        if leftOut.note(part) {
            Log("storage").error(
                "A part of a block cannot be read and is left out", ["block": meta.id, "err": "\(error)"])
        }
        return part
    }

    /// Checks whether the files of the block still exist; nil if they do.
    func look() -> LeftOutPart? {
        do {
            for name in ["data", "index", "meta.json"] { try files.open(directory + "/" + name, .read).close() }
            let (size, wanted) = (try files.status(directory + "/data").size, frames.end)
            guard size < wanted else { return nil }
            throw BlockError(
                file: directory + "/data", section: "data", offset: size, reason: "it had \(wanted) bytes at least")
        } catch {
            if StorageError.shortage(error) != nil { return nil }
            return LeftOutPart(
                name: meta.id, isBlock: true, kind: LeftOut.kind(error) ?? .unreadable, reason: "\(error)",
                times: minTime...max(minTime, maxTime))
        }
    }

    var postings: BlockPostings { BlockPostings(index: index, frames: frames) }

    /// Type, unit and help of the metrics in the block, as far as they were known.
    package func metadata() throws -> [ExactText: MetricMetadata] {
        guard !index.metadata.isEmpty else { return [:] }
        do { return try BlockMetadata.decode(index.metadata) } catch {
            if let shortage = StorageError.shortage(error) { throw shortage }
            throw BlockError(file: directory + "/index", section: "metadata", offset: 0, reason: "\(error)")
        }
    }

    /// The bytes on disk.
    package func size() throws -> Int { try files.usage(directory) }

    /// The matching series, sorted by labels, without series that have no chunk in the requested time range.
    package func select(_ request: SelectRequest) throws -> BlockSeriesSet {
        let ranks = try postings.select(request.matchers, check: request.check)
        return try BlockSeriesSet(self, ranks, request, deleted: deleted.withLock { $0 })
    }

    /// The names of labels of matching series, sorted bytewise.
    package func labelNames(
        _ matchers: [Matcher], check: (@Sendable () throws -> Void)? = nil
    ) throws -> [String] {
        if matchers.isEmpty { return index.names.map { String(decoding: $0, as: UTF8.self) } }
        let postings = postings
        let ranks = try postings.select(matchers, check: check)
        var result: [String] = []
        for (number, name) in index.names.enumerated() {
            var isUsed = false
            try postings.forEachValue(of: number) { symbol in
                isUsed = try postings.postings(symbol).intersects(ranks)
                return !isUsed
            }
            if isUsed { result.append(String(decoding: name, as: UTF8.self)) }
        }
        return result
    }

    /// The values of label `name` of matching series, sorted bytewise.
    package func labelValues(
        _ name: String, _ matchers: [Matcher], check: (@Sendable () throws -> Void)? = nil
    ) throws -> [String] {
        guard let number = index.name(Array(name.utf8)) else { return [] }
        let postings = postings
        let ranks = matchers.isEmpty ? nil : try postings.select(matchers, check: check)
        var result: [String] = []
        try postings.forEachValue(of: number) { symbol in
            if let ranks, try !postings.postings(symbol).intersects(ranks) { return true }
            result.append(String(decoding: symbol.value, as: UTF8.self))
            return true
        }
        return result
    }

    /// Marks the samples of matching series within [`minTime`, `maxTime`] as deleted, durably.
    ///
    /// Sets that are selected afterwards do not have them; the next merge removes them from disk.
    package func delete(_ matchers: [Matcher], minTime: Int64, maxTime: Int64) throws {
        guard minTime <= self.maxTime, maxTime >= self.minTime else { return }
        _ = try delete(try ranks(matchers), minTime: minTime, maxTime: maxTime)
    }

    /// The ranks of matching series.
    func ranks(_ matchers: [Matcher]) throws -> PostingRuns { try postings.select(matchers, check: nil) }

    /// Marks the samples of series within [`minTime`, `maxTime`] as deleted, durably; returns the earlier deletions.
    func delete(_ ranks: PostingRuns, minTime: Int64, maxTime: Int64) throws -> DeletedRanges {
        try changeDeletions { if !ranks.isEmpty { $0.add(ranks, minTime, maxTime) } }
    }

    /// Replaces the deletions by earlier ones, durably.
    func restore(_ earlier: DeletedRanges) throws { _ = try changeDeletions { $0 = earlier } }

    /// Changes the deletions, durably, and returns the earlier ones; if it throws, those of the file count.
    private func changeDeletions(_ change: (inout DeletedRanges) -> Void) throws -> DeletedRanges {
        let result = deleted.withLock { ranges -> Result<DeletedRanges, any Error> in
            let before = ranges
            var next = ranges
            change(&next)
            guard next.entries.count != before.entries.count else { return .success(before) }
            do {
                try next.write(files, directory)
                ranges = next
                return .success(before)
            } catch {
                // The file may have been replaced before the error.
                do { try before.write(files, directory) } catch {
                    let limit = UInt32(index.seriesCount)
                    ranges = (try? DeletedRanges.read(files, directory, limit: limit)) ?? before
                }
                return .failure(error)
            }
        }
        return try result.get()
    }

    /// Whether some samples are marked as deleted.
    package var hasDeletions: Bool { deletionCount > 0 }

    /// The number of deletions in the file `deleted`.
    var deletionCount: Int { deleted.withLock { $0.entries.count } }

    /// All series in order, for a merge.
    func scan() -> BlockScan { BlockScan(self, deleted: deleted.withLock { $0 }) }

    /// Reads page number `page` of the series; returns its frame, the rank of its first series, and its number of
    /// series.
    func seriesPage(_ page: Int) throws -> (frame: Frame, first: Int, count: Int) {
        let entry = index.seriesPages[page]
        return (
            try frames.read(entry.frame, .series), Int(entry.first), firstRank(behind: page) - Int(entry.first)
        )
    }

    /// The rank of the first series after page `page`.
    func firstRank(behind page: Int) -> Int {
        page + 1 < index.seriesPages.count ? Int(index.seriesPages[page + 1].first) : index.seriesCount
    }

    /// The number of the page with series `rank`.
    func seriesPage(of rank: UInt32) -> Int {
        var (low, high) = (0, index.seriesPages.count)
        while low < high {
            let middle = (low + high) / 2
            if index.seriesPages[middle].first <= rank { low = middle + 1 } else { high = middle }
        }
        return low - 1
    }

    /// Appends the samples of a chunk within [`minTime`, `maxTime`] to `columns`.
    ///
    /// - Parameter streams: The times that were read before for other series of the block; nil to read them again.
    func read(
        _ chunk: ChunkRef, _ minTime: Int64, _ maxTime: Int64, _ streams: TimeStreams?,
        into columns: inout SampleColumns
    ) throws {
        let count = Int(chunk.count)
        guard count > 0 else { return }
        let valuesFrame = try frames.read(chunk.frame, .values, &columns.cost)
        columns.cost.chunks &+= 1
        columns.cost.bytes &+= Int(chunk.length)
        columns.reserve(count)
        let start = columns.count
        let times = columns.timestamps + start
        if streams?.copy(chunk, to: times) != true {
            try readTimes(chunk, into: times, &columns.cost)
            streams?.keep(chunk, times)
        }
        var kept = count
        do throws(DecodeError) {
            var values = ByteReader(valuesFrame.bytes, at: Int(chunk.offset))
            guard values.remaining >= Int(chunk.length) else {
                throw DecodeError(expected: "\(chunk.length) bytes", offset: Int(chunk.offset))
            }
            if chunk.isHistogram {
                let histograms = try HistogramChunk.read(&values, count: count)
                kept = 0
                for i in 0..<count {
                    // An invalid histogram is not a sample, so the next sample gets its position.
                    guard StoredHistograms.isSound(histograms[i]) else { continue }
                    times[kept] = times[i]
                    columns.values[start + kept] = .nan
                    if times[i] >= minTime, times[i] <= maxTime {
                        columns.histograms.append((start + kept, histograms[i]))
                    }
                    kept += 1
                }
            } else {
                try ValueChunk.read(&values, bits: valuesFrame.bits, count: count, into: columns.values + start)
            }
            let starts = try StartSteps.read(valuesFrame.bytes[Int(chunk.offset)], &values)
            columns.starts.append(starts, from: chunk.minTime)
        } catch { throw frames.damage(chunk.frame, "\(error)") }
        var (low, high) = (0, kept)
        if chunk.minTime < minTime { low = Self.lowerBound(times, kept, minTime) }
        if chunk.maxTime > maxTime {
            high = maxTime == .max ? kept : Self.lowerBound(times, kept, maxTime + 1)
        }
        guard low < high else { return }
        if low > 0 {
            // The regions overlap; `update` permits this, as memmove does.
            times.update(from: times + low, count: high - low)
            (columns.values + start).update(from: columns.values + start + low, count: high - low)
            if chunk.isHistogram {
                for i in columns.histograms.indices where columns.histograms[i].index >= start {
                    columns.histograms[i].index -= low
                }
            }
        }
        columns.count = start + high - low
    }

    private func readTimes(
        _ chunk: ChunkRef, into times: UnsafeMutablePointer<Int64>, _ cost: inout ReadCost
    ) throws {
        let (frame, count) = (try frames.read(chunk.timesFrame, .times, &cost), Int(chunk.count))
        do throws(DecodeError) {
            var reader = ByteReader(frame.bytes, at: Int(chunk.timesOffset))
            try TimeChunk.read(&reader, bits: frame.bits, count: count, into: times)
        } catch { throw frames.damage(chunk.timesFrame, "\(error)") }
        guard times[0] == chunk.minTime, times[count - 1] == chunk.maxTime else {
            throw frames.damage(chunk.timesFrame, "the times do not begin and end as the series table says")
        }
    }

    private static func lowerBound(_ times: UnsafeMutablePointer<Int64>, _ count: Int, _ time: Int64) -> Int {
        var (low, high) = (0, count)
        while low < high {
            let middle = (low + high) / 2
            if times[middle] < time { low = middle + 1 } else { high = middle }
        }
        return low
    }
}
