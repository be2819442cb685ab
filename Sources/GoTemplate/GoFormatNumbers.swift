import Glibc
import GoCompatibility
import Model

/// Go's verbs for numbers.
extension GoFormat {
    // MARK: Floats

    /// `%v` and `%g` of a float without precision: the shortest digits, with an exponent if it is below −4 or above 5.
    public static func general(_ value: Double) -> String {
        guard value.isFinite, value != 0 else { return special(value) ?? (value.sign == .minus ? "-0" : "0") }
        let text = FloatText.exponent(value)
        let exponent = Int(text[text.index(after: text.lastIndex(of: "e") ?? text.startIndex)...]) ?? 0
        return exponent < -4 || exponent > 5 ? text : FloatText.fixed(value)
    }

    private static func special(_ value: Double) -> String? {
        value.isNaN ? "NaN" : value.isInfinite ? (value < 0 ? "-Inf" : "+Inf") : nil
    }

    /// C's printf for one double; `verb` is one of `e f g E F G`.
    static func number(_ value: Double, _ verb: Character, precision: Int) -> String {
        let format = "%.\(precision)\(verb)"
        var buffer = [CChar](repeating: 0, count: 400 + precision)
        let written = withVaList([value]) { vsnprintf(&buffer, buffer.count, format, $0) }
        guard written > 0, Int(written) < buffer.count else { return general(value) }
        return String(decoding: buffer[0..<Int(written)].map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    static func float(_ value: Double, _ verb: Character, _ options: Options) -> String {
        if let name = special(value) {
            var options = options
            options.zero = false
            let isPositive = !name.hasPrefix("-")
            if isPositive, options.plus || options.space {
                let digits = name.hasPrefix("+") ? name.dropFirst() : name[...]
                return pad((options.plus ? "+" : " ") + digits, options)
            }
            return pad(name, options)
        }
        var text: String
        let lower = verb == "v" ? "g" : Character(verb.lowercased())
        if lower == "e" || lower == "f" {
            text = number(value, lower, precision: options.precision ?? 6)
        } else if lower == "x" {
            text = hexadecimal(value, precision: options.precision)
        } else if lower == "b" {
            text = binary(value)
        } else if let precision = options.precision {
            text = number(value, "g", precision: precision)
        } else {
            text = general(value)
        }
        if options.sharp, lower != "b" {
            let significant = lower == "g" || verb == "x" ? options.precision ?? 6 : 0
            text = keepingPoint(text, significant: significant, isHexadecimal: lower == "x")
        }
        if verb.isUppercase { text = text.uppercased() }
        return sign(text, options)
    }

    /// A number with a point, and with zeros after it until it has `significant` digits: the flag `#`.
    private static func keepingPoint(_ text: String, significant: Int, isHexadecimal: Bool) -> String {
        let end = text.firstIndex { $0 == "p" || (!isHexadecimal && $0 == "e") } ?? text.endIndex
        var mantissa = String(text[..<end])
        let digits = mantissa.filter { $0 != "." && $0 != "-" }
        // Leading zeros do not count, except that of a plain 0.
        var count = digits.drop { $0 == "0" }.count
        if !mantissa.contains(".") {
            if digits == "0" { count = 1 }
            mantissa += "."
        }
        return mantissa + String(repeating: "0", count: max(0, significant - count)) + text[end...]
    }

    /// `%x` of a finite float: `0x1.8p+01`, with the necessary digits or with `precision` digits.
    private static func hexadecimal(_ value: Double, precision: Int?) -> String {
        var mantissa = value.significandBitPattern
        var exponent = Int(value.exponentBitPattern) - 1023
        if value.exponentBitPattern != 0 {
            mantissa |= 1 << 52
        } else if mantissa == 0 {
            exponent = 0
        } else {
            // A denormal number: its first digit must be 1, too.
            let shift = mantissa.leadingZeroBitCount - 11
            mantissa <<= UInt64(shift)
            exponent = -1022 - shift
        }
        if let precision, precision < 13 {
            // The digits after the precision are rounded, half to even.
            let dropped = UInt64(4 * (13 - precision))
            let (half, rest) = (UInt64(1) << (dropped - 1), mantissa & ((1 << dropped) - 1))
            mantissa >>= dropped
            if rest > half || (rest == half && mantissa & 1 == 1) { mantissa += 1 }
            mantissa <<= dropped
            if mantissa >> 53 != 0 {
                mantissa >>= 1
                exponent += 1
            }
        }
        var digits = (mantissa & ((1 << 52) - 1)).zeroPadded(13, radix: 16)
        if let precision {
            digits = digits.prefix(precision) + String(repeating: "0", count: max(0, precision - 13))
        } else {
            while digits.hasSuffix("0") { digits.removeLast() }
        }
        let power = "\(exponent.magnitude)"
        return (value.sign == .minus ? "-" : "") + "0x\(mantissa >> 52)" + (digits.isEmpty ? "" : "." + digits)
            + "p\(exponent < 0 ? "-" : "+")\(power.utf8.count < 2 ? "0" : "")\(power)"
    }

    /// `%b` of a finite float: `4503599627370496p-52`.
    private static func binary(_ value: Double) -> String {
        let isNormal = value.exponentBitPattern != 0
        let mantissa = value.significandBitPattern | (isNormal ? 1 << 52 : 0)
        let exponent = (isNormal ? Int(value.exponentBitPattern) : 1) - 1075
        return "\(value.sign == .minus ? "-" : "")\(mantissa)p\(exponent < 0 ? "" : "+")\(exponent)"
    }

    // MARK: Integers

    /// An integer with a verb; nil if the verb is not for integers.
    static func integer(_ value: Int64, _ verb: Character, _ options: Options) -> String? {
        var options = options
        let (radix, mark): (Int, String)
        switch verb {
        case "d", "v": (radix, mark) = (10, "")
        case "b": (radix, mark) = (2, options.sharp ? "0b" : "")
        case "o", "O": (radix, mark) = (8, verb == "O" ? "0o" : "")
        case "x": (radix, mark) = (16, options.sharp ? "0x" : "")
        case "X": (radix, mark) = (16, options.sharp ? "0X" : "")
        case "c", "q": return character(value, isQuoted: verb == "q", options)
        case "U": return codePoint(value, options)
        default: return nil
        }
        if options.precision == 0, value == 0 {
            options.zero = false
            return pad("", options)
        }
        // The flag 0 fills the width with digits, without regard to a prefix.
        let hasSign = value < 0 || options.plus || options.space
        let padded = options.zero && !options.minus ? options.width.map { $0 - (hasSign ? 1 : 0) } : nil
        var digits = value.magnitude.zeroPadded(
            options.precision ?? padded ?? 0, radix: radix, uppercase: verb == "X")
        if options.sharp, radix == 8, !digits.hasPrefix("0") { digits = "0" + digits }
        options.zero = false
        return sign((value < 0 ? "-" : "") + mark + digits, options)
    }

    private static func character(_ value: Int64, isQuoted: Bool, _ options: Options) -> String {
        let scalar = UInt32(exactly: value).flatMap(Unicode.Scalar.init) ?? "\u{FFFD}"
        let text = String(Character(scalar))
        guard isQuoted else { return pad(text, options) }
        switch scalar {
        case "'": return pad("'\\''", options)
        case "\"": return pad("'\"'", options)
        default: return pad("'" + quoted(text, options).dropFirst().dropLast() + "'", options)
        }
    }

    /// `U+0041`, and with the flag `#` `U+0041 'A'`.
    private static func codePoint(_ value: Int64, _ options: Options) -> String {
        var options = options
        let code = UInt64(bitPattern: value)
        var text = "U+" + code.zeroPadded(max(4, options.precision ?? 0), radix: 16, uppercase: true)
        if options.sharp, let scalar = UInt32(exactly: code).flatMap(Unicode.Scalar.init) {
            let shown = String(Character(scalar))
            if !GoQuote.quote(shown).hasPrefix("\"\\") || scalar == "\\" || scalar == "\"" { text += " '\(shown)'" }
        }
        options.zero = false
        return pad(text, options)
    }

    // MARK: Padding

    /// Adds `+` or a space before a number that is not negative, and pads it.
    private static func sign(_ text: String, _ options: Options) -> String {
        guard !text.hasPrefix("-") else { return pad(text, options, isNumber: true) }
        return pad((options.plus ? "+" : options.space ? " " : "") + text, options, isNumber: true)
    }

    /// The text padded to the width of the options; zeros follow the sign of a number.
    static func pad(_ text: String, _ options: Options, isNumber: Bool = false) -> String {
        guard let width = options.width else { return text }
        let missing = width - text.unicodeScalars.count
        guard missing > 0 else { return text }
        if options.minus { return text + String(repeating: " ", count: missing) }
        guard options.zero else { return String(repeating: " ", count: missing) + text }
        let signLength = isNumber && (text.hasPrefix("-") || text.hasPrefix("+") || text.hasPrefix(" ")) ? 1 : 0
        return text.prefix(signLength) + String(repeating: "0", count: missing) + text.dropFirst(signLength)
    }
}
