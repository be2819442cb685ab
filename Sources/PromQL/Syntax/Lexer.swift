import Glibc
import Model

/// Cuts the text into tokens; what braces and brackets are open decides what a word or digit means.
struct Lexer {
    private let text: [UInt8]
    private var at = 0
    private var tokens: [Token] = []
    private var braceDepth = 0
    private var bracketOpen = false
    private var openParentheses = 0

    private init(_ text: [UInt8]) { self.text = text }

    /// All tokens, the last of kind `end`.
    static func tokenize(_ text: [UInt8]) throws(ParseError) -> [Token] {
        var lexer = Lexer(text)
        while try lexer.step() {}
        return lexer.tokens
    }

    private func failure(_ message: String, at offset: Int) -> ParseError { ParseError(message, at: offset, in: text) }

    private func byte(_ offset: Int) -> UInt8 { offset < text.count ? text[offset] : 0 }

    private func slice(_ start: Int, _ end: Int) -> String { String(decoding: text[start..<end], as: UTF8.self) }

    private mutating func emit(_ kind: TokenKind, _ length: Int) {
        tokens.append(Token(kind: kind, text: slice(at, at + length), range: TextRange(at, at + length)))
        at += length
    }

    private static func isDigit(_ c: UInt8) -> Bool { c >= 0x30 && c <= 0x39 }
    private static func isLetter(_ c: UInt8) -> Bool { (c | 0x20 >= 0x61 && c | 0x20 <= 0x7A) || c == 0x5F }

    /// Reads one token; false at the end.
    private mutating func step() throws(ParseError) -> Bool {
        skipSpaceAndComments()
        guard at < text.count else {
            if braceDepth > 0 { throw failure("unexpected end of input inside braces", at: at) }
            if bracketOpen { throw failure("unclosed left bracket", at: at) }
            if openParentheses > 0 { throw failure("unclosed left parenthesis", at: at) }
            tokens.append(Token(kind: .end, range: TextRange(at, at)))
            return false
        }
        let c = text[at]
        if Self.isLetter(c) || (c == UInt8(ascii: ":") && !bracketOpen && braceDepth == 0) {
            word()
        } else if Self.isDigit(c) || (c == UInt8(ascii: ".") && Self.isDigit(byte(at + 1))) {
            try number()
        } else if c == UInt8(ascii: "\"") || c == UInt8(ascii: "'") || c == UInt8(ascii: "`") {
            try string()
        } else {
            try symbol(c)
        }
        return true
    }

    private mutating func skipSpaceAndComments() {
        while at < text.count {
            switch text[at] {
            case 0x20, 0x09, 0x0A, 0x0D: at += 1
            case UInt8(ascii: "#"): while at < text.count, text[at] != 0x0A { at += 1 }
            default: return
            }
        }
    }

    private mutating func word() {
        var end = at
        var hasColon = false
        while end < text.count {
            let c = text[end]
            if c == UInt8(ascii: ":"), braceDepth == 0, !bracketOpen {
                hasColon = true
            } else if !Self.isLetter(c), !Self.isDigit(c) {
                break
            }
            end += 1
        }
        let spelling = slice(at, end)
        let lower = spelling.lowercased()
        if braceDepth == 0, lower == "inf" || lower == "nan" {
            tokens.append(
                Token(
                    kind: .number, text: spelling, number: lower == "inf" ? .infinity : .nan, range: TextRange(at, end))
            )
            at = end
        } else {
            emit(hasColon ? .metricIdentifier : .identifier, end - at)
        }
    }

