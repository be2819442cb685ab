/// The texts that a regular expression accepts, if they are known without executing it.
///
/// Most matchers of real queries are lists of names, prefixes or suffixes; those need no automaton, and an index can
/// look lists up.
public enum RegexShape: Sendable, Hashable {
    /// One of these texts.
    case literals(Set<ExactText>)
    /// A text with this prefix; `needsMore` if more text must follow.
    case prefix(String, needsMore: Bool)
    /// A text with this suffix; `needsMore` if more text must precede it.
    case suffix(String, needsMore: Bool)
    /// Every text.
    case any
    /// Every text except the empty one.
    case nonEmpty
    /// None of these: the expression must be executed.
    case other

    /// The most alternatives in the list.
    private static let mostLiterals = 4096

    /// Reads an expression; what is in doubt is ``other``.
    init(_ source: String, dot: AnchoredRegex.Dot) {
        self.init(source)
        switch self {
        case .literals, .other: break
        // Their dots match a line feed.
        case .prefix, .suffix, .any, .nonEmpty: if dot == .noLineFeed { self = .other }
        }
    }

    /// Reads an expression whose dots match everything.
    init(_ source: String) {
        self = .other
        let bytes = Array(source.utf8)[...]
        let (body, wild) = Self.splitTail(Self.unwrapped(bytes))
        if wild == nil {
            if let list = Self.alternatives(Self.unwrapped(bytes)) {
                self = .literals(list)
            } else if let (front, rest) = Self.splitFront(bytes), let literal = Self.literal(rest) {
                self = literal.isEmpty ? (front ? .nonEmpty : .any) : .suffix(literal, needsMore: front)
            }
            return
        }
        guard let needsMore = wild, let literal = Self.literal(body) else { return }
        self = literal.isEmpty ? (needsMore ? .nonEmpty : .any) : .prefix(literal, needsMore: needsMore)
    }

    /// Whether a text is accepted; nil if the expression must be executed.
    func accepts(_ text: UnsafeBufferPointer<UInt8>) -> Bool? {
        switch self {
        case .any: return true
        case .nonEmpty: return !text.isEmpty
        case .prefix(let prefix, let needsMore):
            let size = prefix.utf8.count
            guard text.count >= size + (needsMore ? 1 : 0) else { return false }
            return prefix.utf8.elementsEqual(text[..<size])
        case .suffix(let suffix, let needsMore):
            let size = suffix.utf8.count
            guard text.count >= size + (needsMore ? 1 : 0) else { return false }
            return suffix.utf8.elementsEqual(text[(text.count - size)...])
        case .literals(let list): return list.contains(ExactText(String(decoding: text, as: UTF8.self)))
        case .other: return nil
        }
    }

    /// Removes one pair of parentheses around everything.
    private static func unwrapped(_ bytes: ArraySlice<UInt8>) -> ArraySlice<UInt8> {
        guard bytes.first == UInt8(ascii: "("), bytes.last == UInt8(ascii: ")") else { return bytes }
        var inner = bytes.dropFirst().dropLast()
        if inner.starts(with: Array("?:".utf8)) { inner = inner.dropFirst(2) }
        return inner.contains(UInt8(ascii: "(")) || inner.contains(UInt8(ascii: ")")) ? bytes : inner
    }

    /// Removes `.*` or `.+` from the end.
    ///
    /// The second value is nil if there is none, else whether the text there must not be empty.
    private static func splitTail(_ bytes: ArraySlice<UInt8>) -> (ArraySlice<UInt8>, Bool?) {
        if bytes.suffix(2).elementsEqual(".*".utf8) { return (bytes.dropLast(2), false) }
        if bytes.suffix(2).elementsEqual(".+".utf8) { return (bytes.dropLast(2), true) }
        return (bytes, nil)
    }

    private static func splitFront(_ bytes: ArraySlice<UInt8>) -> (Bool, ArraySlice<UInt8>)? {
        if bytes.starts(with: ".*".utf8) { return (false, bytes.dropFirst(2)) }
        if bytes.starts(with: ".+".utf8) { return (true, bytes.dropFirst(2)) }
        return nil
    }

    private static func alternatives(_ bytes: ArraySlice<UInt8>) -> Set<ExactText>? {
        let parts = bytes.split(separator: UInt8(ascii: "|"), omittingEmptySubsequences: false)
        guard parts.count <= mostLiterals else { return nil }
        var result: Set<ExactText> = []
        for part in parts {
            guard let literal = literal(part) else { return nil }
            result.insert(ExactText(literal))
        }
        return result
    }

    /// The text of an expression without operators; `\.` and other escaped punctuation mean the character.
    private static func literal(_ bytes: ArraySlice<UInt8>) -> String? {
        var out: [UInt8] = []
        var rest = bytes
        while let c = rest.popFirst() {
            if c == UInt8(ascii: "\\") {
                guard let escaped = rest.popFirst(), escaped < 0x80, isPunctuation(escaped) else { return nil }
                out.append(escaped)
            } else {
                guard !".*+?()[]{}^$|".utf8.contains(c) else { return nil }
                out.append(c)
            }
        }
        // Only RE2 handles a part of a character, or a character with several spellings.
        guard let text = String(validating: out, as: UTF8.self), out.allSatisfy({ $0 < 0x80 }) else { return nil }
        return text
    }

    private static func isPunctuation(_ c: UInt8) -> Bool {
        (0x21...0x2F).contains(c) || (0x3A...0x40).contains(c) || (0x5B...0x60).contains(c)
            || (0x7B...0x7E).contains(c)
    }
}
