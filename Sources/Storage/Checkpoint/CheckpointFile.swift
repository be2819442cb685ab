import Encoding
import Platform

/// The writer of the file `checkpoint`: frames of records, each with its own compression and checksum.
///
///     magic (8) · frames: kind (4) · group (4) · raw size (4) · stored size (4) · crc32c of these and the content (4)
///     · content, compressed with zstd
///
/// The last frame is of the kind ``CheckpointFrame/end``; a file without it was not finished and counts as damaged.
struct CheckpointWriter {
    static let magic: [UInt8] = Array("MLTCKP2\n".utf8)
    static let frameSize = 1 << 20
    /// The most bytes of a frame of records, unless one record is longer.
    static let recordsSize = 1 << 16
    /// The most bytes that a reader maps: no checkpoint is longer.
    static let longest = 1 << 36

    private let file: any File
    private let compressor: ZstdCompressor
    private var stored: [UInt8] = []
    private(set) var size = 0

    init(_ file: any File) throws {
        self.file = file
        compressor = try ZstdCompressor()
        try file.write(Self.magic)
    }

    /// Writes a frame; `group` is the group whose states it has.
    mutating func write(_ kind: UInt32, group: UInt32 = 0, _ frame: [UInt8]) throws {
        stored.removeAll(keepingCapacity: true)
        try frame.withUnsafeBytes { try compressor.compress($0, level: 1, to: &stored) }
        var bytes: [UInt8] = []
        bytes.reserveCapacity(stored.count + CheckpointFrame.framing.headerSize)
        var before: [UInt8] = []
        before.appendLittle(kind)
        before.appendLittle(group)
        before.appendLittle(UInt32(truncatingIfNeeded: frame.count))
        stored.withUnsafeBytes { CheckpointFrame.framing.appendHeader(prefix: before, $0, to: &bytes) }
        bytes += stored
        try file.write(bytes)
        size += bytes.count
    }
}

/// A frame of a checkpoint, and the kinds of frames.
struct CheckpointFrame {
    static let header: UInt32 = 1
    static let series: UInt32 = 2
    static let group: UInt32 = 3
    static let states: UInt32 = 4
    /// Records in the form of the log.
    static let records: UInt32 = 5
    static let end: UInt32 = 6
    /// The most bytes of a header and its framing; it has a few numbers.
    static let mostHeader = 1 << 10

    /// The framing, with kind, group and raw size before the length.
    static let framing = RecordFraming(
        prefix: 12, longest: Int(UInt32.max), longestSought: 4 * CheckpointWriter.frameSize, leadingZeros: 0)

    var kind: UInt32
    var group: UInt32
    /// The position and the number of the stored bytes.
    var offset: Int
    var stored: Int
    /// The bytes of the content after decompression.
    var raw: Int
}

/// A reader of the frames of a checkpoint; damaged frames are left out.
struct CheckpointReader: @unchecked Sendable {
    // SAFETY: the variables are set by the initialiser, then only read.
    private let mapping: FileMapping
    /// The frames that are whole.
    let frames: [CheckpointFrame]
    /// The positions of missing frames, in bytes from the start of the file.
    private(set) var damage: [Int] = []

    /// Checks the whole file.
    init(_ path: String, _ fileSystem: any FileSystem) throws {
        mapping = try fileSystem.map(path, limit: CheckpointWriter.longest)
        let bytes = mapping.bytes
        var frames: [CheckpointFrame] = []
        var at = CheckpointWriter.magic.count
        if bytes.count < at || !bytes[0..<at].elementsEqual(CheckpointWriter.magic) { damage.append(0) }
        while at < bytes.count {
            if let frame = Self.frame(bytes, at) {
                frames.append(frame)
                at = frame.offset &+ frame.stored
                continue
            }
            damage.append(at)
            guard let next = Self.resume(mapping, at &+ 1) else { break }
            at = next
        }
        self.frames = frames
        if frames.last?.kind != CheckpointFrame.end || mapping.isPartial { damage.append(bytes.count) }
    }

    /// The id of the store that a checkpoint states; nil if there is none, or if the frame with it is damaged.
    static func store(of path: String, _ fileSystem: any FileSystem) throws(FileError) -> UInt64? {
        let start = try FileStart.read(path, CheckpointWriter.magic.count + CheckpointFrame.mostHeader, fileSystem)
        guard start.starts(with: CheckpointWriter.magic) else { return nil }
        return start.withUnsafeBytes { bytes in
            guard let frame = frame(bytes, CheckpointWriter.magic.count), frame.kind == CheckpointFrame.header,
                frame.raw <= CheckpointFrame.mostHeader
            else { return nil }
            let stored = UnsafeRawBufferPointer(rebasing: bytes[frame.offset..<(frame.offset &+ frame.stored)])
            return withUnsafeTemporaryAllocation(byteCount: frame.raw, alignment: 8) { content in
                do {
                    try ZstdDecompressor().decompress(stored, into: content)
                    return try store(inHeader: ByteReader(UnsafeRawBufferPointer(content)))
                } catch { return nil }
            }
        }
    }

    /// The id in the content of a header frame, after the fields that were there before it.
    private static func store(inHeader content: ByteReader) throws(DecodeError) -> UInt64? {
        var reader = content
        for _ in 0..<6 where !reader.isAtEnd { _ = try reader.varint() }
        if !reader.isAtEnd { _ = try reader.u32() }
        for _ in 0..<2 where !reader.isAtEnd { _ = try reader.varint() }
        let id = reader.isAtEnd ? 0 : try reader.u64()
        return id == 0 ? nil : id
    }

    private static func word(_ bytes: UnsafeRawBufferPointer, _ at: Int) -> UInt32 {
        UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: at, as: UInt32.self))
    }

    /// The whole frame at `at`; nil if there is none.
    private static func frame(_ bytes: UnsafeRawBufferPointer, _ at: Int) -> CheckpointFrame? {
        guard let frame = CheckpointFrame.framing.frame(bytes, at: at) else { return nil }
        let raw = Int(word(bytes, at &+ 8))
        guard raw <= 1 << 30 else { return nil }
        return CheckpointFrame(
            kind: word(bytes, at), group: word(bytes, at &+ 4), offset: frame.content.lowerBound,
            stored: frame.content.count, raw: raw)
    }

    /// The position of the next whole frame, if a limited search finds it.
    private static func resume(_ mapping: FileMapping, _ start: Int) -> Int? {
        let bytes = mapping.bytes
        return CheckpointFrame.framing.next(mapping, from: start, budget: 1 << 28) { at, whole in
            word(bytes, at) <= CheckpointFrame.end && (whole == nil || frame(bytes, at) != nil)
        }
    }

    /// Calls `body` with the content of a frame.
    func read(
        _ frame: CheckpointFrame, _ decompressor: ZstdDecompressor, _ body: (inout ByteReader) throws -> Void
    ) throws {
        let stored = UnsafeRawBufferPointer(
            rebasing: mapping.bytes[frame.offset..<(frame.offset &+ frame.stored)])
        guard AddressSpace.canAllocate(frame.raw) else {
            throw StorageError.outOfMemory("a part of the checkpoint of \(frame.raw) bytes\(AddressSpace.note)")
        }
        let content = UnsafeMutableRawBufferPointer.allocate(byteCount: frame.raw, alignment: 16)
        defer { content.deallocate() }
        try decompressor.decompress(stored, into: content)
        var reader = ByteReader(UnsafeRawBufferPointer(content))
        try body(&reader)
    }
}
