import Encoding
import Model

/// A writer of the table of series: pages of labels and chunk references, in the order of labels.
///
///     page   entries, offset of each 16th entry (4 bytes each), their number (4 bytes)
///     entry  bytes shared with the previous labels (0 at each 16th), sized rest of the packed labels, flags (0),
///            sized run of chunks: their number, then for each: flags, zigzag time after the end of the previous
///            chunk (for the first chunk: after the block's first time), duration, samples, frame and offset
///            unless the chunk follows the previous one, length, frame and offset of the times
struct SeriesPages {
    private var bytes: [UInt8] = []
    private var restarts: [UInt32] = []
    private var inPage = 0
    private var previous: [UInt8] = []
    private var chunkBytes: [UInt8] = []
    /// The frame of each page and the rank of its first series.
    private(set) var pages: [(frame: UInt32, first: UInt32)] = []

    /// Appends a series; the time of its first chunk is relative to `baseTime`.
    mutating func append(_ labels: Labels, _ chunks: [ChunkRef], baseTime: Int64) {
        if inPage % BlockFormat.restartInterval == 0 {
            restarts.append(UInt32(truncatingIfNeeded: bytes.count))
            previous.removeAll(keepingCapacity: true)
        }
        var shared = 0
        let packed = labels.bytes
        let limit = min(packed.count, previous.count)
        while shared < limit, packed[shared] == previous[shared] { shared += 1 }
        bytes.appendVarint(shared)
        bytes.appendSized(packed[shared...])
        bytes.append(0)
        previous = packed
        chunkBytes.removeAll(keepingCapacity: true)
        chunkBytes.appendVarint(chunks.count)
        var end = baseTime
        var behind: (frame: UInt32, offset: UInt32) = (.max, .max)
        for chunk in chunks {
            let follows = chunk.frame == behind.frame && chunk.offset == behind.offset
            chunkBytes.append(
                UInt8(
                    (chunk.isHistogram ? BlockFormat.ChunkFlag.histograms : 0)
                        | (follows ? BlockFormat.ChunkFlag.follows : 0)))
            chunkBytes.appendZigzag(chunk.minTime &- end)
            chunkBytes.appendVarint(UInt64(bitPattern: chunk.maxTime &- chunk.minTime))
            chunkBytes.appendVarint(UInt64(truncatingIfNeeded: chunk.count))
            if !follows {
                chunkBytes.appendVarint(UInt64(chunk.frame))
                chunkBytes.appendVarint(UInt64(chunk.offset))
            }
            chunkBytes.appendVarint(UInt64(chunk.length))
            chunkBytes.appendVarint(UInt64(chunk.timesFrame))
            chunkBytes.appendVarint(UInt64(chunk.timesOffset))
            behind = (chunk.frame, chunk.offset &+ chunk.length)
            end = chunk.maxTime
        }
        bytes.appendSized(chunkBytes)
        inPage += 1
    }

    /// Whether the page should be written now.
    var isFull: Bool { bytes.count >= BlockFormat.frameSize }

    /// Writes the page, if it is not empty; `rank` is the rank of the first series after it.
    mutating func flush(to frames: FrameWriter, next rank: UInt32) throws {
        guard inPage > 0 else { return }
        for restart in restarts { bytes.appendLittle(restart) }
        bytes.appendLittle(UInt32(truncatingIfNeeded: restarts.count))
        let place = frames.place(.series)
        pages.append((place.frame, rank - UInt32(truncatingIfNeeded: inPage)))
        let content = bytes
        try frames.append(.series) { $0 += content }
        try frames.flush(.series)
        bytes.removeAll(keepingCapacity: true)
        restarts.removeAll(keepingCapacity: true)
        inPage = 0
    }
}

/// A reader of the entries of a page.
struct SeriesPageReader {
    private let page: UnsafeRawBufferPointer
    private let entriesEnd: Int
    private let restartCount: Int
    /// The number of series in the page.
    let count: Int
    /// The number of the next entry within the page.
    private(set) var next = 0
    private var reader: ByteReader
    /// The packed labels of the entry that was read last.
    private var labels: [UInt8] = []

