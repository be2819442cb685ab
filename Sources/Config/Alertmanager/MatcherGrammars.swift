import GoCompatibility
import Model

/// The reason why a text is not a matcher.
package struct MatcherMistake: Error, CustomStringConvertible {
    var reason: String
    package var description: String { reason }

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

    /// Reads one matcher, which may contain commas.
    static func matcher(_ token: ArraySlice<UInt8>) throws(MatcherMistake) -> Matcher {
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
