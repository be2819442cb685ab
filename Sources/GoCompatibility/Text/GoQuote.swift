/// Double-quoted strings as Go's `strconv.Quote` writes them.
public enum GoQuote {
    /// `text` in double quotes with Go's escapes; printable non-ASCII stays as it is.
    public static func quote(_ text: String) -> String {
        var result = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": result += "\\\""
            case "\\": result += "\\\\"
            case "\u{07}": result += "\\a"
            case "\u{08}": result += "\\b"
            case "\u{0C}": result += "\\f"
            case "\n": result += "\\n"
            case "\r": result += "\\r"
            case "\t": result += "\\t"
            case "\u{0B}": result += "\\v"
            case _ where scalar.value < 0x20 || scalar.value == 0x7F:
                result += "\\x" + scalar.value.zeroPadded(2, radix: 16)
            case _ where isPrintable(scalar): result.unicodeScalars.append(scalar)
            case _ where scalar.value < 0x10000: result += "\\u" + scalar.value.zeroPadded(4, radix: 16)
            default: result += "\\U" + scalar.value.zeroPadded(8, radix: 16)
            }
        }
        return result + "\""
    }

    /// Quotes bytes that may not be UTF-8: each byte that is not part of a character becomes `\xNN`.
    public static func quote(bytes: [UInt8]) -> String {
        var result = "\""
        var at = 0
        while at < bytes.count {
            let rest = bytes[at...]
            // The shortest valid sequence is one character.
            if let (length, text) = (1...4).lazy.compactMap({ n in
                n <= rest.count ? String(validating: rest.prefix(n), as: UTF8.self).map { (n, $0) } : nil
            }).first {
                result += quote(text).dropFirst().dropLast()
                at += length
            } else {
                result += "\\x" + UInt32(bytes[at]).zeroPadded(2, radix: 16)
                at += 1
            }
        }
        return result + "\""
    }

    /// Go's `unicode.IsPrint`, of scalars that are no control characters of ASCII.
    public static func isPrintable(_ scalar: Unicode.Scalar) -> Bool {
        if scalar.value < 0x7F { return true }
        switch scalar.properties.generalCategory {
        case .control, .format, .surrogate, .privateUse, .unassigned, .lineSeparator, .paragraphSeparator,
            .spaceSeparator:
            return false
        default: return true
        }
    }
}
