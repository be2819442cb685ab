import Encoding
import Model
import Platform

/// A writer of one block: series in the order of their labels, each with its samples in the order of time.
///
/// It needs memory for a few frames, the distinct labels and the posting lists. The block gets its name only when all
/// of it is on disk: it is written to `ID.tmp`, synced and renamed. Only one thread at a time may use it.
package final class BlockWriter {
    package struct Options: Sendable {
        /// The zstd level: 1 for new blocks, 6 for merged blocks.
        package var compression: Int32 = 1
        /// Whether all values are encoded with Gorilla's XOR code.
        package var xorOnly = false
        /// See ``BlockMeta``.
        package var level = 1
        package var sources: [String] = []
        var parents: [String] = []
        /// The first time that the block may hold, ms; times are stored relative to it.
        package var baseTime: Int64 = 0

        package init() {}
    }

    private let files: any FileSystem
    private let parent: String
    private let temporary: String
    private let options: Options
    private let data: any File
    private let frames: FrameWriter
    private var encoder: ChunkEncoder
    private var pages = SeriesPages()
    private var postings = SymbolPostings()
    private var payloads = PayloadCache()
    private var runs = PayloadCache()
    private var payload = ChunkParts()
    private var chunks: [ChunkRef] = []
    private var last: Labels?
    private var lastName = ""
    private var described: [ExactText: MetricMetadata] = [:]
    private var isDone = false
    /// The metadata of metrics; the block stores the entries that belong to its series.
    ///
    /// It must be set before the first series is added.
    package var metadata: [ExactText: MetricMetadata] = [:]
    /// A function that finds further metadata of metrics; see ``metadata``.
    var findMetadata: ((ExactText) -> MetricMetadata?)?
    /// The memory for labels, posting lists and metadata.
    var memory = MemoryRequest() { didSet { postings.memory = memory } }
    /// The description of the block so far.
    package private(set) var meta: BlockMeta

    /// Starts a block `id` in the directory `parent`.
    package init(_ files: any FileSystem, parent: String, id: String, options: Options) throws {
        self.files = files
        self.parent = parent
        self.options = options
        temporary = "\(parent)/\(id).tmp"
        encoder = ChunkEncoder(xorOnly: options.xorOnly)
        meta = BlockMeta(
            id: id, minTime: .max, maxTime: .min, level: options.level,
            sources: options.sources.isEmpty ? [id] : options.sources, parents: options.parents)
        try BlockFiles.remove(temporary, files)
        try files.createDirectory(temporary)
        data = try files.open(temporary + "/data", .create)
        frames = try FrameWriter(data, block: id, level: options.compression)
    }

    deinit { if !isDone { abandon() } }

    /// The bytes of samples and labels written so far.
    package var size: Int { frames.size }

    /// Appends a series with all its samples; a series without samples is left out.
    ///
    /// - Throws: ``BlockError`` if labels or times are not in ascending order.
    package func add(_ labels: Labels, _ columns: borrowing SampleColumns) throws {
        guard columns.count > 0 else { return }
        if let last, Labels.compare(last, labels) >= 0 {
            throw misuse("series \(labels) is not behind \(last)")
        }
        let times = UnsafeBufferPointer(start: UnsafePointer(columns.timestamps), count: columns.count)
        for i in 1..<max(times.count, 1) where times[i] <= times[i - 1] {
            throw misuse("series \(labels) has time \(times[i]) behind \(times[i - 1])")
        }
        guard meta.seriesCount < Int(UInt32.max) else { throw misuse("more than \(UInt32.max) series") }
        chunks.removeAll(keepingCapacity: true)
        var start = 0
        var histogram = 0
        while start < times.count {
            let end = chunkEnd(times, start, columns.histograms, &histogram)
            try addChunk(columns, start..<end)
            start = end
        }
        let rank = UInt32(meta.seriesCount)
        pages.append(labels, chunks, baseTime: options.baseTime)
        try postings.add(labels, rank: rank)
        last = labels
        if !metadata.isEmpty || findMetadata != nil { try describe(labels) }
        meta.seriesCount += 1
        meta.chunkCount += chunks.count
        meta.sampleCount += times.count
        meta.minTime = min(meta.minTime, times[0])
        meta.maxTime = max(meta.maxTime, times[times.count - 1])
        if pages.isFull { try pages.flush(to: frames, next: rank + 1) }
    }

    private func describe(_ labels: Labels) throws(StorageError) {
        let name = labels.metricName
        guard !name.isExactly(lastName) else { return }
        lastName = name
        for family in BlockMetadata.families(of: name) {
            let key = ExactText(family)
            guard let known = metadata[key] ?? findMetadata?(key) else { continue }
            try memory.reserve(in: described, for: "the metadata of a block")
            described[key] = known
        }
    }

    /// The end of the chunk that starts at `start`: its samples are in one window and of one type, and their number is
    /// limited.
    private func chunkEnd(
        _ times: UnsafeBufferPointer<Int64>, _ start: Int,
        _ histograms: [(index: Int, histogram: FloatHistogram)], _ next: inout Int
    ) -> Int {
        let window = BlockFormat.chunkWindow
        let rest = times[start] % window
        let (limit, overflow) = times[start].addingReportingOverflow(window - (rest < 0 ? rest + window : rest))
        var end = min(start + BlockFormat.maxChunkSamples, times.count)
        if !overflow, times[end - 1] >= limit {
            var (low, high) = (start, end)
            while low < high {
                let middle = (low + high) / 2
                if times[middle] < limit { low = middle + 1 } else { high = middle }
            }
            end = low
        }
        guard next < histograms.count else { return end }
        if histograms[next].index > start { return min(end, histograms[next].index) }
        var at = start
        while at < end, next < histograms.count, histograms[next].index == at {
            at += 1
            next += 1
        }
        return max(at, start + 1)
    }

    private func addChunk(_ columns: borrowing SampleColumns, _ range: Range<Int>) throws {
        let times = UnsafeBufferPointer(start: UnsafePointer(columns.timestamps) + range.lowerBound, count: range.count)
        payload.removeAll()
        TimeChunk.write(times, to: &payload)
        let run = try store(.times, &runs)
        payload.removeAll()
        let first = columns.histograms.isEmpty ? nil : Self.position(columns.histograms, range.lowerBound)
        if let first {
            HistogramChunk.write(columns.histograms[first..<(first + range.count)].map(\.histogram), to: &payload.bytes)
        } else {
            encoder.encode(
                UnsafeBufferPointer(start: UnsafePointer(columns.values) + range.lowerBound, count: range.count),
                to: &payload)
        }
        StartSteps.append(columns.starts.part(from: times[0], to: times[times.count - 1]), to: &payload)
        let place = try store(.values, &payloads)
        chunks.append(
            ChunkRef(
                minTime: times[0], maxTime: times[times.count - 1], count: Int32(range.count),
                isHistogram: first != nil, frame: place.frame, offset: place.offset,
                length: place.length, timesFrame: run.frame, timesOffset: run.offset))
    }

    /// The position in `histograms` of the sample `index`; nil if it is not a histogram.
    private static func position(_ histograms: [(index: Int, histogram: FloatHistogram)], _ index: Int) -> Int? {
        var (low, high) = (0, histograms.count)
        while low < high {
            let middle = (low + high) / 2
            if histograms[middle].index < index { low = middle + 1 } else { high = middle }
        }
        return low < histograms.count && histograms[low].index == index ? low : nil
    }

    /// Appends `payload` to the frame of `kind`, unless an equal payload was stored before.
    private func store(_ kind: BlockFormat.FrameKind, _ cache: inout PayloadCache) throws -> PayloadCache.Place {
        // A reference needs more bytes than a short payload.
        guard payload.count >= 12 else { return try write(kind) }
        let key = PayloadCache.key(payload)
        if let known = cache.find(key) { return known }
        let place = try write(kind)
        cache.insert(key, place)
        return place
    }

    private func write(_ kind: BlockFormat.FrameKind) throws -> PayloadCache.Place {
        let (frame, offset) = frames.place(kind)
        let length = try frames.append(kind, payload)
        return .init(frame: frame, offset: offset, length: UInt32(truncatingIfNeeded: length))
    }

    /// Completes the block and gives it its name; returns nil, and leaves no block, if there was no sample.
    package func finish() throws -> BlockMeta? {
        guard meta.sampleCount > 0 else {
            abandon()
            return nil
        }
        try pages.flush(to: frames, next: UInt32(meta.seriesCount))
        try frames.flush(.values)
        try frames.flush(.times)
        let symbols = try writeSymbols()
        try data.syncData()
        data.close()
        let index = try files.open(temporary + "/index", .create)
        defer { index.close() }
        try write(index, symbols)
        try index.syncData()
        let description = try files.open(temporary + "/meta.json", .create)
        defer { description.close() }
        try description.write(meta.json())
        try description.syncData()
        try files.syncDirectory(temporary)
        try files.rename(temporary, to: "\(parent)/\(meta.id)")
        isDone = true
        try files.syncDirectory(parent)
        return meta
    }

    /// Removes the files that were written so far.
    package func abandon() {
        isDone = true
        data.close()
        // Files that cannot be removed now are removed at the next start.
        try? BlockFiles.remove(temporary, files)
    }

    /// Writes the pages of labels with their posting lists; returns the number of pages and the page table.
    private func writeSymbols() throws -> (pages: Int, table: [UInt8]) {
        var table: [UInt8] = []
        var pageCount = 0
        var page: [UInt8] = []
        var before: (name: Int, value: ArraySlice<UInt8>) = (-1, [])
        let frames = frames
        func flush() throws {
            guard !page.isEmpty else { return }
            let content = page
            try frames.append(.symbols) { $0 += content }
            try frames.flush(.symbols)
            page.removeAll(keepingCapacity: true)
        }
        try postings.forEach { name, value, count, list in
            if page.count >= BlockFormat.frameSize { try flush() }
            if page.isEmpty {
                before = (-1, [])
                try memory.reserve(value.count + 32, in: &table, for: "the pages of labels of a block")
                table.appendVarint(UInt64(frames.place(.symbols).frame))
                table.appendVarint(name)
                table.appendSized(value)
                pageCount += 1
            }
            var shared = 0
            if before.name == name {
                while shared < min(value.count, before.value.count),
                    value[value.startIndex + shared] == before.value[before.value.startIndex + shared]
                { shared += 1 }
            }
            page.appendVarint(name)
            page.appendVarint(shared)
            page.appendSized(value.dropFirst(shared))
            page.appendVarint(count)
            if list.count > BlockFormat.inlinePostings {
                let place = frames.place(.postings)
                try frames.append(.postings) { $0 += list }
                page.appendVarint(list.count << 1 | 1)
                page.appendVarint(UInt64(place.frame))
                page.appendVarint(UInt64(place.offset))
            } else {
                page.appendVarint(list.count << 1)
                page += list
            }
            before = (name, value)
        }
        try flush()
        try frames.flush(.postings)
        return (pageCount, table)
    }

    private func write(_ index: any File, _ symbols: (pages: Int, table: [UInt8])) throws {
        var index = BlockIndexWriter(index, block: meta.id)
        var bytes: [UInt8] = []
        bytes.reserveCapacity(frames.table.count * 16)
        for frame in frames.table {
            bytes.appendLittle(frame.offset)
            bytes.appendLittle(frame.stored)
            bytes.appendLittle(frame.raw)
        }
        try index.add(.frames, bytes)
        bytes = []
        for page in pages.pages {
            bytes.appendLittle(page.frame)
            bytes.appendLittle(page.first)
        }
        try index.add(.seriesPages, bytes)
        bytes = []
        bytes.appendVarint(postings.names.count)
        for id in postings.sortedNames { bytes.appendSized(postings.names[id]) }
        try index.add(.labelNames, bytes)
        try index.add(.symbolPages) {
            var count: [UInt8] = []
            count.appendVarint(symbols.pages)
            try $0(count)
            try $0(symbols.table)
        }
        bytes = []
        for value in [
            Int64(meta.seriesCount), Int64(meta.chunkCount), Int64(meta.sampleCount), meta.minTime, meta.maxTime,
            options.baseTime,
        ] { bytes.appendLittle(UInt64(bitPattern: value)) }
        try index.add(.stats, bytes)
        if !described.isEmpty {
            try index.add(.metadata) { try BlockMetadata.encode(described, memory, to: $0) }
        }
        try index.finish()
    }

    private func misuse(_ reason: String) -> BlockError {
        BlockError(file: temporary, section: "series", offset: meta.seriesCount, reason: reason)
    }
}

/// The positions of stored chunks by a 128-bit hash, for a limited number of chunks.
struct PayloadCache {
    struct Key: Hashable {
        var low: UInt64
        var high: UInt64
    }

    struct Place {
        var frame: UInt32 = 0
        var offset: UInt32 = 0
        var length: UInt32 = 0
    }

    private var slots = [(key: Key, place: Place)](repeating: (Key(low: 0, high: 0), Place()), count: 1 << 14)

    static func key(_ chunk: ChunkParts) -> Key {
        chunk.bytes.withUnsafeBytes { bytes in
            chunk.bits.withUnsafeBytes { bits in
                Key(
                    low: XXHash64.hash(bits, seed: XXHash64.hash(bytes)),
                    high: XXHash64.hash(bits, seed: XXHash64.hash(bytes, seed: 0x9E37_79B9_7F4A_7C15)) | 1)
            }
        }
    }

    func find(_ key: Key) -> Place? {
        let slot = slots[Int(truncatingIfNeeded: key.low & UInt64(slots.count - 1))]
        return slot.key == key ? slot.place : nil
    }

    mutating func insert(_ key: Key, _ place: Place) {
        slots[Int(truncatingIfNeeded: key.low & UInt64(slots.count - 1))] = (key, place)
    }
}
