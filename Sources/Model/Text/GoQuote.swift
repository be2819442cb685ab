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
                result += "\\x" + hex(scalar.value, 2)
            case _ where isPrintable(scalar): result.unicodeScalars.append(scalar)
            case _ where scalar.value < 0x10000: result += "\\u" + hex(scalar.value, 4)
            default: result += "\\U" + hex(scalar.value, 8)
            }
        }
        return result + "\""
    }

    /// The same of bytes that may be no UTF-8: each byte that belongs to no character becomes `\xNN`.
    public static func quote(bytes: [UInt8]) -> String {
        var result = "\""
        var at = 0
        while at < bytes.count {
            let rest = bytes[at...]
            // The shortest run that is valid is one character.
            if let (length, text) = (1...4).lazy.compactMap({ n in
                n <= rest.count ? String(validating: rest.prefix(n), as: UTF8.self).map { (n, $0) } : nil
            }).first {
                result += quote(text).dropFirst().dropLast()
                at += length
            } else {
                result += "\\x" + hex(UInt32(bytes[at]), 2)
                at += 1
            }
        }
        return result + "\""
    }

    private static func hex(_ value: UInt32, _ width: Int) -> String {
        let digits = String(value, radix: 16)
        return String(repeating: "0", count: max(0, width - digits.count)) + digits
    }

    private static func isPrintable(_ scalar: Unicode.Scalar) -> Bool {
        if scalar.value < 0x7F { return true }
        switch scalar.properties.generalCategory {
        case .control, .format, .surrogate, .privateUse, .unassigned, .lineSeparator, .paragraphSeparator,
            .spaceSeparator:
            return false
        default: return true
        }
    }
}
