/// The error of bytes that violate their format.
public struct DecodeError: Error, Hashable, CustomStringConvertible {
    /// The expected content, for example `a varint of at most 10 bytes`.
    public var expected: String
    /// The offset in the bytes, from 0.
    public var offset: Int

    public init(expected: String, offset: Int) {
        self.expected = expected
        self.offset = offset
    }

    public var description: String { "damaged data at offset \(offset): expected \(expected)" }
}