    private mutating func symbol(_ c: UInt8) throws(ParseError) {
        let next = byte(at + 1)
        switch c {
        case UInt8(ascii: "("):
            openParentheses += 1
            emit(.leftParenthesis, 1)
        case UInt8(ascii: ")"):
            openParentheses -= 1
            if openParentheses < 0 { throw failure("unexpected right parenthesis ')'", at: at) }
            emit(.rightParenthesis, 1)
        case UInt8(ascii: "{"):
            if braceDepth > 0 { throw failure("unexpected left brace '{'", at: at) }
            braceDepth = 1
            emit(.leftBrace, 1)
        case UInt8(ascii: "}"):
            if braceDepth == 0 { throw failure("unexpected right brace '}'", at: at) }
            braceDepth = 0
            emit(.rightBrace, 1)
        case UInt8(ascii: "["):
            if bracketOpen { throw failure("unexpected left bracket '['", at: at) }
            bracketOpen = true
            emit(.leftBracket, 1)
        case UInt8(ascii: "]"):
            if !bracketOpen { throw failure("unexpected right bracket ']'", at: at) }
            bracketOpen = false
            emit(.rightBracket, 1)
        case UInt8(ascii: ","): emit(.comma, 1)
        case UInt8(ascii: ":"): emit(.colon, 1)
        case UInt8(ascii: "@"): emit(.at, 1)
        case UInt8(ascii: "+"): emit(.add, 1)
        case UInt8(ascii: "-"): emit(.subtract, 1)
        case UInt8(ascii: "*"): emit(.multiply, 1)
        case UInt8(ascii: "/"): emit(.divide, 1)
        case UInt8(ascii: "%"): emit(.modulo, 1)
        case UInt8(ascii: "^"): emit(.power, 1)
        case UInt8(ascii: "="):
            if next == UInt8(ascii: "~") {
                emit(.matchRegex, 2)
            } else if next == UInt8(ascii: "=") {
                emit(.equal, 2)
            } else {
                emit(.assign, 1)
            }
        case UInt8(ascii: "!"):
            if next == UInt8(ascii: "~") {
                emit(.notMatchRegex, 2)
            } else if next == UInt8(ascii: "=") {
                emit(.notEqual, 2)
            } else {
                throw failure("unexpected character after '!': \(shown(at + 1))", at: at)
            }
        case UInt8(ascii: "<"):
            if next == UInt8(ascii: "=") {
                emit(.lessOrEqual, 2)
            } else if next == UInt8(ascii: "/") {
                emit(.trimUpper, 2)
            } else {
                emit(.less, 1)
            }
        case UInt8(ascii: ">"):
            if next == UInt8(ascii: "=") {
                emit(.greaterOrEqual, 2)
            } else if next == UInt8(ascii: "/") {
                emit(.trimLower, 2)
            } else {
                emit(.greater, 1)
            }
        default:
            throw failure("unexpected character\(braceDepth > 0 ? " inside braces" : ""): \(shown(at))", at: at)
        }
    }

    /// The character at `offset` in single quotes.
    private func shown(_ offset: Int) -> String {
        guard offset < text.count else { return "'\\x00'" }
        let rest = String(decoding: text[offset..<min(text.count, offset + 8)], as: UTF8.self)
        return "'\(rest.unicodeScalars.first.map(String.init) ?? "")'"
    }
}

// MARK: Numbers and durations

extension Lexer {
    private mutating func number() throws(ParseError) {
        let start = at
        if let end = durationEnd(), !isWordByte(end) {
            let spelling = slice(start, end)
            let milliseconds: Int64
            do throws(DurationText.ParseError) {
                milliseconds = try DurationText.parse(spelling)
            } catch {
                throw failure("\(error)", at: start)
            }
            tokens.append(
                Token(
                    kind: .duration, text: spelling, number: Double(milliseconds) / 1000, range: TextRange(start, end)))
            at = end
            return
        }
        let end = numberEnd()
        if isWordByte(end) || byte(end) == UInt8(ascii: ".") {
            throw failure("bad number or duration syntax: \(Quoted.text(slice(start, badNumberEnd(end))))", at: start)
        }
        let spelling = slice(start, end)
        guard let value = Self.value(of: spelling) else {
            throw failure("bad number or duration syntax: \(Quoted.text(spelling))", at: start)
        }
        tokens.append(Token(kind: .number, text: spelling, number: value, range: TextRange(start, end)))
        at = end
    }

    private func isWordByte(_ offset: Int) -> Bool {
        offset < text.count && (Self.isLetter(text[offset]) || Self.isDigit(text[offset]))
    }

    /// The end of digits each followed by a unit; nil if the text is not of that form.
    private func durationEnd() -> Int? {
        var end = at
        while end < text.count, Self.isDigit(text[end]) {
            while end < text.count, Self.isDigit(text[end]) { end += 1 }
            switch byte(end) {
            case UInt8(ascii: "m"): end += byte(end + 1) == UInt8(ascii: "s") ? 2 : 1
            case UInt8(ascii: "s"), UInt8(ascii: "h"), UInt8(ascii: "d"), UInt8(ascii: "w"), UInt8(ascii: "y"): end += 1
            default: return nil
            }
        }
        return end > at ? end : nil
    }

    /// How much of a malformed number Prometheus's lexer shows: what it takes for a duration, and the byte that is wrong.
    private func badNumberEnd(_ numberEnd: Int) -> Int {
        func isUnit(_ c: UInt8) -> Bool { "smhdwy".utf8.contains(c) }
        var end = numberEnd
        guard isUnit(byte(end)) else { return end }
        end += 1
        if byte(end) == UInt8(ascii: "s") { end += 1 }
        while Self.isDigit(byte(end)) {
            while Self.isDigit(byte(end)) { end += 1 }
            guard isUnit(byte(end)) else { return end }
            end += 1
            if byte(end) == UInt8(ascii: "s") { end += 1 }
        }
        return min(text.count, end + 1)
    }

