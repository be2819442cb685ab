/// Fields of protobuf messages, as ``ProtobufCursor`` reads them (section "Message Structure" of
/// protobuf.dev/programming-guides/encoding).
extension Array where Element == UInt8 {
    /// Appends the number and the wire type of a field.
    private mutating func appendKey(_ number: Int, _ wireType: Int) { appendVarint(number << 3 | wireType) }

    /// Appends an integer field.
    public mutating func appendField(_ number: Int, varint value: UInt64) {
        appendKey(number, 0)
        appendVarint(value)
    }

    /// Appends an `sint` field (section "Signed Integers").
    public mutating func appendField(_ number: Int, zigzag value: Int64) {
        appendField(number, varint: Zigzag.encode(value))
    }

    /// Appends a `double` field.
    public mutating func appendField(_ number: Int, double value: Double) {
        appendKey(number, 1)
        appendLittle(value.bitPattern)
    }

    /// Appends a nested message, a string or packed numbers.
    public mutating func appendField(_ number: Int, bytes: some Collection<UInt8>) {
        appendKey(number, 2)
        appendSized(bytes)
    }

    /// Appends a repeated `double` field, packed (section "Packed Repeated Fields"); nothing if it is empty.
    public mutating func appendField(_ number: Int, doubles: [Double]) {
        guard !doubles.isEmpty else { return }
        appendKey(number, 2)
        appendVarint(8 * doubles.count)
        for value in doubles { appendLittle(value.bitPattern) }
    }
}
