/// Reads a JSON text of a known form value by value, without a tree of its values.
///
/// So a caller decides about each value before the next one takes memory.
public struct JSONReader {
    private var parser: JSONParser

    public init(_ bytes: [UInt8]) { parser = JSONParser(bytes) }

    /// The kind of the next value.
    ///
    /// - Throws: ``JSONError`` if no value begins here.
    public mutating func kind() throws(JSONError) -> JSONKind {
        parser.skipSpace()
        switch parser.next {
        case UInt8(ascii: "{"): return .object
        case UInt8(ascii: "["): return .array
        case UInt8(ascii: "\""): return .string
        case UInt8(ascii: "t"), UInt8(ascii: "f"): return .bool
        case UInt8(ascii: "n"): return .null
        case UInt8(ascii: "-"), .some(UInt8(ascii: "0")...UInt8(ascii: "9")): return .number
        default: throw parser.unexpected("a value")
        }
    }

    /// Reads a null.
    public mutating func null() throws(JSONError) {
        parser.skipSpace()
        _ = try parser.word("null", .null)
    }

    /// Reads a string.
    public mutating func string() throws(JSONError) -> String {
        parser.skipSpace()
        guard parser.next == UInt8(ascii: "\"") else { throw parser.unexpected("a string") }
        return try parser.string()
    }

    /// Reads an array; `element` must read exactly one value each time.
    public mutating func array(_ element: (inout JSONReader) throws -> Void) throws {
        parser.skipSpace()
        guard parser.take("[") else { throw parser.unexpected("an array") }
        parser.skipSpace()
        if parser.take("]") { return }
        while true {
            try element(&self)
            parser.skipSpace()
            if parser.take("]") { return }
            guard parser.take(",") else { throw parser.unexpected("',' or ']'") }
        }
    }

    /// Reads an object; `member` gets each name, and must read exactly one value.
    public mutating func object(_ member: (String, inout JSONReader) throws -> Void) throws {
        parser.skipSpace()
        guard parser.take("{") else { throw parser.unexpected("an object") }
        parser.skipSpace()
        if parser.take("}") { return }
        while true {
            parser.skipSpace()
            guard parser.next == UInt8(ascii: "\"") else { throw parser.unexpected("a member's name") }
            let name = try parser.string()
            parser.skipSpace()
            guard parser.take(":") else { throw parser.unexpected("':'") }
            try member(name, &self)
            parser.skipSpace()
            if parser.take("}") { return }
            guard parser.take(",") else { throw parser.unexpected("',' or '}'") }
        }
    }

    /// Reads a boolean.
    public mutating func bool() throws(JSONError) -> Bool {
        guard try kind() == .bool, case .bool(let value) = try parser.value() else {
            throw parser.unexpected("a boolean")
        }
        return value
    }

    /// Reads a value of any kind without keeping it.
    public mutating func skip() throws { try skip(depth: 0) }

    private mutating func skip(depth: Int) throws {
        guard depth < JSONParser.maxDepth else {
            throw parser.failure("nested more than \(JSONParser.maxDepth) levels deep")
        }
        switch try kind() {
        case .array: try array { reader in try reader.skip(depth: depth + 1) }
        case .object: try object { _, reader in try reader.skip(depth: depth + 1) }
        default: _ = try parser.value()
        }
    }

    /// Reads a value of any kind.
    public mutating func value() throws(JSONError) -> JSONValue { try parser.value() }

    /// An error at the place that was reached, after blanks.
    public mutating func failure(_ reason: String) -> JSONError {
        parser.skipSpace()
        return parser.failure(reason)
    }

    /// Checks that nothing follows.
    public mutating func end() throws(JSONError) {
        parser.skipSpace()
        guard parser.next == nil else { throw parser.unexpected("the end") }
    }
}

/// The kind of a value, with its name for messages.
public enum JSONKind: String, Sendable {
    case null
    case bool = "a boolean"
    case number = "a number"
    case string = "a string"
    case array = "an array"
    case object = "an object"
}
