import GoCompatibility
import Model

extension AlertMatchers {
    /// Reads exactly one matcher without braces, as arguments of commands and filters of requests have it.
    ///
    /// With both notations, one that only the notation with UTF-8 names knows is read as that; of two results the
    /// classic one is used, and of two errors, too.
    package static func one(_ text: String, _ mode: Mode = .fallback) throws(MatcherMistake) -> Matcher {
        let bytes = Array(text.utf8)
        if mode != .classic, bytes.first == UInt8(ascii: "{") || bytes.last == UInt8(ascii: "}") {
            throw MatcherMistake("unexpected open or close brace: \(text)")
        }
        if mode == .utf8Strict { return try single(text) }
        do throws(MatcherMistake) {
            return try ClassicMatchers.matcher(bytes[...])
        } catch {
            if mode == .fallback, let matcher = try? single(text) { return matcher }
            throw error
        }
    }

    private static func single(_ text: String) throws(MatcherMistake) -> Matcher {
        let matchers = try UTF8Matchers.parse(text)
        guard let matcher = matchers.first else { throw MatcherMistake("no matchers") }
        if matchers.count > 1 { throw MatcherMistake("expected 1 matcher, found \(matchers.count)") }
        return matcher
    }

    /// A matcher as Alertmanager writes it: `name="value"`.
    ///
    /// Name and value have Go's quotes if the name has a special character.
    package static func text(_ name: String, _ sign: String, _ value: String) -> String {
        let isReserved = name.unicodeScalars.contains {
            $0.properties.isWhitespace || "{}!=~,\\\"'`".unicodeScalars.contains($0)
        }
        if isReserved { return GoQuote.quote(name) + sign + GoQuote.quote(value) }
        return name + sign + LabelText.quoted(value)
    }
}
