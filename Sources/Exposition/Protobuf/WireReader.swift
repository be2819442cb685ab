/// Reads the fields of a protobuf message (developers.google.com/protocol-buffers/docs/encoding).
///
/// The message is not trusted: every length is checked against the available bytes.
struct WireReader {
    /// One field's value.
    enum Value {
        case varint(UInt64)
        case fixed64(UInt64)
        case fixed32(UInt32)
        case bytes(Range<Int>)

        /// The double of a `double` field.
        var double: Double { if case .fixed64(let bits) = self { Double(bitPattern: bits) } else { 0 } }
        /// The number of an integer field.
        var integer: UInt64 { if case .varint(let value) = self { value } else { 0 } }
        /// The number of an `sint` field.
        var zigzag: Int64 {
            let value = integer
            return Int64(bitPattern: value >> 1) ^ (0 &- Int64(bitPattern: value & 1))
        }
        /// The range of a message or string; empty for other fields.
        var range: Range<Int> { if case .bytes(let range) = self { range } else { 0..<0 } }
    }

    private let page: UnsafeBufferPointer<UInt8>
    private(set) var at: Int
    private let end: Int

    init(_ page: UnsafeBufferPointer<UInt8>, _ range: Range<Int>) {
        self.page = page
        at = range.lowerBound
        end = min(range.upperBound, page.count)
    }

    private func failure(_ text: String) -> ExpositionError { ExpositionError("proto: \(text)", line: 0, column: at) }

    mutating func varint() throws(ExpositionError) -> UInt64 {
        var result: UInt64 = 0
        var shift: UInt64 = 0
        while at < end {
            let byte = page[at]
            at &+= 1
            // Bits beyond 64 are dropped, as in protobuf.
            result |= UInt64(byte & 0x7F) << shift
            if byte < 0x80 { return result }
            shift &+= 7
            if shift > 63 { throw failure("wrong varint") }
        }
        throw failure("unexpected EOF")
    }

    /// The next length and the range of its bytes, without a field number.
    mutating func delimited() throws(ExpositionError) -> Range<Int>? {
        if at >= end { return nil }
        return try span()
    }

    private mutating func span() throws(ExpositionError) -> Range<Int> {
        let length = try varint()
        guard length <= UInt64(end &- at) else { throw failure("unexpected EOF") }
        let range = at..<(at &+ Int(length))
        at = range.upperBound
        return range
    }

    private mutating func fixed(_ count: Int) throws(ExpositionError) -> UInt64 {
        guard end &- at >= count else { throw failure("unexpected EOF") }
        var value: UInt64 = 0
        for i in 0..<count { value |= UInt64(page[at &+ i]) << UInt64(8 &* i) }
        at &+= count
        return value
    }

    /// The next field, or nil at the end of the message.
    mutating func field() throws(ExpositionError) -> (number: UInt64, value: Value)? {
        guard at < end else { return nil }
        let key = try varint()
        switch key & 7 {
        case 0: return (key >> 3, .varint(try varint()))
        case 1: return (key >> 3, .fixed64(try fixed(8)))
        case 2: return (key >> 3, .bytes(try span()))
        case 5: return (key >> 3, .fixed32(UInt32(truncatingIfNeeded: try fixed(4))))
        default: throw failure("illegal wireType \(key & 7)")
        }
    }
}
