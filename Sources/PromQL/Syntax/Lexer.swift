import Model

/// Splits the text into tokens; the open braces and brackets determine the meaning of a word or digit.
///
/// It makes one token at a time, so that no text is held as a list of tokens. The first invalid text becomes the last
/// token, so that an error before it is reported first.
struct Lexer {
    /// The most tokens of an expression, many times more than in any expression that a person or a program needs.
    static let mostTokens = 250_000

    let text: [UInt8]
    var at = 0
    /// The last token.
    var token = Token(kind: .end, range: TextRange(0, 0))
    /// The number of tokens so far.
    private var count = 0
    private var isDone = false
    private let budget: SyntaxBudget
    private var braceOpen = false
    private var bracketOpen = false
    /// Whether it is after `[` and before the first number: only durations and their operators are allowed.
    private var expectsDuration = false
    private var sawColon = false
    private var openParentheses = 0
    /// The line of the last recorded error, and the start of that line.
    private var line = (number: 1, start: 0)
    /// The start of the search for the line of the next error.
    private var searched = 0

    init(_ text: [UInt8], budget: SyntaxBudget = SyntaxBudget()) {
        self.text = text
        self.budget = budget
    }

    /// Reads the next token; the last has the kind `end` or `error`, and is repeated.
    mutating func next() -> Token {
        if isDone { return token }
        do throws(ParseError) {
            try step()
            count += 1
        } catch {
            token = Token(kind: .error, problem: error, range: TextRange(error.offset, error.offset))
        }
        isDone = token.kind == .end || token.kind == .error
        return token
    }

    /// Throws if the tree would be too large.
    private func checkCount() throws(ParseError) {
        if count >= Self.mostTokens {
            throw failure("expression is too long: it has more than \(Self.mostTokens) tokens", at: at)
        }
        if !budget.countToken() {
            throw failure("the limits of the request were reached while it was parsed", at: at)
        }
    }

    func failure(_ message: String, at offset: Int) -> ParseError { ParseError(message, at: offset, in: text) }

    /// Makes an error for a token.
    ///
    /// Line breaks are only searched after the previous one, because each number of a long text may have such an error.
    mutating func failureAhead(_ message: String, at offset: Int) -> ParseError {
        while searched < min(offset, text.count) {
            if text[searched] == 0x0A { line = (line.number + 1, searched + 1) }
            searched += 1
        }
        return ParseError(message, at: offset, line: line.number, column: offset - line.start + 1)
    }

    func byte(_ offset: Int) -> UInt8 { offset < text.count ? text[offset] : 0 }

    func slice(_ start: Int, _ end: Int) -> String { String(decoding: text[start..<end], as: UTF8.self) }

    private mutating func emit(_ kind: TokenKind, _ length: Int, keyword: Keyword? = nil) {
        token = Token(kind: kind, text: slice(at, at + length), keyword: keyword, range: TextRange(at, at + length))
        at += length
    }

    static func isDigit(_ c: UInt8) -> Bool { c >= 0x30 && c <= 0x39 }
    static func isLetter(_ c: UInt8) -> Bool { (c | 0x20 >= 0x61 && c | 0x20 <= 0x7A) || c == 0x5F }
    private static func isSpace(_ c: UInt8) -> Bool { c == 0x20 || c == 0x09 || c == 0x0A || c == 0x0D }

    func isWordByte(_ offset: Int) -> Bool {
        offset < text.count && (Self.isLetter(text[offset]) || Self.isDigit(text[offset]))
    }

    /// The character at `offset` in single quotes.
    private func shown(_ offset: Int) -> String {
        guard offset < text.count else { return Quoted.character(nil) }
        let rest = String(decoding: text[offset..<min(text.count, offset + 8)], as: UTF8.self)
        return Quoted.character(rest.unicodeScalars.first)
    }

    /// Reads one token.
    private mutating func step() throws(ParseError) {
        skipSpaceAndComments()
        guard at < text.count else {
            if braceOpen { throw failure("unexpected end of input inside braces", at: at) }
            if expectsDuration { throw failure("unexpected end of input in duration expression", at: at) }
            if openParentheses > 0 { throw failure("unclosed left parenthesis", at: at) }
            if bracketOpen { throw failure("unclosed left bracket", at: at) }
            token = Token(kind: .end, range: TextRange(at, at))
            return
        }
        try checkCount()
        let c = text[at]
        if braceOpen {
            try insideBraces(c)
        } else if expectsDuration {
            try insideDuration(c)
        } else {
            try statement(c)
        }
    }

