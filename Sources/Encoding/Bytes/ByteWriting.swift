extension Array where Element == UInt8 {
    /// Appends a number in groups of 7 bits, lowest first (LEB128).
    public mutating func appendVarint(_ value: UInt64) {
        var rest = value
        while rest >= 0x80 {
            append(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest &>>= 7
        }
        append(UInt8(truncatingIfNeeded: rest))
    }

    /// Appends a number of at least 0 as a varint.
    public mutating func appendVarint(_ value: Int) { appendVarint(UInt64(bitPattern: Int64(value))) }

    /// Appends a signed number, zigzag-coded as a varint.
    public mutating func appendZigzag(_ value: Int64) { appendVarint(Zigzag.encode(value)) }

    /// Appends 2 bytes, little-endian.
    public mutating func appendLittle(_ value: UInt16) {
        append(UInt8(truncatingIfNeeded: value))
        append(UInt8(truncatingIfNeeded: value &>> 8))
    }

    /// Appends 4 bytes, little-endian.
    public mutating func appendLittle(_ value: UInt32) {
        Swift.withUnsafeBytes(of: value.littleEndian) { append(contentsOf: $0) }
    }

    /// Appends 8 bytes, little-endian.
    public mutating func appendLittle(_ value: UInt64) {
        Swift.withUnsafeBytes(of: value.littleEndian) { append(contentsOf: $0) }
    }

    /// Appends the size as a varint, then the bytes.
    public mutating func appendSized(_ bytes: some Collection<UInt8>) {
        appendVarint(bytes.count)
        append(contentsOf: bytes)
    }
}
