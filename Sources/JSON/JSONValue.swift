import Model

/// A JSON value as a tree; members keep the order of the text.
public enum JSONValue: Sendable {
    case null
    case bool(Bool)
    case number(Double)
    case string(String)
    case array([JSONValue])
    case object([(key: String, value: JSONValue)])

    /// The value of member `name`; the last one if there are several.
    public subscript(_ name: String) -> JSONValue? {
        guard case .object(let members) = self else { return nil }
        return members.last { $0.key.isExactly(name) }?.value
    }

    public var string: String? { if case .string(let value) = self { value } else { nil } }
    public var number: Double? { if case .number(let value) = self { value } else { nil } }
    public var bool: Bool? { if case .bool(let value) = self { value } else { nil } }
    public var array: [JSONValue]? { if case .array(let value) = self { value } else { nil } }
    public var object: [(key: String, value: JSONValue)]? { if case .object(let value) = self { value } else { nil } }
    public var isNull: Bool { if case .null = self { true } else { false } }

    /// The kind of the value, for messages.
    public var kind: String {
        let kind: JSONKind =
            switch self {
            case .null: .null
            case .bool: .bool
            case .number: .number
            case .string: .string
            case .array: .array
            case .object: .object
            }
        return kind.rawValue
    }

    /// Reads one JSON text (RFC 8259).
    ///
    /// - Throws: ``JSONError`` with the position of the first invalid byte.
    public static func parse(_ bytes: [UInt8]) throws(JSONError) -> JSONValue {
        var parser = JSONParser(bytes)
        return try parser.parse()
    }

    /// Reads one JSON text.
    public static func parse(_ text: String) throws(JSONError) -> JSONValue { try parse(Array(text.utf8)) }
}

/// The reason why a text is not JSON, with the position.
public struct JSONError: Error, CustomStringConvertible {
    /// From 1.
    public var line: Int
    /// In bytes, from 1.
    public var column: Int
    public var reason: String
    public var description: String { "\(line):\(column): \(reason)" }
}

/// A recursive-descent parser with a depth limit.
struct JSONParser {
    static let maxDepth = 200
    private let bytes: [UInt8]
    private var at = 0
    private var depth = 0

    init(_ bytes: [UInt8]) { self.bytes = bytes }

    var next: UInt8? { at < bytes.count ? bytes[at] : nil }

    func failure(_ reason: String) -> JSONError {
        var (line, column) = (1, 1)
        for byte in bytes[0..<min(at, bytes.count)] {
            if byte == 10 {
                line += 1
                column = 1
            } else {
                column += 1
            }
        }
        return JSONError(line: line, column: column, reason: reason)
    }

    func unexpected(_ wanted: String) -> JSONError {
        guard let next else { return failure("unexpected end of JSON, expected \(wanted)") }
        let shown = next >= 0x20 && next < 0x7F ? "'\(Character(UnicodeScalar(next)))'" : "byte \(next)"
        return failure("unexpected \(shown), expected \(wanted)")
    }

    mutating func skipSpace() {
        while let c = next, c == 0x20 || c == 0x0A || c == 0x0D || c == 0x09 { at += 1 }
    }

    mutating func take(_ c: Character) -> Bool {
        guard let next, next == c.asciiValue else { return false }
        at += 1
        return true
    }

    mutating func parse() throws(JSONError) -> JSONValue {
        let result = try value()
        skipSpace()
        guard at == bytes.count else { throw unexpected("the end") }
        return result
    }

    mutating func value() throws(JSONError) -> JSONValue {
        skipSpace()
        guard let c = next else { throw unexpected("a value") }
        switch c {
        case UInt8(ascii: "{"): return try nested { (parser) throws(JSONError) in try parser.object() }
        case UInt8(ascii: "["): return try nested { (parser) throws(JSONError) in try parser.array() }
        case UInt8(ascii: "\""): return .string(try string())
        case UInt8(ascii: "t"): return try word("true", .bool(true))
        case UInt8(ascii: "f"): return try word("false", .bool(false))
        case UInt8(ascii: "n"): return try word("null", .null)
        default: return try number()
        }
    }

    private mutating func nested(
        _ body: (inout JSONParser) throws(JSONError) -> JSONValue
    ) throws(JSONError) -> JSONValue {
        guard depth < Self.maxDepth else { throw failure("nested more than \(Self.maxDepth) levels deep") }
        depth += 1
        at += 1
        let result = try body(&self)
        depth -= 1
        return result
    }

