import GoCompatibility
import Model

/// The reason why a text is not a matcher.
struct MatcherMistake: Error {
    var reason: String

    init(_ reason: String) { self.reason = reason }

    /// Makes a matcher; throws if its regular expression is invalid.
    static func matcher(_ name: String, _ kind: Matcher.Kind, _ value: String) throws(MatcherMistake) -> Matcher {
        do throws(AnchoredRegex.SyntaxError) {
            return try Matcher(name, kind, value, dot: .noLineFeed)
        } catch {
            throw MatcherMistake("\(error)")
        }
    }
}

/// The grammar of matchers before UTF-8 names.
///
/// A brace at the start and one at the end are dropped, even if only one exists.
enum ClassicMatchers {
    static func parse(_ text: String) throws(MatcherMistake) -> [Matcher] {
        var bytes = Array(text.utf8)[...]
        if bytes.first == UInt8(ascii: "{") { bytes = bytes.dropFirst() }
        if bytes.last == UInt8(ascii: "}") { bytes = bytes.dropLast() }
        var result: [Matcher] = []
        for token in tokens(bytes) { result.append(try matcher(token)) }
        return result
    }

    /// The parts between commas outside of quotes, without an empty last one.
    private static func tokens(_ bytes: ArraySlice<UInt8>) -> [ArraySlice<UInt8>] {
        var tokens: [ArraySlice<UInt8>] = []
        var (isQuoted, isEscaped) = (false, false)
        var start = bytes.startIndex
        for (index, byte) in zip(bytes.indices, bytes) {
            switch byte {
            case UInt8(ascii: ","):
                if isQuoted { continue }
                tokens.append(bytes[start..<index])
                start = index + 1
            case UInt8(ascii: "\""):
                if isEscaped { isEscaped = false } else { isQuoted.toggle() }
            case UInt8(ascii: "\\"): isEscaped.toggle()
            default: isEscaped = false
            }
        }
        let last = String(decoding: bytes[start...], as: UTF8.self)
        if last.unicodeScalars.contains(where: { !$0.properties.isWhitespace }) { tokens.append(bytes[start...]) }
        return tokens
    }

    /// Whether `\s` of RE2 matches a byte.
    private static func isSpace(_ byte: UInt8) -> Bool { [0x09, 0x0A, 0x0C, 0x0D, 0x20].contains(byte) }

    private static func matcher(_ token: ArraySlice<UInt8>) throws(MatcherMistake) -> Matcher {
        let wrong = MatcherMistake("bad matcher format: \(String(decoding: token, as: UTF8.self))")
        var rest = token.drop(while: isSpace)
        let name = String(
            decoding: rest.prefix { !isSpace($0) && $0 != UInt8(ascii: "=") && $0 != UInt8(ascii: "!") }, as: UTF8.self)
        guard MetricName.isLegacy(name) else { throw wrong }
        rest = rest.dropFirst(name.utf8.count).drop(while: isSpace)
        let kinds: [Matcher.Kind] = [.regex, .equal, .notEqual, .notRegex]
        guard let kind = kinds.first(where: { rest.starts(with: $0.rawValue.utf8) }) else { throw wrong }
        rest = rest.dropFirst(kind.rawValue.utf8.count).drop(while: isSpace)
        while let last = rest.last, isSpace(last) { rest = rest.dropLast() }
        return try MatcherMistake.matcher(name, kind, try value(rest))
    }

    /// A value with or without quotes; a backslash before anything but `n`, `"` and `\` stays.
    private static func value(_ raw: ArraySlice<UInt8>) throws(MatcherMistake) -> String {
        let quote = UInt8(ascii: "\"")
        let backslash = UInt8(ascii: "\\")
        var isOpen = raw.first == quote
        let inner = isOpen ? raw.dropFirst() : raw
        var out: [UInt8] = []
        var isEscaped = false
        for (index, byte) in zip(inner.indices, inner) {
            let isLast = index + 1 == inner.endIndex
            if isEscaped {
                isEscaped = false
                switch byte {
                case UInt8(ascii: "n"): out.append(0x0A)
                case quote, backslash: out.append(byte)
                default: out += [backslash, byte]
                }
            } else if byte == backslash, !isLast {
                isEscaped = true
            } else if byte == quote {
                guard isOpen, isLast else { throw unescaped(raw) }
                isOpen = false
            } else {
                out.append(byte)
            }
        }
        if isOpen { throw unescaped(raw) }
        return String(decoding: out, as: UTF8.self)
    }

