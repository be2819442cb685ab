import GoCompatibility
import Model

/// The grammar of matchers with UTF-8 names.
///
/// Names and values may be quoted; the braces enclose all matchers or are absent. Errors begin with the columns at which
/// the unexpected text starts and ends.
struct UTF8Matchers {
    private enum Kind: Equatable {
        case mark(Unicode.Scalar)
        case operation(Matcher.Kind)
        case word(String)
        case end
    }

    private struct Token {
        var kind: Kind
        var text: String
        var start: Int
        var end: Int

        func unexpected(_ expected: String) -> MatcherMistake {
            MatcherMistake("\(start):\(end): \(text): expected \(expected)")
        }
    }

    private let scalars: [Unicode.Scalar]
    private var position = 0
    private var next: Token

    /// Parses the matchers of a text.
    static func parse(_ text: String) throws(MatcherMistake) -> [Matcher] {
        var parser = UTF8Matchers(text)
        try parser.advance()
        return try parser.matchers()
    }

    private init(_ text: String) {
        scalars = Array(text.unicodeScalars)
        next = Token(kind: .end, text: "", start: 0, end: 0)
    }

    private mutating func matchers() throws(MatcherMistake) -> [Matcher] {
        if next.kind == .mark("}") { throw next.unexpected("opening brace") }
        let isOpen = try skip(.mark("{"))
        var result: [Matcher] = []
        while next.kind != .end, next.kind != .mark("}") {
            result.append(try matcher())
            if next.kind == .end || next.kind == .mark("}") { break }
            guard try skip(.mark(",")) else { throw next.unexpected("a comma or close brace") }
            switch next.kind {
            case .word, .end, .mark("}"): break
            default: throw next.unexpected("a matcher or close brace after comma")
            }
        }
        if isOpen, next.kind != .mark("}") { throw next.unexpected("close brace") }
        if isOpen { try advance() }
        if next.kind != .end { throw next.unexpected("end of input") }
        return result
    }

    private mutating func matcher() throws(MatcherMistake) -> Matcher {
        guard case .word(let name) = next.kind, !name.isEmpty else { throw next.unexpected("label name") }
        try advance()
        guard case .operation(let kind) = next.kind else {
            throw next.unexpected("an operator such as '=', '!=', '=~' or '!~'")
        }
        try advance()
        guard case .word(let value) = next.kind else { throw next.unexpected("label value") }
        try advance()
        return try MatcherMistake.matcher(name, kind, value)
    }

    /// Takes the next token if it is of a kind.
    private mutating func skip(_ kind: Kind) throws(MatcherMistake) -> Bool {
        guard next.kind == kind else { return false }
        try advance()
        return true
    }

    private func scalar(at index: Int) -> Unicode.Scalar? { scalars.indices.contains(index) ? scalars[index] : nil }

    private func text(_ start: Int) -> String {
        var view = String.UnicodeScalarView()
        view.append(contentsOf: scalars[start..<position])
        return String(view)
    }

    /// Reads the next token.
    private mutating func advance() throws(MatcherMistake) {
        while let space = scalar(at: position), space.properties.isWhitespace { position += 1 }
        let start = position
        guard let first = scalar(at: start) else {
            next = Token(kind: .end, text: "end of input", start: start, end: start)
            return
        }
        position += 1
        let kind: Kind
        switch first {
        case "{", "}", ",": kind = .mark(first)
        case "=", "!": kind = .operation(try operation(first, start))
        case "\"": kind = .word(try quoted(start))
        case _ where Self.isReserved(first):
            throw MatcherMistake("\(start):\(position): \(first): invalid input")
        default:
            while let scalar = scalar(at: position), !Self.isReserved(scalar) { position += 1 }
            kind = .word(text(start))
        }
        next = Token(kind: kind, text: text(start), start: start, end: position)
    }

    private static func isReserved(_ scalar: Unicode.Scalar) -> Bool {
        scalar.properties.isWhitespace || "{}!=~,\\\"'`".unicodeScalars.contains(scalar)
    }

    private mutating func operation(
        _ first: Unicode.Scalar, _ start: Int
    ) throws(MatcherMistake) -> Matcher.Kind {
        let second = scalar(at: position)
        if second == "~" {
            position += 1
            return first == "=" ? .regex : .notRegex
        }
        if first == "=" { return .equal }
        guard second == "=" else {
            let found = second.map { "\(start):\(position): \($0)" } ?? "\(start):\(position): unexpected end of input"
            throw MatcherMistake("\(found), expected one of '=~'")
        }
        position += 1
        return .notEqual
    }

    /// A string literal in Go's syntax.
    private mutating func quoted(_ start: Int) throws(MatcherMistake) -> String {
        var isEscaped = false
        while let scalar = scalar(at: position), scalar != "\n" {
            position += 1
            if !isEscaped, scalar == "\"" {
                guard let text = GoLiteral.unquote(text(start)) else {
                    throw MatcherMistake("\(start):\(position): \(text(start)): invalid syntax")
                }
                return text
            }
            isEscaped = !isEscaped && scalar == "\\"
        }
        throw MatcherMistake("\(start):\(position): \(text(start)): missing end \"")
    }
}