    mutating func word(_ text: String, _ value: JSONValue) throws(JSONError) -> JSONValue {
        guard bytes[at...].starts(with: text.utf8) else { throw unexpected(text) }
        at += text.utf8.count
        return value
    }

    private mutating func object() throws(JSONError) -> JSONValue {
        var members: [(key: String, value: JSONValue)] = []
        skipSpace()
        if take("}") { return .object([]) }
        while true {
            skipSpace()
            guard next == UInt8(ascii: "\"") else { throw unexpected("a member's name") }
            let name = try string()
            skipSpace()
            guard take(":") else { throw unexpected("':'") }
            members.append((name, try value()))
            skipSpace()
            if take("}") { return .object(members) }
            guard take(",") else { throw unexpected("',' or '}'") }
        }
    }

    private mutating func array() throws(JSONError) -> JSONValue {
        var elements: [JSONValue] = []
        skipSpace()
        if take("]") { return .array([]) }
        while true {
            elements.append(try value())
            skipSpace()
            if take("]") { return .array(elements) }
            guard take(",") else { throw unexpected("',' or ']'") }
        }
    }

    private mutating func number() throws(JSONError) -> JSONValue {
        let start = at
        _ = take("-")
        let first = next
        var digits = skipDigits()
        guard digits > 0 else { throw unexpected("a value") }
        if first == UInt8(ascii: "0"), digits > 1 {
            at = start
            throw failure("a number must not begin with 0")
        }
        if take(".") {
            digits = skipDigits()
            guard digits > 0 else { throw unexpected("a digit") }
        }
        if take("e") || take("E") {
            if !take("+") { _ = take("-") }
            guard skipDigits() > 0 else { throw unexpected("a digit") }
        }
        guard let value = Double(String(decoding: bytes[start..<at], as: UTF8.self)) else {
            throw unexpected("a number")
        }
        return .number(value)
    }

    private mutating func skipDigits() -> Int {
        let start = at
        while let c = next, c >= 0x30, c <= 0x39 { at += 1 }
        return at - start
    }

    mutating func string() throws(JSONError) -> String {
        at += 1
        var out: [UInt8] = []
        while true {
            guard let c = next else { throw unexpected("'\"'") }
            at += 1
            switch c {
            case UInt8(ascii: "\""): return String(decoding: out, as: UTF8.self)
            case UInt8(ascii: "\\"): try escape(into: &out)
            case 0..<0x20:
                at -= 1
                throw failure("a control character must be escaped in a string")
            default: out.append(c)
            }
        }
    }

    private mutating func escape(into out: inout [UInt8]) throws(JSONError) {
        guard let c = next else { throw unexpected("an escape") }
        at += 1
        switch c {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): out.append(c)
        case UInt8(ascii: "b"): out.append(8)
        case UInt8(ascii: "f"): out.append(12)
        case UInt8(ascii: "n"): out.append(10)
        case UInt8(ascii: "r"): out.append(13)
        case UInt8(ascii: "t"): out.append(9)
        case UInt8(ascii: "u"):
            var code = UInt32(try hexUnit())
            if code >= 0xD800, code < 0xDC00, next == UInt8(ascii: "\\"), at + 1 < bytes.count,
                bytes[at + 1] == UInt8(ascii: "u")
            {
                let before = at
                at += 2
                let low = UInt32(try hexUnit())
                if low >= 0xDC00, low < 0xE000 {
                    code = 0x10000 + (code - 0xD800) << 10 + (low - 0xDC00)
                } else {
                    at = before
                }
            }
            // An unpaired surrogate becomes U+FFFD, as in Go.
            out.append(contentsOf: String(Unicode.Scalar(code) ?? "\u{FFFD}").utf8)
        default:
            at -= 1
            throw failure("invalid escape in a string")
        }
    }

    private mutating func hexUnit() throws(JSONError) -> UInt16 {
        guard at + 4 <= bytes.count,
            let value = UInt16(String(decoding: bytes[at..<(at + 4)], as: UTF8.self), radix: 16),
            bytes[at] != UInt8(ascii: "+"), bytes[at] != UInt8(ascii: "-")
        else { throw failure("expected four hexadecimal digits") }
        at += 4
        return value
    }
}
