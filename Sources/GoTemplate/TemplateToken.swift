import GoCompatibility

/// A lexical element of a template.
struct TemplateToken {
    enum Kind: Equatable {
        /// Text outside of delimiters, after trimming by the markers.
        case text
        case leftDelimiter
        case rightDelimiter
        /// A field name with its point: `.Labels`.
        case field
        /// A variable with its dollar, or the dollar alone.
        case variable
        case identifier
        case number
        case string
        case rawString
        case character
        case dot
        case pipe
        case declare
        case assign
        case comma
        case leftParenthesis
        case rightParenthesis
        /// White space, which separates arguments.
        case space
        case end
    }

    var kind: Kind
    var text: String
    /// Byte offset in the template.
    var position: Int
}

/// Splits a template into tokens, as the lexer of Go's `text/template`.
struct TemplateLexer {
    private let bytes: [UInt8]
    private let name: String
    private var at = 0
    private var parentheses = 0
    private var tokens: [TemplateToken] = []

    /// All tokens of `text`; the last is an `end` token.
    static func tokens(of text: [UInt8], name: String) throws(TemplateError) -> [TemplateToken] {
        var lexer = TemplateLexer(bytes: text, name: name)
        try lexer.run()
        return lexer.tokens
    }

    private init(bytes: [UInt8], name: String) {
        self.bytes = bytes
        self.name = name
    }

    private func failure(_ message: String, at position: Int) -> TemplateError {
        TemplateError.parse(name: name, bytes, at: position, message)
    }

    private func has(_ text: StaticString, at position: Int) -> Bool {
        let n = text.utf8CodeUnitCount
        guard position >= 0, position + n <= bytes.count else { return false }
        for i in 0..<n where bytes[position + i] != text.utf8Start[i] { return false }
        return true
    }

    private func find(_ text: StaticString, from start: Int) -> Int? {
        var i = start
        while i + text.utf8CodeUnitCount <= bytes.count {
            if has(text, at: i) { return i }
            i += 1
        }
        return nil
    }

    private static func isSpace(_ c: UInt8) -> Bool { c == 0x20 || c == 0x09 || c == 0x0D || c == 0x0A }

    private static func isWord(_ c: UInt8) -> Bool {
        c == UInt8(ascii: "_") || c >= 0x80 || (c | 0x20 >= UInt8(ascii: "a") && c | 0x20 <= UInt8(ascii: "z"))
            || isDigit(c)
    }

    private static func isDigit(_ c: UInt8) -> Bool { c >= UInt8(ascii: "0") && c <= UInt8(ascii: "9") }

    private mutating func emit(_ kind: TemplateToken.Kind, from start: Int) {
        tokens.append(
            TemplateToken(kind: kind, text: String(decoding: bytes[start..<at], as: UTF8.self), position: start))
    }

    private mutating func run() throws(TemplateError) {
        var textStart = 0
        while true {
            guard let open = find("{{", from: textStart) else {
                at = bytes.count
                if textStart < at { emit(.text, from: textStart) }
                emit(.end, from: at)
                return
            }
            let trims = has("-", at: open + 2) && open + 3 < bytes.count && Self.isSpace(bytes[open + 3])
            at = open
            if trims { while at > textStart, Self.isSpace(bytes[at - 1]) { at -= 1 } }
            if at > textStart { emit(.text, from: textStart) }
            at = open + 2 + (trims ? 1 : 0)
            let bodyStart = trims ? at + 1 : at
            if has("/*", at: bodyStart) {
                at = try skipComment(from: bodyStart)
            } else {
                tokens.append(TemplateToken(kind: .leftDelimiter, text: "{{", position: open))
                parentheses = 0
                try lexAction(open)
            }
            // The position is after the closing delimiter; a trim marker before it removes the following space.
            textStart = at
            if closedWithTrim { while textStart < bytes.count, Self.isSpace(bytes[textStart]) { textStart += 1 } }
        }
    }

    private var closedWithTrim = false

    private mutating func skipComment(from start: Int) throws(TemplateError) -> Int {
        guard let close = find("*/", from: start) else { throw failure("unclosed comment", at: start) }
        if has("}}", at: close + 2) {
            closedWithTrim = false
            return close + 4
        }
        if close + 2 < bytes.count, Self.isSpace(bytes[close + 2]), has("-}}", at: close + 3) {
            closedWithTrim = true
            return close + 6
        }
        throw failure("comment ends before closing delimiter", at: start)
    }

