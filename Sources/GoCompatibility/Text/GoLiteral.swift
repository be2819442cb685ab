/// Literals of the Go language in templates.
public enum GoLiteral {
    public enum Number: Equatable {
        case integer(Int64)
        /// An integer too large for an int, but not for an unsigned one.
        case largeInteger
        case float(Double)
    }

    /// An integer (decimal, `0x`, `0o`, `0b`, leading `0`) or a float; a text with a point or exponent is a float.
    public static func number(_ text: String) -> Number? {
        var digits = Substring(text.filter { $0 != "_" })
        var isNegative = false
        if let sign = digits.first, sign == "+" || sign == "-" {
            isNegative = sign == "-"
            digits = digits.dropFirst()
        }
        let lower = digits.lowercased()
        var radix = 10
        if lower.hasPrefix("0x") {
            radix = 16
        } else if lower.hasPrefix("0b") {
            radix = 2
        } else if lower.hasPrefix("0o") {
            radix = 8
        }
        let body = radix == 10 ? lower : String(lower.dropFirst(2))
        let isFloat = body.contains(".") || (radix == 10 && body.contains("e")) || (radix == 16 && body.contains("p"))
        if !isFloat {
            let isOctal = radix == 10 && body.count > 1 && body.hasPrefix("0")
            let base = isOctal ? 8 : radix
            if let value = Int64((isNegative ? "-" : "") + body, radix: base) { return .integer(value) }
            return !isNegative && UInt64(body, radix: base) != nil ? .largeInteger : nil
        }
        var c = lower.utf8.first ?? 0
        if radix == 16 { c = UInt8(ascii: "0") }
        guard c == UInt8(ascii: ".") || (c >= UInt8(ascii: "0") && c <= UInt8(ascii: "9")), let value = Double(lower),
            value.isFinite
        else { return nil }
        return .float(isNegative ? -value : value)
    }

    /// The text of a quoted, raw-quoted or character literal; nil if an escape is invalid.
    public static func unquote(_ literal: String) -> String? {
        let bytes = Array(literal.utf8)
        guard bytes.count >= 2, let quote = bytes.first, bytes.last == quote else { return nil }
        let inner = bytes[1..<(bytes.count - 1)]
        if quote == UInt8(ascii: "`") { return String(decoding: inner.filter { $0 != 0x0D }, as: UTF8.self) }
        var out: [UInt8] = []
        var at = inner.startIndex
        func digits(_ count: Int, _ radix: Int) -> UInt32? {
            guard at + count <= inner.endIndex else { return nil }
            return UInt32(String(decoding: inner[at..<(at + count)], as: UTF8.self), radix: radix)
        }
        while at < inner.endIndex {
            let c = inner[at]
            at += 1
            guard c == UInt8(ascii: "\\") else {
                out.append(c)
                continue
            }
            guard at < inner.endIndex else { return nil }
            let escape = inner[at]
            at += 1
            switch escape {
            case UInt8(ascii: "a"): out.append(0x07)
            case UInt8(ascii: "b"): out.append(0x08)
            case UInt8(ascii: "f"): out.append(0x0C)
            case UInt8(ascii: "n"): out.append(0x0A)
            case UInt8(ascii: "r"): out.append(0x0D)
            case UInt8(ascii: "t"): out.append(0x09)
            case UInt8(ascii: "v"): out.append(0x0B)
            case UInt8(ascii: "\\"): out.append(escape)
            case quote: out.append(escape)
            case UInt8(ascii: "x"):
                guard let value = digits(2, 16) else { return nil }
                out.append(UInt8(truncatingIfNeeded: value))
                at += 2
            case UInt8(ascii: "u"), UInt8(ascii: "U"):
                let width = escape == UInt8(ascii: "u") ? 4 : 8
                guard let value = digits(width, 16), let scalar = Unicode.Scalar(value) else { return nil }
                out.append(contentsOf: String(Character(scalar)).utf8)
                at += width
            case UInt8(ascii: "0")...UInt8(ascii: "7"):
                at -= 1
                guard let value = digits(3, 8), value < 256 else { return nil }
                out.append(UInt8(truncatingIfNeeded: value))
                at += 3
            default: return nil
            }
        }
        return String(decoding: out, as: UTF8.self)
    }
}