    private func numberEnd() -> Int {
        var end = at
        func digits(_ isDigit: (UInt8) -> Bool) {
            while end < text.count {
                if isDigit(text[end]) {
                    end += 1
                } else if text[end] == UInt8(ascii: "_"), end > at, isDigit(byte(end + 1)) {
                    end += 1
                } else {
                    return
                }
            }
        }
        if byte(at) == UInt8(ascii: "0"), byte(at + 1) | 0x20 == UInt8(ascii: "x") {
            end += 2
            digits { Self.isDigit($0) || ($0 | 0x20 >= 0x61 && $0 | 0x20 <= 0x66) }
            return end
        }
        digits(Self.isDigit)
        if byte(end) == UInt8(ascii: ".") {
            end += 1
            digits(Self.isDigit)
        }
        if byte(end) | 0x20 == UInt8(ascii: "e") {
            let sign = byte(end + 1) == UInt8(ascii: "+") || byte(end + 1) == UInt8(ascii: "-") ? 1 : 0
            if Self.isDigit(byte(end + 1 + sign)) {
                end += 1 + sign
                digits(Self.isDigit)
            }
        }
        return end
    }

    /// A literal's value: base-0 integers first, then floats, as Go reads them.
    static func value(of spelling: String) -> Double? {
        let plain = String(spelling.filter { $0 != "_" })
        let lower = plain.lowercased()
        if lower.hasPrefix("0x") { return UInt64(lower.dropFirst(2), radix: 16).map { Double($0) } }
        if lower.utf8.count > 1, lower.hasPrefix("0"), lower.utf8.allSatisfy({ $0 >= 0x30 && $0 <= 0x37 }) {
            return Int64(lower, radix: 8).map { Double($0) } ?? strtod(plain, nil)
        }
        guard let first = plain.utf8.first, isDigit(first) || first == UInt8(ascii: ".") else { return nil }
        return strtod(plain, nil)
    }
}

// MARK: Strings

extension Lexer {
    private mutating func string() throws(ParseError) {
        let start = at
        let quote = text[at]
        at += 1
        var out: [UInt8] = []
        while true {
            guard at < text.count else {
                throw failure(
                    quote == UInt8(ascii: "`") ? "unterminated raw string" : "unterminated quoted string", at: start)
            }
            let c = text[at]
            if c == quote {
                at += 1
                break
            }
            if quote == UInt8(ascii: "`") {
                out.append(c)
                at += 1
            } else if c == 0x0A {
                throw failure("unterminated quoted string", at: start)
            } else if c == UInt8(ascii: "\\") {
                try escape(quote, into: &out, start: start)
            } else {
                out.append(c)
                at += 1
            }
        }
        var token = Token(kind: .string, range: TextRange(start, at))
        if let value = String(validating: out, as: UTF8.self) {
            token.text = value
        } else {
            token.text = String(decoding: out, as: UTF8.self)
            token.invalidBytes = out
        }
        tokens.append(token)
    }

    private mutating func escape(_ quote: UInt8, into out: inout [UInt8], start: Int) throws(ParseError) {
        let c = byte(at + 1)
        at += 2
        func hex(_ count: Int) throws(ParseError) -> UInt32 {
            guard at + count <= text.count else { throw failure("escape sequence not terminated", at: start) }
            var value: UInt32 = 0
            for i in at..<(at + count) {
                guard let digit = Character(UnicodeScalar(text[i])).hexDigitValue, text[i] < 0x80 else {
                    throw failure("illegal character \(Self.unicodeName(text[i])) in escape sequence", at: start)
                }
                value = value << 4 | UInt32(digit)
            }
            at += count
            return value
        }
        switch c {
        case UInt8(ascii: "a"): out.append(7)
        case UInt8(ascii: "b"): out.append(8)
        case UInt8(ascii: "f"): out.append(12)
        case UInt8(ascii: "n"): out.append(10)
        case UInt8(ascii: "r"): out.append(13)
        case UInt8(ascii: "t"): out.append(9)
        case UInt8(ascii: "v"): out.append(11)
        case UInt8(ascii: "\\"), quote: out.append(c)
        case UInt8(ascii: "x"): out.append(UInt8(truncatingIfNeeded: try hex(2)))
        case UInt8(ascii: "u"), UInt8(ascii: "U"):
            guard let scalar = Unicode.Scalar(try hex(c == UInt8(ascii: "u") ? 4 : 8)) else {
                throw failure("escape sequence is an invalid Unicode code point", at: start)
            }
            out.append(contentsOf: String(scalar).utf8)
        case UInt8(ascii: "0")...UInt8(ascii: "7"):
            at -= 1
            var value: UInt32 = 0
            for _ in 0..<3 {
                let digit = byte(at)
                guard digit >= 0x30, digit <= 0x37 else {
                    throw failure("illegal character \(Self.unicodeName(digit)) in escape sequence", at: start)
                }
                value = value << 3 | UInt32(digit - 0x30)
                at += 1
            }
            out.append(UInt8(truncatingIfNeeded: value))
        default:
            throw failure("unknown escape sequence \(Self.unicodeName(c))", at: start)
        }
    }

    /// `U+0022 '"'`.
    private static func unicodeName(_ c: UInt8) -> String {
        let digits = String(c, radix: 16, uppercase: true)
        return "U+" + String(repeating: "0", count: 4 - digits.count) + digits + " '\(Character(UnicodeScalar(c)))'"
    }
}
