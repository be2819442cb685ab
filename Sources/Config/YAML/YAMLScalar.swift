import Model

/// The value of a scalar by the rules of go-yaml, with which Prometheus reads its files.
enum YAMLScalar: Equatable {
    case null
    case bool(Bool)
    case int(Int64)
    /// Above `Int64.max`.
    case uint(UInt64)
    case float(Double)
    case string

    /// Resolves a scalar; a quoted one is always a text.
    init(_ text: String, isPlain: Bool) {
        self = .string
        guard isPlain else { return }
        switch text {
        case "", "~", "null", "Null", "NULL": self = .null
        case "y", "Y", "yes", "Yes", "YES", "on", "On", "ON", "true", "True", "TRUE": self = .bool(true)
        case "n", "N", "no", "No", "NO", "off", "Off", "OFF", "false", "False", "FALSE": self = .bool(false)
        case ".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF": self = .float(.infinity)
        case "-.inf", "-.Inf", "-.INF": self = .float(-.infinity)
        case ".nan", ".NaN", ".NAN": self = .float(.nan)
        default: self = Self.number(text) ?? .string
        }
    }

    private static func number(_ text: String) -> YAMLScalar? {
        guard let first = text.utf8.first, isDigit(first) || "+-.".utf8.contains(first) else { return nil }
        let plain = text.filter { $0 != "_" }
        if let value = integer(plain) { return value }
        guard isFloat(plain) else { return nil }
        // Swift does not accept numbers that begin or end with the point.
        var spelled = plain
        if spelled.hasPrefix("+") { spelled.removeFirst() }
        let isNegative = spelled.hasPrefix("-")
        if isNegative { spelled.removeFirst() }
        if spelled.hasPrefix(".") { spelled = "0" + spelled }
        spelled = spelled.replacing(".e", with: ".0e").replacing(".E", with: ".0E")
        if spelled.hasSuffix(".") { spelled += "0" }
        guard let value = Double(spelled), value.isFinite else { return nil }
        return .float(isNegative ? -value : value)
    }

    /// Parses an integer as Go's `strconv.ParseInt(text, 0, 64)` and `ParseUint`: decimal, `0x`, `0b`, `0o`, and octal
    /// after a zero.
    private static func integer(_ text: String) -> YAMLScalar? {
        var rest = text[...]
        let isNegative = rest.hasPrefix("-")
        if isNegative || rest.hasPrefix("+") { rest = rest.dropFirst() }
        var radix = 10
        if rest.hasPrefix("0"), rest.utf8.count > 1 {
            switch rest.dropFirst().first {
            case "x", "X": (radix, rest) = (16, rest.dropFirst(2))
            case "b", "B": (radix, rest) = (2, rest.dropFirst(2))
            case "o", "O": (radix, rest) = (8, rest.dropFirst(2))
            default: (radix, rest) = (8, rest.dropFirst())
            }
        }
        guard let first = rest.first, first != "+", first != "-", let value = UInt64(rest, radix: radix) else {
            return nil
        }
        if isNegative { return value <= 1 << 63 ? .int(Int64(truncatingIfNeeded: 0 &- value)) : nil }
        return Int64(exactly: value).map { .int($0) } ?? .uint(value)
    }

    private static func isDigit(_ byte: UInt8) -> Bool { byte >= UInt8(ascii: "0") && byte <= UInt8(ascii: "9") }

    /// Whether a text matches go-yaml's `^[-+]?(\\.[0-9]+|[0-9]+(\\.[0-9]*)?)([eE][-+]?[0-9]+)?$`.
    private static func isFloat(_ text: String) -> Bool {
        var rest = Array(text.utf8)[...]
        if let sign = rest.first, sign == UInt8(ascii: "-") || sign == UInt8(ascii: "+") { rest.removeFirst() }
        let whole = rest.prefix(while: isDigit)
        rest = rest.dropFirst(whole.count)
        if rest.first == UInt8(ascii: ".") {
            rest.removeFirst()
            let fraction = rest.prefix(while: isDigit)
            if whole.isEmpty, fraction.isEmpty { return false }
            rest = rest.dropFirst(fraction.count)
        } else if whole.isEmpty {
            return false
        }
        guard let exponent = rest.first else { return true }
        guard exponent | 0x20 == UInt8(ascii: "e") else { return false }
        rest.removeFirst()
        if let sign = rest.first, sign == UInt8(ascii: "-") || sign == UInt8(ascii: "+") { rest.removeFirst() }
        return !rest.isEmpty && rest.allSatisfy(isDigit)
    }

    /// Whether a scalar with a tag is read as a plain one or as text; nil if it does not have the kind of the tag.
    ///
    /// As in go-yaml, quotes have no effect after a tag, an integer is a float, and tags of other kinds are ignored.
    static func isPlain(_ text: String, tag: String) -> Bool? {
        let prefix = "tag:yaml.org,2002:"
        guard tag.hasPrefix(prefix) else { return false }
        let found = YAMLScalar(text, isPlain: true).tag
        switch tag.dropFirst(prefix.count) {
        case "null", "bool", "int": return found == Self.short(tag) ? true : nil
        case "float": return found == "!!float" || found == "!!int" ? true : nil
        case "timestamp": return isDate(text) ? false : nil
        case "merge": return true
        default: return false
        }
    }

    /// The short form of a tag: `!!int`.
    static func short(_ tag: String) -> String { tag.replacing("tag:yaml.org,2002:", with: "!!") }

    /// Whether a text begins as a date: four digits and a hyphen.
    private static func isDate(_ text: String) -> Bool {
        let bytes = text.utf8
        return bytes.prefix { isDigit($0) }.count == 4 && bytes.dropFirst(4).first == UInt8(ascii: "-")
    }

    /// The tag for messages, for example `!!int`.
    var tag: String {
        switch self {
        case .null: "!!null"
        case .bool: "!!bool"
        case .int, .uint: "!!int"
        case .float: "!!float"
        case .string: "!!str"
        }
    }
}
