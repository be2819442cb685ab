/// An encoded chunk: bytes that an entropy coder compresses, and bits without a pattern.
///
/// A frame stores the two separately, so that the bits do not disturb the statistics of the bytes and cost no time. The
/// low 4 bits of the first byte of a chunk are its codec; ``bitsFlag`` means that the position of its bits follows.
public struct ChunkParts: Sendable {
    /// A varint with the position of the bits follows the first byte.
    static let bitsFlag: UInt8 = 0x40

    public var bytes: [UInt8] = []
    public var bits: [UInt8] = []

    public init() {}

    /// The number of bytes of both parts.
    public var count: Int { bytes.count &+ bits.count }

    public mutating func removeAll() {
        bytes.removeAll(keepingCapacity: true)
        bits.removeAll(keepingCapacity: true)
    }

    /// Appends the chunk to the two parts of a frame.
    public func append(to frameBytes: inout [UInt8], bits frameBits: inout [UInt8]) {
        guard let first = bytes.first, !bits.isEmpty else { return frameBytes.append(contentsOf: bytes) }
        frameBytes.append(first | Self.bitsFlag)
        frameBytes.appendVarint(frameBits.count)
        frameBytes.append(contentsOf: bytes.dropFirst())
        frameBits.append(contentsOf: bits)
    }

    /// The bits of a chunk with the first byte `header`, up to the end of the frame's bits.
    static func bits(
        _ header: UInt8, _ reader: inout ByteReader, _ frameBits: UnsafeRawBufferPointer
    ) throws(DecodeError) -> UnsafeRawBufferPointer {
        guard header & bitsFlag != 0 else { return UnsafeRawBufferPointer(start: nil, count: 0) }
        let start = try reader.count(frameBits.count)
        return UnsafeRawBufferPointer(rebasing: frameBits[start...])
    }
}

/// The times of consecutive samples: codec 4, then ``PackedIntegers``.
public enum TimeChunk {
    static let codec: UInt8 = 4

    /// Appends `times` to an empty chunk.
    public static func write(_ times: UnsafeBufferPointer<Int64>, to chunk: inout ChunkParts) {
        chunk.bytes.append(codec)
        PackedIntegers(planning: times).write(times, to: &chunk.bytes, bits: &chunk.bits)
    }

    /// Reads `count` times, and moves `reader` after them; `bits` are those of the frame.
    public static func read(
        _ reader: inout ByteReader, bits: UnsafeRawBufferPointer, count: Int, into times: UnsafeMutablePointer<Int64>
    ) throws(DecodeError) {
        let header = try reader.byte()
        guard header & ~ChunkParts.bitsFlag == codec else {
            throw DecodeError(expected: "a run of times", offset: reader.offset)
        }
        let own = try ChunkParts.bits(header, &reader, bits)
        try PackedIntegers.read(&reader, bits: own, count: count, into: times)
    }
}
