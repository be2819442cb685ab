/// Reads fields one after the other; never outside its bytes.
///
/// The bytes must outlive the reader.
public struct ByteReader {
    public let bytes: UnsafeRawBufferPointer
    /// The next byte to read.
    public private(set) var offset: Int

    public init(_ bytes: UnsafeRawBufferPointer, at offset: Int = 0) {
        self.bytes = bytes
        self.offset = min(max(offset, 0), bytes.count)
    }

    public var remaining: Int { bytes.count &- offset }
    public var isAtEnd: Bool { offset >= bytes.count }

    private func fail(_ expected: String) -> DecodeError { DecodeError(expected: expected, offset: offset) }

    public mutating func byte() throws(DecodeError) -> UInt8 {
        guard offset < bytes.count else { throw fail("a byte") }
        defer { offset &+= 1 }
        return bytes[offset]
    }

    /// A little-endian 16-bit number.
    public mutating func u16() throws(DecodeError) -> UInt16 {
        guard remaining >= 2 else { throw fail("2 bytes") }
        defer { offset &+= 2 }
        return UInt16(littleEndian: bytes.loadUnaligned(fromByteOffset: offset, as: UInt16.self))
    }

    /// A little-endian 32-bit number.
    public mutating func u32() throws(DecodeError) -> UInt32 {
        guard remaining >= 4 else { throw fail("4 bytes") }
        defer { offset &+= 4 }
        return UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: offset, as: UInt32.self))
    }

    /// A little-endian 64-bit number.
    public mutating func u64() throws(DecodeError) -> UInt64 {
        guard remaining >= 8 else { throw fail("8 bytes") }
        defer { offset &+= 8 }
        return UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: offset, as: UInt64.self))
    }

    /// An unsigned number in groups of 7 bits, lowest first (LEB128).
    public mutating func varint() throws(DecodeError) -> UInt64 {
        guard offset < bytes.count else { throw fail("a varint") }
        let first = bytes[offset]
        if first < 0x80 {
            offset &+= 1
            return UInt64(first)
        }
        var value: UInt64 = 0
        var shift: UInt64 = 0
        var at = offset
        while at < bytes.count, shift < 64 {
            let next = bytes[at]
            at &+= 1
            if shift == 63, next > 1 { break }
            value |= UInt64(next & 0x7F) << shift
            if next < 0x80 {
                offset = at
                return value
            }
            shift &+= 7
        }
        throw fail("a varint of at most 10 bytes")
    }

    /// A signed number, zigzag-coded as a varint.
    public mutating func zigzag() throws(DecodeError) -> Int64 { Zigzag.decode(try varint()) }

    /// A varint that is at most `limit`.
    public mutating func count(_ limit: Int = Int(Int32.max)) throws(DecodeError) -> Int {
        let start = offset
        let value = try varint()
        guard value <= UInt64(max(limit, 0)) else {
            offset = start
            throw fail("a number of at most \(limit)")
        }
        return Int(value)
    }

    /// The next `count` bytes.
    public mutating func run(_ count: Int) throws(DecodeError) -> UnsafeRawBufferPointer {
        guard count >= 0, remaining >= count else { throw fail("\(count) bytes") }
        defer { offset &+= count }
        return UnsafeRawBufferPointer(rebasing: bytes[offset..<(offset &+ count)])
    }

    /// A varint with a size, and that many bytes.
    public mutating func sizedRun() throws(DecodeError) -> UnsafeRawBufferPointer { try run(try count()) }
}

/// Signed numbers as unsigned ones, small for small magnitudes.
public enum Zigzag {
    @inlinable
    public static func encode(_ value: Int64) -> UInt64 { UInt64(bitPattern: (value &<< 1) ^ (value &>> 63)) }

    @inlinable
    public static func decode(_ value: UInt64) -> Int64 { Int64(bitPattern: (value &>> 1) ^ (0 &- (value & 1))) }
}