    private mutating func skipSpaceAndComments() {
        while at < text.count {
            if Self.isSpace(text[at]) {
                at += 1
            } else if text[at] == UInt8(ascii: "#"), !expectsDuration {
                while at < text.count, text[at] != 0x0A, text[at] != 0x0D { at += 1 }
            } else {
                return
            }
        }
    }

    // MARK: Outside braces

    private mutating func statement(_ c: UInt8) throws(ParseError) {
        let next = byte(at + 1)
        switch c {
        case UInt8(ascii: "\""), UInt8(ascii: "'"), UInt8(ascii: "`"): try string()
        case _ where Self.isDigit(c) || (c == UInt8(ascii: ".") && Self.isDigit(next)): try number()
        case _ where Self.isLetter(c) || c == UInt8(ascii: ":"):
            if bracketOpen { try insideBrackets(c) } else { word() }
        case UInt8(ascii: "("), UInt8(ascii: ")"): try parenthesis(c)
        case UInt8(ascii: "{"):
            braceOpen = true
            emit(.leftBrace, 1)
        case UInt8(ascii: "["):
            if bracketOpen { throw failure("unexpected left bracket '['", at: at) }
            emit(.leftBracket, 1)
            (bracketOpen, expectsDuration, sawColon) = (true, true, false)
        case UInt8(ascii: "]"):
            if !bracketOpen { throw failure("unexpected right bracket ']'", at: at) }
            bracketOpen = false
            emit(.rightBracket, 1)
        case UInt8(ascii: "="):
            if next == UInt8(ascii: "~") { throw failure("unexpected character after '=': '~'", at: at) }
            emit(next == UInt8(ascii: "=") ? .equal : .assign, next == UInt8(ascii: "=") ? 2 : 1)
        case UInt8(ascii: "!"):
            guard next == UInt8(ascii: "=") else {
                throw failure("unexpected character after '!': \(shown(at + 1))", at: at)
            }
            emit(.notEqual, 2)
        default:
            guard let (kind, length) = Self.operatorToken(c, next) else {
                throw failure("unexpected character: \(shown(at))", at: at)
            }
            emit(kind, length)
        }
    }

    private static func operatorToken(_ c: UInt8, _ next: UInt8) -> (TokenKind, Int)? {
        switch (c, next) {
        case (UInt8(ascii: ","), _): (.comma, 1)
        case (UInt8(ascii: "@"), _): (.at, 1)
        case (UInt8(ascii: "+"), _): (.add, 1)
        case (UInt8(ascii: "-"), _): (.subtract, 1)
        case (UInt8(ascii: "*"), _): (.multiply, 1)
        case (UInt8(ascii: "/"), _): (.divide, 1)
        case (UInt8(ascii: "%"), _): (.modulo, 1)
        case (UInt8(ascii: "^"), _): (.power, 1)
        case (UInt8(ascii: "<"), UInt8(ascii: "=")): (.lessOrEqual, 2)
        case (UInt8(ascii: "<"), UInt8(ascii: "/")): (.trimUpper, 2)
        case (UInt8(ascii: "<"), _): (.less, 1)
        case (UInt8(ascii: ">"), UInt8(ascii: "=")): (.greaterOrEqual, 2)
        case (UInt8(ascii: ">"), UInt8(ascii: "/")): (.trimLower, 2)
        case (UInt8(ascii: ">"), _): (.greater, 1)
        default: nil
        }
    }

    private mutating func parenthesis(_ c: UInt8) throws(ParseError) {
        if c == UInt8(ascii: "(") {
            openParentheses += 1
            return emit(.leftParenthesis, 1)
        }
        openParentheses -= 1
        // Prometheus has read the parenthesis before it reports the error.
        if openParentheses < 0 { throw failure("unexpected right parenthesis ')'", at: at + 1) }
        emit(.rightParenthesis, 1)
    }

