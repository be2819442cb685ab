import GoCompatibility

/// Strings in quotes and backticks.
extension Lexer {
    mutating func string() throws(ParseError) {
        let start = at
        let quote = text[at]
        let isRaw = quote == UInt8(ascii: "`")
        at += 1
        var out: [UInt8] = []
        while true {
            guard at < text.count, isRaw || text[at] != 0x0A else {
                throw failure(isRaw ? "unterminated raw string" : "unterminated quoted string", at: start)
            }
            let c = text[at]
            if c == quote { break }
            if c == 0xEF, byte(at + 1) == 0xBF, byte(at + 2) == 0xBD {
                // Invalid UTF-8 is read as U+FFFD.
                throw failure("invalid UTF-8 rune", at: start)
            }
            if c == UInt8(ascii: "\\"), !isRaw {
                at += 1
                try escape(quote, into: &out, start: start)
            } else {
                out.append(c)
                at += 1
            }
        }
        at += 1
        var token = Token(kind: .string, range: TextRange(start, at))
        if let value = String(validating: out, as: UTF8.self) {
            token.text = value
        } else {
            token.text = String(decoding: out, as: UTF8.self)
            token.invalidBytes = out
        }
        self.token = token
    }

    /// Reads the text after a backslash.
    private mutating func escape(_ quote: UInt8, into out: inout [UInt8], start: Int) throws(ParseError) {
        guard at < text.count else { throw failure("escape sequence not terminated", at: start) }
        let c = text[at]
        switch c {
        case UInt8(ascii: "a"): out.append(7)
        case UInt8(ascii: "b"): out.append(8)
        case UInt8(ascii: "f"): out.append(12)
        case UInt8(ascii: "n"): out.append(10)
        case UInt8(ascii: "r"): out.append(13)
        case UInt8(ascii: "t"): out.append(9)
        case UInt8(ascii: "v"): out.append(11)
        case UInt8(ascii: "\\"), quote: out.append(c)
        case UInt8(ascii: "0")...UInt8(ascii: "7"):
            return out.append(UInt8(truncatingIfNeeded: try digits(3, base: 8, most: 255, start: start)))
        case UInt8(ascii: "x"):
            at += 1
            return out.append(UInt8(truncatingIfNeeded: try digits(2, base: 16, most: 255, start: start)))
        case UInt8(ascii: "u"), UInt8(ascii: "U"):
            at += 1
            let value = try digits(c == UInt8(ascii: "u") ? 4 : 8, base: 16, most: 0x10FFFF, start: start)
            guard let scalar = Unicode.Scalar(value) else {
                throw failure("escape sequence is an invalid Unicode code point", at: start)
            }
            return out.append(contentsOf: String(scalar).utf8)
        default: throw failure("unknown escape sequence \(name(at: at))", at: start)
        }
        at += 1
    }

    /// Reads the digits of a character code.
    private mutating func digits(_ count: Int, base: UInt32, most: UInt32, start: Int) throws(ParseError) -> UInt32 {
        var value: UInt32 = 0
        for _ in 0..<count {
            guard at < text.count else { throw failure("escape sequence not terminated", at: start) }
            let scalar = UnicodeScalar(text[at])
            guard scalar.isASCII, let digit = Character(scalar).hexDigitValue, digit < base else {
                throw failure("illegal character \(name(at: at)) in escape sequence", at: start)
            }
            // Eight hexadecimal digits fit the number exactly.
            value = value &* base &+ UInt32(digit)
            at += 1
        }
        guard value <= most, !(0xD800..<0xE000).contains(value) else {
            throw failure("escape sequence is an invalid Unicode code point", at: start)
        }
        return value
    }

    /// A character in the format of Go's `%#U`, `U+0022 '"'`.
    private func name(at offset: Int) -> String {
        let rest = String(decoding: text[offset..<min(text.count, offset + 8)], as: UTF8.self)
        let scalar = rest.unicodeScalars.first ?? "\u{FFFD}"
        let name = "U+" + scalar.value.zeroPadded(4, radix: 16, uppercase: true)
        let isPrintable = Quoted.character(scalar).unicodeScalars.contains(scalar)
        return isPrintable ? name + " '\(scalar)'" : name
    }
}
