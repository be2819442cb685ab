/// A condition on one label; an absent label has the empty value.
public struct Matcher: Sendable, Hashable {
    /// The comparison of the value.
    public enum Kind: String, Sendable, Hashable, CaseIterable {
        case equal = "="
        case notEqual = "!="
        case regex = "=~"
        case notRegex = "!~"
    }

    public let name: String
    public let kind: Kind
    public let value: String
    /// The compiled expression of `regex` and `notRegex`.
    public let pattern: AnchoredRegex?

    /// Makes a matcher; throws if `kind` is a regular expression that does not compile.
    ///
    /// - Parameters:
    ///   - dot: What a dot of the expression matches: in matchers of alerts, no line feed.
    ///   - budget: The limits of the request with the matcher; nil for no limits.
    public init(
        _ name: String, _ kind: Kind, _ value: String, dot: AnchoredRegex.Dot = .anything, budget: SyntaxBudget? = nil
    ) throws(AnchoredRegex.SyntaxError) {
        self.name = name
        self.kind = kind
        self.value = value
        switch kind {
        case .equal, .notEqual: pattern = nil
        case .regex, .notRegex:
            if let budget {
                pattern = try budget.regex(value, dot: dot)
            } else {
                pattern = try AnchoredRegex(value, dot: dot)
            }
        }
    }

    /// Makes the matcher `name="value"`, which cannot fail.
    public init(name: String, equals value: String) {
        self.name = name
        kind = .equal
        self.value = value
        pattern = nil
    }

    /// Whether the matcher accepts `text`.
    public func matches(_ text: UnsafeBufferPointer<UInt8>) -> Bool {
        switch kind {
        case .equal: return value.utf8.elementsEqual(text)
        case .notEqual: return !value.utf8.elementsEqual(text)
        case .regex: return pattern?.matches(text) ?? false
        case .notRegex:
            guard let pattern else { return true }
            return !pattern.matches(text) && !pattern.hasFailed
        }
    }

    /// Whether the matcher accepts `text`.
    public func matches(_ text: String) -> Bool {
        var text = text
        return text.withUTF8 { matches($0) }
    }

    /// Orders matchers as Alertmanager does: by name, value and kind.
    public func isBefore(_ other: Matcher) -> Bool {
        if !name.isExactly(other.name) { return name.isExactlyBefore(other.name) }
        if !value.isExactly(other.value) { return value.isExactlyBefore(other.value) }
        let kinds = Kind.allCases
        return kinds.firstIndex(of: kind) ?? 0 < kinds.firstIndex(of: other.kind) ?? 0
    }

    /// Whether the matcher accepts an absent label.
    public var matchesEmpty: Bool { matches("") }

    /// Whether the set's label of this name, or its absence, is accepted.
    public func matches(_ labels: Labels) -> Bool {
        var name = name
        return name.withUTF8 { name in labels.withValue(of: name) { matches($0) } } ?? matchesEmpty
    }

    public static func == (a: Matcher, b: Matcher) -> Bool {
        a.kind == b.kind && a.name.isExactly(b.name) && a.value.isExactly(b.value)
    }

    public func hash(into hasher: inout Hasher) {
        hasher.combine(ExactText(name))
        hasher.combine(kind)
        hasher.combine(ExactText(value))
    }
}

extension Matcher: CustomStringConvertible {
    /// `name="value"` with Go's quoting.
    public var description: String { LabelText.pair(name, kind.rawValue, value) }
}

/// The error of matchers whose answers are wrong, because their expressions had no memory.
public struct MatchFailure: Error, CustomStringConvertible {
    public init() {}

    public var description: String { "there is no memory left to match a regular expression" }
}

extension [Matcher] {
    /// Throws if an expression had no memory for a match; called after the last match.
    public func requireAnswers() throws(MatchFailure) {
        if contains(where: { $0.pattern?.hasFailed == true }) { throw MatchFailure() }
    }
}