    /// A copy of the labels of the entry that was read last, which does not share the reader's memory.
    func copyLabels() -> Labels { labels.withUnsafeBufferPointer { Labels(packed: Array($0)) } }

    init(_ page: UnsafeRawBufferPointer, count: Int) throws(DecodeError) {
        self.page = page
        self.count = count
        var tail = ByteReader(page, at: page.count - 4)
        let number = Int(try tail.u32())
        guard number == (count + BlockFormat.restartInterval - 1) / BlockFormat.restartInterval,
            page.count - 4 >= number * 4
        else { throw DecodeError(expected: "a page of \(count) series", offset: page.count) }
        restartCount = number
        entriesEnd = page.count - 4 - number * 4
        reader = ByteReader(UnsafeRawBufferPointer(rebasing: page[..<entriesEnd]))
    }

    /// Reads entry `index`, which must not be before ``next``, and returns the bytes of its chunks.
    mutating func read(_ index: Int) throws(DecodeError) -> ByteReader {
        guard index >= next, index < count else { throw DecodeError(expected: "a series of the page", offset: 0) }
        let restart = index / BlockFormat.restartInterval
        if restart * BlockFormat.restartInterval > next || next == 0 {
            var offsets = ByteReader(page, at: entriesEnd + restart * 4)
            reader = ByteReader(reader.bytes, at: Int(try offsets.u32()))
            next = restart * BlockFormat.restartInterval
        }
        while true {
            let shared = try reader.count()
            let rest = try reader.sizedRun()
            guard shared <= labels.count else {
                throw DecodeError(expected: "at most \(labels.count) shared bytes", offset: reader.offset)
            }
            labels.removeLast(labels.count - shared)
            labels.append(contentsOf: rest)
            guard try reader.byte() == 0 else {
                throw DecodeError(expected: "series flags of this version", offset: reader.offset)
            }
            let chunks = try reader.sizedRun()
            next += 1
            if next > index { return ByteReader(chunks) }
        }
    }

    /// Calls `body` for each chunk of an entry, in the order of time.
    static func chunks(
        _ entry: ByteReader, baseTime: Int64, _ body: (ChunkRef) -> Void
    ) throws(DecodeError) {
        var reader = entry
        var behind: (frame: UInt32, offset: UInt32) = (0, 0)
        let number = try reader.count()
        var end = baseTime
        for _ in 0..<number {
            let flags = Int(try reader.byte())
            guard flags & ~BlockFormat.ChunkFlag.known == 0 else {
                throw DecodeError(expected: "chunk flags of this version", offset: reader.offset)
            }
            let minTime = end &+ (try reader.zigzag())
            let maxTime = minTime &+ Int64(bitPattern: try reader.varint())
            let count = Int32(truncatingIfNeeded: try reader.count(BlockFormat.maxChunkSamples))
            if flags & BlockFormat.ChunkFlag.follows == 0 {
                behind.frame = UInt32(truncatingIfNeeded: try reader.count())
                behind.offset = UInt32(truncatingIfNeeded: try reader.count(BlockFormat.maxFrameSize))
            }
            let length = UInt32(truncatingIfNeeded: try reader.count(BlockFormat.maxFrameSize))
            let timesFrame = UInt32(truncatingIfNeeded: try reader.count())
            let timesOffset = UInt32(truncatingIfNeeded: try reader.count(BlockFormat.maxFrameSize))
            if flags & BlockFormat.ChunkFlag.isExtended != 0 { _ = try reader.sizedRun() }
            body(
                ChunkRef(
                    minTime: minTime, maxTime: maxTime, count: count,
                    isHistogram: flags & BlockFormat.ChunkFlag.histograms != 0, frame: behind.frame,
                    offset: behind.offset, length: length, timesFrame: timesFrame, timesOffset: timesOffset))
            behind.offset &+= length
            end = maxTime
        }
    }
}
