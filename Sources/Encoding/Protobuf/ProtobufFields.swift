/// The wire types that the known fields of a message must have; other fields may have any.
public struct ProtobufFields: Sendable {
    /// The wire type of a field.
    public enum Kind: UInt64, Sendable {
        case varint = 1
        case fixed64, bytes
        /// Repeated, packed or not.
        case varints, fixed64s
    }

    /// Every field may have any wire type.
    public static let any = ProtobufFields([:])

    /// Three bits for each number.
    @usableFromInline var kinds: UInt64 = 0

    /// - Parameter fields: Their numbers are below 21.
    public init(_ fields: KeyValuePairs<Int, Kind>) {
        for (number, kind) in fields { kinds |= kind.rawValue << UInt64(3 * number) }
    }

    /// Whether the field of this number may have this wire type.
    @inlinable
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
