/// Why bytes are no protobuf message.
struct ProtobufError: Error, CustomStringConvertible {
    var offset: Int
    var reason: String
    var description: String { "protobuf: \(reason) at byte \(offset)" }
}

/// Walks the fields of a protobuf message in place (encoding specification at protobuf.dev).
struct ProtobufCursor {
    /// A field's content; ranges are offsets in the buffer.
    enum Content {
        case varint(UInt64)
        case fixed64(UInt64)
        case fixed32(UInt32)
        case bytes(Range<Int>)
    }

    private let buffer: UnsafeBufferPointer<UInt8>
    private(set) var offset: Int
    private let end: Int

    init(_ buffer: UnsafeBufferPointer<UInt8>, _ range: Range<Int>) {
        self.buffer = buffer
        offset = range.lowerBound
        end = min(range.upperBound, buffer.count)
    }

    private func failure(_ reason: String) -> ProtobufError { ProtobufError(offset: offset, reason: reason) }

    mutating func varint() throws(ProtobufError) -> UInt64 {
        var value: UInt64 = 0
        var shift: UInt64 = 0
        while offset < end, shift < 64 {
            let byte = buffer[offset]
            offset &+= 1
            value |= UInt64(byte & 0x7F) << shift
            if byte < 0x80 { return value }
            shift &+= 7
        }
        throw failure("unfinished varint")
    }

    /// The next field; nil at the end.
    mutating func next() throws(ProtobufError) -> (number: Int, content: Content)? {
        guard offset < end else { return nil }
        let key = try varint()
        guard key >> 3 > 0, key >> 3 < 1 << 29 else { throw failure("invalid field number") }
        let number = Int(key >> 3)
        switch key & 7 {
        case 0: return (number, .varint(try varint()))
        case 1:
            guard end - offset >= 8 else { throw failure("unfinished fixed64") }
            let value = UnsafeRawBufferPointer(buffer).loadUnaligned(fromByteOffset: offset, as: UInt64.self)
            offset &+= 8
            return (number, .fixed64(UInt64(littleEndian: value)))
        case 2:
            let length = try varint()
            guard length <= UInt64(end - offset) else { throw failure("length beyond the message") }
            let start = offset
            offset &+= Int(length)
            return (number, .bytes(start..<offset))
        case 5:
            guard end - offset >= 4 else { throw failure("unfinished fixed32") }
            let value = UnsafeRawBufferPointer(buffer).loadUnaligned(fromByteOffset: offset, as: UInt32.self)
            offset &+= 4
            return (number, .fixed32(UInt32(littleEndian: value)))
        default: throw failure("unknown wire type \(key & 7)")
        }
    }

    /// Reads a repeated number, packed or not, that has begun with `content`.
    func numbers(_ content: Content, _ body: (Content) -> Void, packedWidth: Int) throws(ProtobufError) {
        guard case .bytes(let range) = content else { return body(content) }
        var inner = ProtobufCursor(buffer, range)
        while inner.offset < range.upperBound {
            if packedWidth == 8 {
                guard range.upperBound - inner.offset >= 8 else { throw failure("unfinished packed numbers") }
                let value = UnsafeRawBufferPointer(buffer).loadUnaligned(fromByteOffset: inner.offset, as: UInt64.self)
                inner.offset &+= 8
                body(.fixed64(UInt64(littleEndian: value)))
            } else {
                body(.varint(try inner.varint()))
            }
        }
    }
}
