/// Walks the fields of a protobuf message in place, for all formats that are protobuf.
///
/// The format is that of the page "Encoding" of the protobuf documentation (protobuf.dev/programming-guides/encoding),
/// whose sections are named below. Nothing in the message is trusted:
/// - Every length is compared with what is left of the message around it.
/// - A varint has at most 10 bytes. As the section "Base 128 Varints" says, bits beyond 64 are ignored; this differs from
///   ``ByteReader/varint()``, which reads what only martlet and Prometheus's files have.
/// - A nested message is a range, for which the caller makes another cursor. Nothing here calls itself, so how deep a
///   message may be is said by the caller's code. Groups (wire types 3 and 4), which alone nest without a length, are
///   refused.
///
/// The buffer must outlive the cursor.
public struct ProtobufCursor {
    /// A field's content; ranges are offsets in the buffer.
    public enum Content: Hashable, Sendable {
        case varint(UInt64)
        case fixed64(UInt64)
        case fixed32(UInt32)
        case bytes(Range<Int>)

        /// The number of an integer field; 0 of other wire types.
        @inlinable public var integer: UInt64 { if case .varint(let value) = self { value } else { 0 } }
        /// The number of an `sint` field (section "Signed Integers"); 0 of other wire types.
        @inlinable public var zigzag: Int64 { Zigzag.decode(integer) }
        /// The number of a `double` field; 0 of other wire types.
        @inlinable public var double: Double {
            if case .fixed64(let bits) = self { .init(bitPattern: bits) } else { 0 }
        }
        /// The range of a message or a string; empty for other wire types.
        @inlinable public var range: Range<Int> { if case .bytes(let range) = self { range } else { 0..<0 } }
    }

    @usableFromInline let buffer: UnsafeBufferPointer<UInt8>
    @usableFromInline var position: Int
    @usableFromInline let end: Int
    @usableFromInline let fields: ProtobufFields

    /// The next byte to read.
    @inlinable public var offset: Int { position }

    /// - Parameters:
    ///   - range: The message in `buffer`.
    ///   - fields: The wire types of the fields that are read.
    @inlinable
    public init(_ buffer: UnsafeBufferPointer<UInt8>, _ range: Range<Int>, _ fields: ProtobufFields = .any) {
        self.buffer = buffer
        self.fields = fields
        position = max(range.lowerBound, 0)
        end = min(range.upperBound, buffer.count)
    }

    @usableFromInline @inline(never)
    func failure(_ cause: ProtobufError.Cause) -> ProtobufError { ProtobufError(offset: position, cause: cause) }

    /// Reads an unsigned number in groups of 7 bits, lowest first (section "Base 128 Varints").
    @inlinable @inline(__always)
    public mutating func varint() throws(ProtobufError) -> UInt64 {
        if position < end, buffer[position] < 0x80 {
            defer { position &+= 1 }
            return UInt64(buffer[position])
        }
        var value: UInt64 = 0
        var shift: UInt64 = 0
        while position < end {
            let byte = buffer[position]
            position &+= 1
            value |= UInt64(byte & 0x7F) &<< shift
            if byte < 0x80 { return value }
            shift &+= 7
            if shift > 63 { throw failure(.longVarint) }
        }
        throw failure(.unfinished("varint"))
    }

    /// Reads a length and passes over as many bytes.
    @inlinable @inline(__always)
    mutating func run() throws(ProtobufError) -> Range<Int> {
        let length = try varint()
        guard length <= UInt64(end &- position) else { throw failure(.lengthBeyondEnd) }
        let start = position
        position &+= Int(length)
        return start..<position
    }

    /// The range of the next message of a stream whose messages have their length before them; nil at the end (section
    /// "Streaming Multiple Messages" of the page "Techniques").
    @inlinable
    public mutating func message() throws(ProtobufError) -> Range<Int>? { position < end ? try run() : nil }

    /// The next field; nil at the end (section "Message Structure").
    @inlinable
    public mutating func next() throws(ProtobufError) -> (number: Int, content: Content)? {
        guard position < end else { return nil }
        let key = try varint()
        guard key >> 3 > 0, key >> 3 < 1 << 29 else { throw failure(.fieldNumber(key >> 3)) }
        let number = Int(key >> 3)
        guard fields.allow(number, key & 7) else { throw failure(.wrongWireType(key & 7, field: number)) }
        switch key & 7 {
        case 0: return (number, .varint(try varint()))
        case 1:
            guard end &- position >= 8 else { throw failure(.unfinished("fixed64")) }
            defer { position &+= 8 }
            return (number, .fixed64(word(position)))
        case 2: return (number, .bytes(try run()))
        case 5:
            guard end &- position >= 4 else { throw failure(.unfinished("fixed32")) }
            let value = UnsafeRawBufferPointer(buffer).loadUnaligned(fromByteOffset: position, as: UInt32.self)
            position &+= 4
            return (number, .fixed32(UInt32(littleEndian: value)))
        default: throw failure(.unknownWireType(key & 7))
        }
    }

    /// The 8 bytes at `at`, which the caller knows to be there.
    @inlinable
    func word(_ at: Int) -> UInt64 {
        UInt64(littleEndian: UnsafeRawBufferPointer(buffer).loadUnaligned(fromByteOffset: at, as: UInt64.self))
    }

    /// Gives `body` the integers of a repeated field, packed or not, that has begun with `content` (section "Packed
    /// Repeated Fields").
    @inlinable
    public func varints(_ content: Content, _ body: (UInt64) -> Void) throws(ProtobufError) {
        guard case .bytes(let range) = content else { return body(content.integer) }
        var packed = ProtobufCursor(buffer, range)
        while packed.position < packed.end { body(try packed.varint()) }
    }

    /// Appends the doubles of a repeated field, packed or not, that has begun with `content` (section "Packed Repeated
    /// Fields").
    @inlinable
    public func doubles(_ content: Content, to values: inout [Double]) throws(ProtobufError) {
        guard case .bytes(let range) = content else { return values.append(content.double) }
        guard range.count.isMultiple(of: 8), range.upperBound <= end else {
            throw failure(.unfinished("packed numbers"))
        }
        if values.isEmpty { values.reserveCapacity(range.count / 8) }
        for at in stride(from: range.lowerBound, to: range.upperBound, by: 8) {
            values.append(Double(bitPattern: word(at)))
        }
    }
}