    private static func unescaped(_ raw: ArraySlice<UInt8>) -> MatcherMistake {
        MatcherMistake("matcher value contains unescaped double quote: \(String(decoding: raw, as: UTF8.self))")
    }
}

/// The grammar of matchers with UTF-8 names.
///
/// Names and values may be quoted; the braces enclose all matchers or are absent.
struct UTF8Matchers {
    private enum Token: Equatable {
        case mark(Unicode.Scalar)
        case operation(Matcher.Kind)
        case word(String)
    }

    private var rest: Substring.UnicodeScalarView

    /// Parses the matchers; nil if the text does not follow the grammar.
    static func parse(_ text: String) -> [Matcher]? {
        var scanner = UTF8Matchers(rest: Substring(text).unicodeScalars)
        guard let tokens = scanner.tokens() else { return nil }
        return matchers(tokens[...])
    }

    private static func matchers(_ all: ArraySlice<Token>) -> [Matcher]? {
        var tokens = all
        if tokens.first == .mark("{") {
            guard tokens.count > 1, tokens.last == .mark("}") else { return nil }
            tokens = tokens.dropFirst().dropLast()
        }
        var result: [Matcher] = []
        while let first = tokens.first {
            guard case .word(let name) = first, !name.isEmpty,
                case .operation(let kind)? = tokens.dropFirst().first,
                case .word(let value)? = tokens.dropFirst(2).first
            else { return nil }
            do throws(MatcherMistake) {
                result.append(try MatcherMistake.matcher(name, kind, value))
            } catch {
                return nil
            }
            tokens = tokens.dropFirst(3)
            if tokens.isEmpty { break }
            guard tokens.first == .mark(",") else { return nil }
            tokens = tokens.dropFirst()
        }
        return result
    }

    private mutating func tokens() -> [Token]? {
        var tokens: [Token] = []
        while let next = rest.first {
            switch next {
            case _ where next.properties.isWhitespace: rest = rest.dropFirst()
            case "{", "}", ",":
                rest = rest.dropFirst()
                tokens.append(.mark(next))
            case "=", "!":
                guard let kind = operation() else { return nil }
                tokens.append(.operation(kind))
            case "\"":
                guard let word = quoted() else { return nil }
                tokens.append(.word(word))
            default:
                let word = rest.prefix { !Self.isReserved($0) }
                if word.isEmpty { return nil }
                rest = rest[word.endIndex...]
                tokens.append(.word(String(word)))
            }
        }
        return tokens
    }

    private static func isReserved(_ scalar: Unicode.Scalar) -> Bool {
        scalar.properties.isWhitespace || "{}!=~,\\\"'`".unicodeScalars.contains(scalar)
    }

    private mutating func operation() -> Matcher.Kind? {
        let isNegative = rest.popFirst() == "!"
        if rest.first == "~" {
            rest = rest.dropFirst()
            return isNegative ? .notRegex : .regex
        }
        if !isNegative { return .equal }
        return rest.popFirst() == "=" ? .notEqual : nil
    }

    /// A string literal in Go's syntax.
    private mutating func quoted() -> String? {
        var isEscaped = false
        var end = rest.index(after: rest.startIndex)
        while end < rest.endIndex {
            let scalar = rest[end]
            if scalar == "\n" { return nil }
            if !isEscaped, scalar == "\"" {
                let literal = rest[...end]
                rest = rest[rest.index(after: end)...]
                return GoLiteral.unquote(String(literal))
            }
            isEscaped = !isEscaped && scalar == "\\"
            end = rest.index(after: end)
        }
        return nil
    }
}
