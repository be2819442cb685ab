/// The kind of a token.
enum TokenKind: Sendable, Equatable {
    /// A name; ``Token/keyword`` is set if the word is a keyword.
    case identifier
    /// A name with a colon, which only a metric can have.
    case metricIdentifier
    /// A number, its value in ``Token/number``.
    case number
    /// A duration, its seconds in ``Token/number``.
    case duration
    /// A string, its value in ``Token/text``.
    case string
    case leftParenthesis, rightParenthesis, leftBrace, rightBrace, leftBracket, rightBracket
    case comma, colon, doubleColon, at
    /// `=`, only between a label and its value.
    case assign
    case add, subtract, multiply, divide, modulo, power
    case equal, notEqual, less, lessOrEqual, greater, greaterOrEqual, trimUpper, trimLower
    case matchRegex, notMatchRegex
    case end
    /// Invalid text; ``Token/problem`` is the reason. It is the last token.
    case error

    /// Whether messages call it an operator.
    var isOperator: Bool {
        switch self {
        case .at, .add, .subtract, .multiply, .divide, .modulo, .power, .equal, .notEqual, .less, .lessOrEqual,
            .greater, .greaterOrEqual, .trimUpper, .trimLower, .matchRegex, .notMatchRegex:
            true
        default: false
        }
    }
}

/// The keywords; they are not case-sensitive.
enum Keyword: String, Sendable {
    case and, or, unless, atan2
    case sum, avg, count, min, max, group, stddev, stdvar, topk, bottomk, quantile, limitk
    case countValues = "count_values"
    case limitRatio = "limit_ratio"
    case offset, smoothed, anchored, by, without, on, ignoring, bool, fill
    case groupLeft = "group_left"
    case groupRight = "group_right"
    case fillLeft = "fill_left"
    case fillRight = "fill_right"
    case start, end, step, range

    /// The kind of the word in messages.
    enum Kind { case binaryOperator, aggregator, keyword, preprocessor }

    var kind: Kind {
        switch self {
        case .and, .or, .unless, .atan2: .binaryOperator
        case .sum, .avg, .count, .min, .max, .group, .stddev, .stdvar, .topk, .bottomk, .quantile, .limitk,
            .countValues, .limitRatio:
            .aggregator
        case .start, .end, .step, .range: .preprocessor
        default: .keyword
        }
    }

    /// Whether it is only a keyword before a parenthesis, and a name elsewhere.
    var needsParenthesis: Bool { self == .fill || self == .fillLeft || self == .fillRight }

    /// Whether it can be the name of a metric where an operand is expected.
    var isMetricName: Bool {
        switch self {
        case .atan2, .bool, .on, .ignoring, .groupLeft, .groupRight: false
        default: true
        }
    }
}

/// A part of the text with its range.
struct Token: Sendable {
    var kind: TokenKind
    /// The text in the query; the value of a string.
    var text = ""
    var keyword: Keyword?
    /// The bytes of a string whose escapes make invalid UTF-8; ``text`` is then repaired.
    var invalidBytes: [UInt8]?
    var number = 0.0
    /// The error of invalid text, or of a number or duration without a value, which is only an error where one is
    /// allowed.
    var problem: ParseError?
    var range: TextRange

    /// The token in error messages; `source` is the text of the query.
    func shown(in source: [UInt8]) -> String {
        let spelling = String(decoding: source[range.start..<range.end], as: UTF8.self)
        if kind.isOperator { return "<op:\(spelling)>" }
        switch (kind, keyword?.kind) {
        case (.end, _): return "end of input"
        case (_, .binaryOperator): return "<op:\(spelling)>"
        case (_, .aggregator): return "<aggr:\(spelling)>"
        case (_, .keyword): return "<\(spelling)>"
        case (_, .preprocessor): return Quoted.text(spelling)
        case (.identifier, _): return "identifier \(Quoted.text(spelling))"
        case (.metricIdentifier, _): return "metric identifier \(Quoted.text(spelling))"
        case (.number, _): return "number \(Self.shortened(spelling))"
        case (.duration, _): return "duration \(Self.shortened(spelling))"
        case (.string, _): return "string \(Self.shortened(spelling))"
        default: return Quoted.text(spelling)
        }
    }

    /// The text in quotes, at most ten characters of it.
    private static func shortened(_ text: String) -> String {
        guard text.utf8.count > 10 else { return Quoted.text(text) }
        return Quoted.text(String(String.UnicodeScalarView(text.unicodeScalars.prefix(10)))) + "..."
    }
}
