import Glibc

/// Reads floats as Go's `strconv.ParseFloat` does.
public enum GoFloat {
    /// The reason why a text is not a float.
    public enum Problem: String, Error {
        case syntax = "invalid syntax"
        case range = "value out of range"

        /// The error of `strconv.ParseFloat`.
        public func text(of number: String) -> String {
            "strconv.ParseFloat: parsing \(GoQuote.quote(number)): \(rawValue)"
        }
    }

    /// The number; nil if the text is not a number or is out of range.
    public static func parse(_ text: String) -> Double? { try? read(text) }

    /// Reads a number.
    ///
    /// Hexadecimal numbers need an exponent, `0x1p4`; underscores are allowed between digits.
    public static func read(_ text: String) throws(Problem) -> Double {
        let bytes = Array(text.utf8)
        if let special = special(bytes) { return special }
        guard let plain = grammar(bytes) else { throw .syntax }
        let value = strtod(plain, nil)
        guard value.isFinite else { throw .range }
        return value
    }

    private static func special(_ bytes: [UInt8]) -> Double? {
        let isSigned = bytes.first == 0x2B || bytes.first == 0x2D
        switch String(decoding: isSigned ? bytes.dropFirst() : bytes[...], as: UTF8.self).lowercased() {
        case "inf", "infinity": return bytes.first == 0x2D ? -.infinity : .infinity
        case "nan": return isSigned ? nil : .nan
        default: return nil
        }
    }

    private static func isDigit(_ byte: UInt8, isHex: Bool) -> Bool {
        switch byte {
        case 0x30...0x39: true
        case 0x41...0x46, 0x61...0x66: isHex
        default: false
        }
    }

    /// The text without underscores; nil if it is not a number.
    private static func grammar(_ bytes: [UInt8]) -> String? {
        var at = 0
        if at < bytes.count, bytes[at] == 0x2B || bytes[at] == 0x2D { at += 1 }
        let isHex = at + 1 < bytes.count && bytes[at] == 0x30 && bytes[at + 1] | 0x20 == 0x78
        if isHex { at += 2 }
        // The prefix counts as a digit before an underscore.
        var (before, digits, points) = (isHex ? UInt8(0x30) : 0x21, 0, 0)
        /// Reads a digit or an underscore; false at any other byte or a misplaced underscore.
        func take(_ byte: UInt8, isHex: Bool) -> Bool? {
            if isDigit(byte, isHex: isHex) {
                before = 0x30
                return true
            }
            guard byte == 0x5F else { return false }
            guard before == 0x30 else { return nil }
            before = 0x5F
            return true
        }
        while at < bytes.count {
            if bytes[at] == 0x2E {
                guard points == 0, before != 0x5F else { return nil }
                (points, before) = (1, 0x21)
                at += 1
                continue
            }
            guard let taken = take(bytes[at], isHex: isHex) else { return nil }
            guard taken else { break }
            if bytes[at] != 0x5F { digits += 1 }
            at += 1
        }
        guard digits > 0, before != 0x5F else { return nil }
        let mark: UInt8 = isHex ? 0x70 : 0x65
        if at < bytes.count, bytes[at] | 0x20 == mark {
            at += 1
            if at < bytes.count, bytes[at] == 0x2B || bytes[at] == 0x2D { at += 1 }
            guard at < bytes.count, isDigit(bytes[at], isHex: false) else { return nil }
            before = 0x21
            while at < bytes.count {
                guard take(bytes[at], isHex: false) == true else { return nil }
                at += 1
            }
            guard before != 0x5F else { return nil }
        } else if isHex {
            return nil
        }
        guard at == bytes.count else { return nil }
        return String(decoding: bytes.filter { $0 != 0x5F }, as: UTF8.self)
    }
}
