/// Reads fields one after the other; never reads outside its bytes.
///
/// The bytes must outlive the reader.
public struct ByteReader {
    public let bytes: UnsafeRawBufferPointer
    @usableFromInline var position: Int

    /// The next byte to read.
    @inlinable public var offset: Int { position }

    @inlinable
    public init(_ bytes: UnsafeRawBufferPointer, at offset: Int = 0) {
        self.bytes = bytes
        position = min(max(offset, 0), bytes.count)
    }

    @inlinable
    public var remaining: Int { bytes.count &- offset }
    @inlinable
    public var isAtEnd: Bool { offset >= bytes.count }

    @usableFromInline @inline(never)
    func fail(_ expected: String) -> DecodeError { DecodeError(expected: expected, offset: offset) }

    @inlinable
    public mutating func byte() throws(DecodeError) -> UInt8 {
        guard offset < bytes.count else { throw fail("a byte") }
        defer { position &+= 1 }
        return bytes[offset]
    }

    /// A little-endian 16-bit number.
    @inlinable
    public mutating func u16() throws(DecodeError) -> UInt16 {
        guard remaining >= 2 else { throw fail("2 bytes") }
        defer { position &+= 2 }
        return UInt16(littleEndian: bytes.loadUnaligned(fromByteOffset: offset, as: UInt16.self))
    }

    /// A little-endian 32-bit number.
    @inlinable
    public mutating func u32() throws(DecodeError) -> UInt32 {
        guard remaining >= 4 else { throw fail("4 bytes") }
        defer { position &+= 4 }
        return UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: offset, as: UInt32.self))
    }

    /// A little-endian 64-bit number.
    @inlinable
    public mutating func u64() throws(DecodeError) -> UInt64 {
        guard remaining >= 8 else { throw fail("8 bytes") }
        defer { position &+= 8 }
        return UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: offset, as: UInt64.self))
    }

    /// An unsigned number in groups of 7 bits, lowest first (LEB128).
    @inlinable
    public mutating func varint() throws(DecodeError) -> UInt64 {
        guard offset < bytes.count else { throw fail("a varint") }
        let first = bytes[offset]
        if first < 0x80 {
            position &+= 1
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
                position = at
                return value
            }
            shift &+= 7
        }
        throw fail("a varint of at most 10 bytes")
    }

    /// A signed number, zigzag-coded as a varint.
    @inlinable
    public mutating func zigzag() throws(DecodeError) -> Int64 { Zigzag.decode(try varint()) }

    /// A varint of at most `limit`.
    @inlinable
    public mutating func count(_ limit: Int = Int(Int32.max)) throws(DecodeError) -> Int {
        let start = position
        let value = try varint()
        guard value <= UInt64(max(limit, 0)) else {
            position = start
            throw fail("a number of at most \(limit)")
        }
        return Int(value)
    }

    /// The next `count` bytes.
    @inlinable
    public mutating func run(_ count: Int) throws(DecodeError) -> UnsafeRawBufferPointer {
        guard count >= 0, remaining >= count else { throw fail("\(count) bytes") }
        defer { position &+= count }
        return UnsafeRawBufferPointer(rebasing: bytes[offset..<(offset &+ count)])
    }

    /// A size as a varint, and that many bytes.
    @inlinable
    public mutating func sizedRun() throws(DecodeError) -> UnsafeRawBufferPointer { try run(try count()) }
}

/// Signed numbers as unsigned ones, small for small magnitudes.
public enum Zigzag {
    @inlinable
    public static func encode(_ value: Int64) -> UInt64 { UInt64(bitPattern: (value &<< 1) ^ (value &>> 63)) }

    @inlinable
    public static func decode(_ value: UInt64) -> Int64 { Int64(bitPattern: (value &>> 1) ^ (0 &- (value & 1))) }
}