    /// Reads a name that may have colons, or a keyword.
    private mutating func word() {
        var end = at
        while isWordByte(end) || byte(end) == UInt8(ascii: ":") { end += 1 }
        let spelling = slice(at, end)
        let lower = spelling.lowercased()
        if lower == "inf" || lower == "nan" {
            let value = lower == "inf" ? Double.infinity : .nan
            token = Token(kind: .number, text: spelling, number: value, range: TextRange(at, end))
            at = end
            return
        }
        var keyword = Keyword(rawValue: lower)
        if keyword?.needsParenthesis == true {
            var next = end
            while next < text.count, Self.isSpace(text[next]) { next += 1 }
            if byte(next) != UInt8(ascii: "(") { keyword = nil }
        }
        let isName = !spelling.utf8.contains(UInt8(ascii: ":"))
        emit(isName ? .identifier : .metricIdentifier, end - at, keyword: keyword)
    }

    // MARK: Inside brackets

    /// Reads a word or colon after the first number in brackets.
    private mutating func insideBrackets(_ c: UInt8) throws(ParseError) {
        if c == UInt8(ascii: ":") {
            if sawColon { throw failure("unexpected colon ':'", at: at) }
            sawColon = true
            let isDouble = byte(at + 1) == UInt8(ascii: ":")
            return emit(isDouble ? .doubleColon : .colon, isDouble ? 2 : 1)
        }
        guard durationWord() else { throw failure("unexpected character: \(shown(at)), expected ':'", at: at) }
    }

    /// Reads a token that is allowed after `[`, or after an operator there, before there is a number.
    private mutating func insideDuration(_ c: UInt8) throws(ParseError) {
        switch c {
        case UInt8(ascii: "]"):
            (bracketOpen, expectsDuration) = (false, false)
            emit(.rightBracket, 1)
        case UInt8(ascii: ":"):
            if sawColon { throw failure("unexpected repeated colon in duration expression", at: at + 1) }
            sawColon = true
            emit(.colon, 1)
        case UInt8(ascii: "("), UInt8(ascii: ")"): try parenthesis(c)
        case _ where Self.isDigit(c) || (c == UInt8(ascii: ".") && Self.isDigit(byte(at + 1))):
            expectsDuration = false
            try number()
        case UInt8(ascii: "+"), UInt8(ascii: "-"), UInt8(ascii: "*"), UInt8(ascii: "/"), UInt8(ascii: "%"),
            UInt8(ascii: "^"), UInt8(ascii: ","):
            guard let (kind, _) = Self.operatorToken(c, 0) else { return }
            emit(kind, 1)
        default:
            guard durationWord() else {
                throw failure("unexpected character in duration expression: \(shown(at))", at: at)
            }
        }
    }

    /// Reads one of the words for durations; returns false if there is none.
    private mutating func durationWord() -> Bool {
        var end = at
        while end < text.count, Self.isLetter(text[end]) { end += 1 }
        let lower = slice(at, end).lowercased()
        guard ["step", "range", "min_of", "max_of"].contains(lower) else { return false }
        emit(.identifier, end - at, keyword: Keyword(rawValue: lower))
        return true
    }

    // MARK: Inside braces

    private mutating func insideBraces(_ c: UInt8) throws(ParseError) {
        let next = byte(at + 1)
        switch c {
        case _ where Self.isLetter(c):
            var end = at
            while isWordByte(end) { end += 1 }
            emit(.identifier, end - at)
        case UInt8(ascii: "\""), UInt8(ascii: "'"), UInt8(ascii: "`"): try string()
        case UInt8(ascii: ","): emit(.comma, 1)
        case UInt8(ascii: "="):
            emit(next == UInt8(ascii: "~") ? .matchRegex : .assign, next == UInt8(ascii: "~") ? 2 : 1)
        case UInt8(ascii: "!"):
            guard next == UInt8(ascii: "~") || next == UInt8(ascii: "=") else {
                throw failure("unexpected character after '!' inside braces: \(shown(at + 1))", at: at)
            }
            emit(next == UInt8(ascii: "~") ? .notMatchRegex : .notEqual, 2)
        case UInt8(ascii: "{"): throw failure("unexpected left brace '{'", at: at)
        case UInt8(ascii: "}"):
            braceOpen = false
            emit(.rightBrace, 1)
        default: throw failure("unexpected character inside braces: \(shown(at))", at: at)
        }
    }
}
