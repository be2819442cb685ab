import Encoding
import Platform

/// A writer of the data file of a block: frames of several kinds, each filled separately.
final class FrameWriter {
    /// A frame that is being filled.
    private struct Pending {
        var id: UInt32
        var bytes: [UInt8] = []
        /// The bits of the chunks, which are stored without compression; see ``ChunkParts``.
        var bits: [UInt8] = []
        /// The ends of the chunks in `bytes`.
        var ends: [Int] = []
    }

    private let file: any File
    private let compressor: ZstdCompressor
    private let owner: BlockOwner
    private let level: Int32
    private var statistics = StatisticsCuts()
    private var pending: [BlockFormat.FrameKind: Pending] = [:]
    /// The offset, stored size and raw size of each frame, by id.
    private(set) var table: [(offset: UInt64, stored: UInt32, raw: UInt32)] = []
    private var out: [UInt8] = []
    private var position = BlockFormat.headerSize

    init(_ file: any File, block: String, level: Int32) throws {
        self.file = file
        owner = BlockOwner(block)
        self.level = level
        compressor = try ZstdCompressor()
        try file.write(owner.header(BlockFormat.dataMagic))
    }

    /// The bytes written so far.
    var size: Int { position }

    /// The position of the next bytes of `kind`.
    func place(_ kind: BlockFormat.FrameKind) -> (frame: UInt32, offset: UInt32) {
        if let current = pending[kind] { return (current.id, UInt32(truncatingIfNeeded: current.bytes.count)) }
        let id = UInt32(truncatingIfNeeded: table.count)
        table.append((0, 0, 0))
        pending[kind] = Pending(id: id)
        return (id, 0)
    }

    /// Calls `body` to append to the frame of `kind`, and writes the frame if it is full.
    func append(_ kind: BlockFormat.FrameKind, _ body: (inout [UInt8]) -> Void) throws {
        _ = place(kind)
        body(&pending[kind, default: Pending(id: 0)].bytes)
        if pending[kind]?.bytes.count ?? 0 >= BlockFormat.frameSize { try flush(kind) }
    }

    /// Appends a chunk to the frame of `kind`, and writes the frame if it is full; returns the size of its bytes.
    func append(_ kind: BlockFormat.FrameKind, _ chunk: ChunkParts) throws -> Int {
        _ = place(kind)
        let size = append(chunk, to: &pending[kind, default: Pending(id: 0)])
        if pending[kind]?.bytes.count ?? 0 >= BlockFormat.frameSize { try flush(kind) }
        return size
    }

    private func append(_ chunk: ChunkParts, to frame: inout Pending) -> Int {
        let start = frame.bytes.count
        chunk.append(to: &frame.bytes, bits: &frame.bits)
        frame.ends.append(frame.bytes.count)
        return frame.bytes.count - start
    }

    /// Writes the frame of `kind`, if one was started.
    func flush(_ kind: BlockFormat.FrameKind) throws {
        guard var frame = pending.removeValue(forKey: kind) else { return }
        if !frame.bits.isEmpty { frame.bits += [UInt8](repeating: 0, count: PackedIntegers.padding) }
        out.removeAll(keepingCapacity: true)
        out.appendLittle(BlockFormat.frameMagic)
        out.append(kind.rawValue)
        out.append(1)
        out.appendLittle(0 as UInt16)
        out.appendLittle(UInt32(truncatingIfNeeded: frame.bytes.count))
        out.appendLittle(UInt32(truncatingIfNeeded: frame.bits.count))
        out.appendLittle(0 as UInt32)
        out.appendLittle(0 as UInt32)
        let result = frame.bytes.withUnsafeBytes { bytes -> CompressionError? in
            do throws(CompressionError) {
                let cuts = frame.ends.isEmpty ? [] : statistics.find(bytes, ends: frame.ends)
                if cuts.isEmpty {
                    try compressor.compress(bytes, level: level, to: &out)
                } else {
                    try compressor.compress(bytes, level: level, cuts: cuts, to: &out)
                }
                return nil
            } catch { return error }
        }
        if let result { throw result }
        if out.count - BlockFormat.frameHeaderSize >= frame.bytes.count {
            out.removeLast(out.count - BlockFormat.frameHeaderSize)
            out += frame.bytes
            out[5] = 0
        }
        out += frame.bits
        let stored = UInt32(truncatingIfNeeded: out.count - BlockFormat.frameHeaderSize)
        FrameWriter.put(stored, at: 16, in: &out)
        FrameWriter.put(FrameWriter.checksum(out, from: owner.start(at: position)), at: 20, in: &out)
        try file.write(out)
        table[Int(frame.id)] = (UInt64(position), stored, UInt32(truncatingIfNeeded: frame.bytes.count))
        position += out.count
    }

    /// The checksum of a frame: its header without the checksum, and its stored bytes.
    ///
    /// - Parameter start: See ``BlockOwner/start(at:)``.
    static func checksum(_ frame: [UInt8], from start: UInt32) -> UInt32 {
        frame.withUnsafeBytes { checksum($0, from: start) }
    }

    static func checksum(_ frame: UnsafeRawBufferPointer, from start: UInt32) -> UInt32 {
        guard frame.count >= BlockFormat.frameHeaderSize else { return 0 }
        let head = CRC32C.hash(UnsafeRawBufferPointer(rebasing: frame[..<20]), after: start)
        return CRC32C.hash(UnsafeRawBufferPointer(rebasing: frame[BlockFormat.frameHeaderSize...]), after: head)
    }

    private static func put(_ value: UInt32, at offset: Int, in bytes: inout [UInt8]) {
        for i in 0..<4 { bytes[offset + i] = UInt8(truncatingIfNeeded: value >> UInt32(8 * i)) }
    }
}
