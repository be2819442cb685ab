/// The reason why bytes are no protobuf message.
public struct ProtobufError: Error, Hashable, CustomStringConvertible {
    /// The kind of the mistake.
    public enum Cause: Hashable, Sendable {
        /// The message ends within this.
        case unfinished(String)
        /// A varint has more than 10 bytes.
        case longVarint
        /// A length is larger than what is left of the message around it.
        case lengthBeyondEnd
        /// A field has a number that no field may have.
        case fieldNumber(UInt64)
        /// A field that is known has not the wire type of its kind.
        case wrongWireType(UInt64, field: Int)
        /// A wire type is a group's, or none.
        case unknownWireType(UInt64)
    }

    /// The offset of the cursor, counted from the beginning of the buffer.
    public var offset: Int
    public var cause: Cause

    public init(offset: Int, cause: Cause) {
        self.offset = offset
        self.cause = cause
    }

    public var description: String {
        let reason =
            switch cause {
            case .unfinished(let what): "unfinished \(what)"
            case .longVarint: "varint of more than 10 bytes"
            case .lengthBeyondEnd: "length beyond the message"
            case .fieldNumber: "invalid field number"
            case .wrongWireType(let wireType, let field): "wrong wire type \(wireType) of field \(field)"
            case .unknownWireType(let wireType): "unknown wire type \(wireType)"
            }
        return "protobuf: \(reason) at byte \(offset)"
    }
}
