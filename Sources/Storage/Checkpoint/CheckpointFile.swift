import Encoding
import Platform

/// The file `checkpoint`: frames of records, each compressed and checked by itself.
///
///     magic (8) · frames: raw size (4) · stored size (4) · crc32c of what is stored (4) · zstd
///
/// The last frame is of kind ``end``; a file without it was not finished and counts as damaged.
struct CheckpointWriter {
    static let magic: [UInt8] = Array("MLTCKP1\n".utf8)
    static let frameSize = 1 << 20

    private let file: any File
    private let compressor: ZstdCompressor
    private var stored: [UInt8] = []
    private(set) var size = 0

    init(_ file: any File) throws {
        self.file = file
        compressor = try ZstdCompressor()
        try file.write(Self.magic)
    }

    mutating func write(_ frame: [UInt8]) throws {
        guard !frame.isEmpty else { return }
        stored.removeAll(keepingCapacity: true)
        try frame.withUnsafeBytes { try compressor.compress($0, level: 1, to: &stored) }
        var bytes: [UInt8] = []
        bytes.reserveCapacity(stored.count + 12)
        bytes.appendLittle(UInt32(truncatingIfNeeded: frame.count))
        bytes.appendLittle(UInt32(truncatingIfNeeded: stored.count))
        bytes.appendLittle(CRC32C.hash(stored))
        bytes += stored
        try file.write(bytes)
        size += bytes.count
    }
}

/// Kinds of frames: the first byte of each.
enum CheckpointFrame {
    static let header: UInt8 = 1
    static let series: UInt8 = 2
    static let group: UInt8 = 3
    static let states: UInt8 = 4
    /// Records as the log has them.
    static let records: UInt8 = 5
    static let end: UInt8 = 6
}

/// Reads a checkpoint frame by frame.
struct CheckpointReader {
    private let mapping: FileMapping
    private let frames: [(offset: Int, stored: Int, raw: Int)]
    private let decompressor: ZstdDecompressor

    /// Checks the whole file; throws if a part of it is damaged or missing.
    init(_ path: String, _ fileSystem: any FileSystem) throws {
        mapping = try fileSystem.map(path)
        decompressor = try ZstdDecompressor()
        let bytes = mapping.bytes
        guard bytes.count > 8, bytes[0..<8].elementsEqual(CheckpointWriter.magic) else {
            throw StorageError.damaged("\(path): expected a checkpoint")
        }
        var frames: [(offset: Int, stored: Int, raw: Int)] = []
        var reader = ByteReader(bytes, at: 8)
        while !reader.isAtEnd {
            let start = reader.offset
            do throws(DecodeError) {
                let (raw, stored, checksum) = (try reader.u32(), try reader.u32(), try reader.u32())
                let offset = reader.offset
                guard raw <= 1 << 30, CRC32C.hash(try reader.run(Int(stored))) == checksum else {
                    throw DecodeError(expected: "a matching checksum", offset: offset)
                }
                frames.append((offset, Int(stored), Int(raw)))
            } catch { throw StorageError.damaged("\(path): frame at \(start): \(error)") }
        }
        self.frames = frames
        guard let last = frames.last, try frame(last).first == CheckpointFrame.end else {
            throw StorageError.damaged("\(path): the end is missing")
        }
    }

    private func frame(_ entry: (offset: Int, stored: Int, raw: Int)) throws -> [UInt8] {
        var content = [UInt8](repeating: 0, count: entry.raw)
        let stored = UnsafeRawBufferPointer(
            rebasing: mapping.bytes[entry.offset..<(entry.offset + entry.stored)])
        try content.withUnsafeMutableBytes { try decompressor.decompress(stored, into: $0) }
        return content
    }

    /// Calls `body` with the content of each frame.
    func forEach(_ body: (UInt8, inout ByteReader) throws -> Void) throws {
        for entry in frames {
            let content = try frame(entry)
            try content.withUnsafeBytes { bytes in
                var reader = ByteReader(bytes)
                let kind = try reader.byte()
                try body(kind, &reader)
            }
        }
    }
}