    private mutating func lexAction(_ open: Int) throws(TemplateError) {
        while true {
            guard at < bytes.count else { throw failure("unclosed action", at: open) }
            let start = at
            let c = bytes[at]
            if has("}}", at: at) || (Self.isSpace(c) && has("-}}", at: at + 1)) {
                guard parentheses == 0 else { throw failure("unclosed left paren", at: start) }
                closedWithTrim = Self.isSpace(c)
                at += closedWithTrim ? 4 : 2
                tokens.append(TemplateToken(kind: .rightDelimiter, text: "}}", position: start))
                return
            }
            at += 1
            switch c {
            case _ where Self.isSpace(c):
                while at < bytes.count, Self.isSpace(bytes[at]), !has("-}}", at: at + 1) { at += 1 }
                emit(.space, from: start)
            case UInt8(ascii: "="): emit(.assign, from: start)
            case UInt8(ascii: ":"):
                guard has("=", at: at) else { throw failure("expected :=", at: start) }
                at += 1
                emit(.declare, from: start)
            case UInt8(ascii: "|"): emit(.pipe, from: start)
            case UInt8(ascii: ","): emit(.comma, from: start)
            case UInt8(ascii: "\""):
                try skipQuoted(UInt8(ascii: "\""), "unterminated quoted string", start)
                emit(.string, from: start)
            case UInt8(ascii: "'"):
                try skipQuoted(UInt8(ascii: "'"), "unterminated character constant", start)
                emit(.character, from: start)
            case UInt8(ascii: "`"):
                guard let close = find("`", from: at) else {
                    throw failure("unterminated raw quoted string", at: start)
                }
                at = close + 1
                emit(.rawString, from: start)
            case UInt8(ascii: "$"):
                skipWord()
                try checkTerminator(start)
                emit(.variable, from: start)
            case UInt8(ascii: "."):
                if at < bytes.count, Self.isDigit(bytes[at]) {
                    try lexNumber(start)
                } else if at < bytes.count, Self.isWord(bytes[at]) {
                    skipWord()
                    try checkTerminator(start)
                    emit(.field, from: start)
                } else {
                    try checkTerminator(start)
                    emit(.dot, from: start)
                }
            case UInt8(ascii: "+"), UInt8(ascii: "-"): try lexNumber(start)
            case _ where Self.isDigit(c): try lexNumber(start)
            case UInt8(ascii: "("):
                parentheses += 1
                emit(.leftParenthesis, from: start)
            case UInt8(ascii: ")"):
                parentheses -= 1
                guard parentheses >= 0 else { throw failure("unexpected right paren", at: start) }
                emit(.rightParenthesis, from: start)
            case _ where Self.isWord(c):
                skipWord()
                try checkTerminator(start)
                emit(.identifier, from: start)
            default:
                throw failure("unexpected \(characterName(c)) in command", at: start)
            }
        }
    }

    private func characterName(_ c: UInt8) -> String {
        let code = "U+" + c.zeroPadded(4, radix: 16, uppercase: true)
        return c >= 0x20 && c < 0x7F ? "\"" + String(decoding: [c], as: UTF8.self) + "\"" : code
    }

    private mutating func skipWord() { while at < bytes.count, Self.isWord(bytes[at]) { at += 1 } }

    /// A word must be followed by a terminator, so that `.x+1` is an error.
    private func checkTerminator(_ start: Int) throws(TemplateError) {
        guard at < bytes.count else { return }
        let c = bytes[at]
        if Self.isSpace(c) || has("}}", at: at) { return }
        switch c {
        case UInt8(ascii: "."), UInt8(ascii: ","), UInt8(ascii: "|"), UInt8(ascii: ":"), UInt8(ascii: ")"),
            UInt8(ascii: "("), UInt8(ascii: "="):
            return
        default: throw failure("bad character \(goCharacter(c))", at: start)
        }
    }

    private func goCharacter(_ c: UInt8) -> String {
        "U+" + c.zeroPadded(4, radix: 16, uppercase: true) + " '" + String(decoding: [c], as: UTF8.self)
            + "'"
    }

    private mutating func skipQuoted(_ quote: UInt8, _ message: String, _ start: Int) throws(TemplateError) {
        while true {
            guard at < bytes.count, bytes[at] != 0x0A else { throw failure(message, at: start) }
            if bytes[at] == quote {
                at += 1
                return
            }
            at += bytes[at] == UInt8(ascii: "\\") ? 2 : 1
        }
    }

    private mutating func lexNumber(_ start: Int) throws(TemplateError) {
        at = start
        if has("+", at: at) || has("-", at: at) { at += 1 }
        let isHexadecimal = has("0x", at: at) || has("0X", at: at)
        if isHexadecimal { at += 2 }
        while at < bytes.count {
            let c = bytes[at]
            let letter = c | 0x20
            if Self.isDigit(c) || c == UInt8(ascii: ".") || c == UInt8(ascii: "_") {
                at += 1
            } else if isHexadecimal, letter >= UInt8(ascii: "a"), letter <= UInt8(ascii: "f") {
                at += 1
            } else if letter == (isHexadecimal ? UInt8(ascii: "p") : UInt8(ascii: "e")) {
                at += 1
                if has("+", at: at) || has("-", at: at) { at += 1 }
            } else if !isHexadecimal, at == start + 1, bytes[start] == UInt8(ascii: "0"),
                letter == UInt8(ascii: "b") || letter == UInt8(ascii: "o")
            {
                at += 1
            } else {
                break
            }
        }
        if at < bytes.count, Self.isWord(bytes[at]) {
            throw failure(
                "bad number syntax: \"\(String(decoding: bytes[start...at], as: UTF8.self))\"", at: start)
        }
        emit(.number, from: start)
    }
}
