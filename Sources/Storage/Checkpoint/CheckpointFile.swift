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

/// Reads a checkpoint frame by frame; what is damaged is left out.
struct CheckpointReader {
    private let mapping: FileMapping
    private let frames: [(offset: Int, stored: Int, raw: Int)]
    private let decompressor: ZstdDecompressor
    /// Where frames are missing, bytes from the beginning of the file.
    private(set) var damage: [Int] = []

    /// Checks the whole file.
    init(_ path: String, _ fileSystem: any FileSystem) throws {
        mapping = try fileSystem.map(path)
        decompressor = try ZstdDecompressor()
        let bytes = mapping.bytes
        var frames: [(offset: Int, stored: Int, raw: Int)] = []
        var at = CheckpointWriter.magic.count
        if bytes.count < at || !bytes[0..<at].elementsEqual(CheckpointWriter.magic) { damage.append(0) }
        while at < bytes.count {
            if let frame = Self.frame(bytes, at) {
                frames.append(frame)
                at = frame.offset &+ frame.stored
                continue
            }
            damage.append(at)
            guard let next = Self.resume(bytes, at &+ 1) else { break }
            at = next
        }
        self.frames = frames
        if try frames.last.map({ try frame($0).first }) != CheckpointFrame.end { damage.append(bytes.count) }
    }

    /// The whole frame at `at`, or nil.
    private static func frame(_ bytes: UnsafeRawBufferPointer, _ at: Int) -> (offset: Int, stored: Int, raw: Int)? {
        guard bytes.count &- at > 12 else { return nil }
        func word(_ offset: Int) -> UInt32 {
            UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: at &+ offset, as: UInt32.self))
        }
        let (raw, stored) = (Int(word(0)), Int(word(4)))
        guard raw > 0, raw <= 1 << 30, stored > 0, stored <= bytes.count &- at &- 12,
            CRC32C.hash(UnsafeRawBufferPointer(rebasing: bytes[(at &+ 12)..<(at &+ 12 &+ stored)])) == word(8)
        else { return nil }
        return (at &+ 12, stored, raw)
    }

    /// The next place where a whole frame begins, if it is found with reasonable effort.
    private static func resume(_ bytes: UnsafeRawBufferPointer, _ start: Int) -> Int? {
        var at = start
        var budget = 1 << 28
        while at &+ 12 < bytes.count, budget > 0 {
            let stored = Int(UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: at &+ 4, as: UInt32.self)))
            if stored > 0, stored <= bytes.count &- at &- 12, stored <= 4 * CheckpointWriter.frameSize {
                budget &-= stored
                if frame(bytes, at) != nil { return at }
            }
            at &+= 1
        }
        return nil
    }

    private func frame(_ entry: (offset: Int, stored: Int, raw: Int)) throws -> [UInt8] {
        var content = [UInt8](repeating: 0, count: entry.raw)
        let stored = UnsafeRawBufferPointer(
            rebasing: mapping.bytes[entry.offset..<(entry.offset + entry.stored)])
        try content.withUnsafeMutableBytes { try decompressor.decompress(stored, into: $0) }
        return content
    }

    /// Calls `body` with the kind and content of each frame that is whole; returns where `body` or a frame failed.
    func forEach(_ body: (UInt8, inout ByteReader) throws -> Void) -> [(offset: Int, error: any Error)] {
        var failures: [(offset: Int, error: any Error)] = []
        for entry in frames {
            do {
                let content = try frame(entry)
                try content.withUnsafeBytes { bytes in
                    var reader = ByteReader(bytes)
                    let kind = try reader.byte()
                    try body(kind, &reader)
                }
            } catch { failures.append((entry.offset, error)) }
        }
        return failures
    }
}
