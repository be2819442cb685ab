/// Bytes that are not what their format says.
public struct DecodeError: Error, Hashable, CustomStringConvertible {
    /// What was expected, for instance `a varint of at most 10 bytes`.
    public var expected: String
    /// Where in the bytes given, counted from 0.
    public var offset: Int

    public init(expected: String, offset: Int) {
        self.expected = expected
        self.offset = offset
    }

    public var description: String { "damaged data at offset \(offset): expected \(expected)" }
}
