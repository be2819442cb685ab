/// The wire types that the known fields of a message must have; other fields may have any.
public struct ProtobufFields: Sendable {
    /// The wire types of a field: bit 0 for varints, bit 1 for 64-bit numbers, bit 2 for bytes.
    @frozen
    public enum Kind: UInt64, Sendable {
        case varint = 0b001
        case fixed64 = 0b010
        case bytes = 0b100
        /// Repeated, packed or not.
        case varints = 0b101
        case fixed64s = 0b110
    }

    /// Every field may have any wire type.
    @inlinable public static var any: ProtobufFields { ProtobufFields() }

    /// Three bits for each number: its ``Kind``, or 0 if it may have any wire type.
    @usableFromInline var kinds: UInt64 = 0

    @inlinable
    init() {}

    /// These fields and one more, whose number is below 21.
    ///
    /// The compiler computes a whole list, so that a cursor costs no access to a global variable.
    @inlinable @inline(__always)
    public func with(_ number: UInt64, _ kind: Kind) -> ProtobufFields {
        var fields = self
        fields.kinds |= kind.rawValue &<< (3 &* number)
        return fields
    }

    /// Whether the field of this number may have this wire type.
    @inlinable @inline(__always)
    func allow(_ number: Int, _ wireType: UInt64) -> Bool {
        guard number < 21 else { return true }
        let allowed = kinds >> UInt64(truncatingIfNeeded: 3 &* number) & 7
        return allowed == 0 || allowed &>> min(wireType, 3) & 1 != 0
    }
}
