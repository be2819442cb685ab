/// What the lexer makes of a piece of the text.
enum TokenKind: Sendable, Equatable {
    /// A name, keywords included; ``Token/text`` is its spelling.
    case identifier
    /// A name with a colon in it, which only a metric can have.
    case metricIdentifier
    /// A number, its value in ``Token/number``.
    case number
    /// A duration, its seconds in ``Token/number``.
    case duration
    /// A string, its value in ``Token/text``.
    case string
    case leftParenthesis, rightParenthesis, leftBrace, rightBrace, leftBracket, rightBracket
    case comma, colon, at
    /// `=`, only between a label and its value.
    case assign
    case add, subtract, multiply, divide, modulo, power
    case equal, notEqual, less, lessOrEqual, greater, greaterOrEqual, trimUpper, trimLower
    case matchRegex, notMatchRegex
    case end
}

/// A piece of the text with its place.
struct Token: Sendable {
    var kind: TokenKind
    var text = ""
    /// The bytes of a string whose escapes make no UTF-8; ``text`` is then repaired.
    var invalidBytes: [UInt8]?
    var number = 0.0
    var range: TextRange

    /// As error messages show it.
    var shown: String {
        switch kind {
        case .end: "end of input"
        case .identifier:
            Keywords.isKeyword(text) ? "<\(text.lowercased())>" : "identifier \(Quoted.text(text))"
        case .metricIdentifier: "identifier \(Quoted.text(text))"
        case .number: "number \(Quoted.text(text))"
        case .duration: "duration \(Quoted.text(text))"
        case .string: "string \(Quoted.text(Quoted.text(text)))"
        default: Quoted.text(text)
        }
    }
}

/// The words with a meaning of their own; they are not case-sensitive.
enum Keywords {
    static let binaryOperators: Set<String> = ["and", "or", "unless", "atan2"]
    static let aggregators: Set<String> = [
        "sum", "avg", "count", "min", "max", "group", "stddev", "stdvar", "topk", "bottomk", "count_values", "quantile",
        "limitk", "limit_ratio",
    ]
    /// Words that cannot name a metric.
    static let reserved: Set<String> = ["bool", "on", "ignoring", "group_left", "group_right", "atan2", "inf", "nan"]
    static let others: Set<String> = [
        "offset", "by", "without", "on", "ignoring", "group_left", "group_right", "bool",
    ]

    static func isKeyword(_ text: String) -> Bool {
        let lower = text.lowercased()
        return binaryOperators.contains(lower) || others.contains(lower) || aggregators.contains(lower)
    }
}
