/// The reason why bytes are not a protobuf message.
struct ProtobufError: Error, CustomStringConvertible {
    var offset: Int
    var reason: String
    var description: String { "protobuf: \(reason) at byte \(offset)" }
}

/// The wire types that the known fields of a message must have; other fields may have any.
struct ProtobufFields: Sendable {
    enum Kind: UInt64 {
        case varint = 1
        case fixed64, bytes
        /// Repeated, packed or not.
        case varints, fixed64s
    }

    /// Three bits for each number.
    private var kinds: UInt64 = 0

    /// - Parameter fields: The field numbers, below 21, with their types.
    init(_ fields: KeyValuePairs<Int, Kind>) {
        for (number, kind) in fields { kinds |= kind.rawValue << UInt64(3 * number) }
    }

    func allow(_ number: Int, _ wireType: UInt64) -> Bool {
        guard number < 21 else { return true }
        return switch Kind(rawValue: kinds >> UInt64(3 * number) & 7) {
        case nil: true
        case .varint: wireType == 0
        case .fixed64: wireType == 1
        case .bytes: wireType == 2
        case .varints: wireType == 0 || wireType == 2
        case .fixed64s: wireType == 1 || wireType == 2
        }
    }
}

/// Iterates over the fields of a protobuf message in place (encoding specification at protobuf.dev).
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
    private let fields: ProtobufFields

    init(_ buffer: UnsafeBufferPointer<UInt8>, _ range: Range<Int>, _ fields: ProtobufFields = ProtobufFields([:])) {
        self.buffer = buffer
        self.fields = fields
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
        guard fields.allow(number, key & 7) else { throw failure("wrong wire type \(key & 7) of field \(number)") }
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

    /// Reads a repeated number, packed or not, whose first element is `content`.
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
