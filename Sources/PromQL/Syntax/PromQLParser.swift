import GoCompatibility
import Model

/// The enabled optional parts of the language.
package struct ParserOptions: Sendable {
    package var experimentalFunctions = false
    package var extendedRangeSelectors = false
    package var fillModifiers = false

    package init() {}

    /// All options enabled; for printing and tests.
    package static var all: ParserOptions {
        var options = ParserOptions()
        options.experimentalFunctions = true
        options.extendedRangeSelectors = true
        options.fillModifiers = true
        return options
    }
}

/// Parses PromQL: recursive descent, with precedence climbing for the operators.
///
/// The time is linear in the text's length. The depth is limited, so that no text can overflow the stack of a thread
/// with ``stackSize`` bytes.
package struct PromQLParser {
    /// The largest nesting while parsing: parentheses count twice.
    static let maxDepth = 3000
    /// The largest height of a tree: an operator of a chain counts as one, an enclosing node as four.
    static let maxHeight = 6000
    /// The bytes of stack of a thread that parses or evaluates; deeply nested texts get their own thread.
    package static let stackSize = 16 << 20

    let text: [UInt8]
    let options: ParserOptions
    /// The limits of the request.
    let budget: SyntaxBudget
    private var lexer: Lexer
    /// The current token.
    private(set) var next: Token
    /// The token after the current one.
    private(set) var following: Token
    /// The end of the token before the current one.
    private(set) var lastEnd = 0
    private var depth = 0
    /// The height of the last parsed tree.
    var height = 0
    /// The current contexts, the innermost last; errors name it.
    private var contexts: [Context] = []

    /// The context of an error about an unexpected token.
    struct Context {
        var name: String
        var expected = ""
    }

    private init(_ text: String, _ options: ParserOptions, _ budget: SyntaxBudget) {
        self.text = Array(text.utf8)
        self.options = options
        self.budget = budget
        lexer = Lexer(self.text, budget: budget)
        next = lexer.next()
        following = lexer.next()
    }

    /// Reads an expression and checks its types.
    package static func parse(_ text: String, options: ParserOptions = ParserOptions()) throws(ParseError) -> Expression
    {
        try parse(text, options: options) { $0 }
    }

    /// Parses an expression, checks its types, and passes it to `body` with a sufficient stack to traverse it.
    ///
    /// If the budget has a ``SyntaxBudget/failure``, the thrown error is only its consequence.
    package static func parse<R>(
        _ text: String, options: ParserOptions = ParserOptions(), budget: SyntaxBudget = SyntaxBudget(),
        _ body: (Expression) -> R
    ) throws(ParseError) -> R {
        let result = DeepStack.run(for: text) { () -> Result<R, ParseError> in
            do throws(ParseError) {
                return .success(body(try parsed(text, options, budget)))
            } catch {
                return .failure(error)
            }
        }
        guard let result else { throw ParseError("no thread can be started for a long query", at: 0, in: []) }
        return try result.get()
    }

    private static func parsed(
        _ text: String, _ options: ParserOptions, _ budget: SyntaxBudget
    ) throws(ParseError) -> Expression {
        var parser = PromQLParser(text, options, budget)
        if parser.next.kind == .end { throw parser.failure("no expression found in input", at: 0) }
        let expression = try parser.expression(above: 0)
        guard parser.next.kind == .end else { throw parser.unexpected() }
        try TypeChecker(text: parser.text).check(expression)
        return expression
    }

    /// Parses an instant selector for `match[]`; see ``parse(_:options:budget:_:)`` for the budget.
    package static func parseSelector(
        _ text: String, budget: SyntaxBudget = SyntaxBudget()
    ) throws(ParseError) -> [Matcher] {
        var parser = PromQLParser(text, ParserOptions(), budget)
        return try parser.onlySelector().matchers
    }

    /// Parses a series of test files: `name{a="b"}`, only equality.
    package static func parseSeries(_ text: String) throws(ParseError) -> Labels {
        var parser = PromQLParser(text, ParserOptions(), SyntaxBudget())
        let selector = try parser.onlySelector()
        var builder = LabelsBuilder()
        var names: Set<ExactText> = []
        for matcher in selector.matchers {
            guard matcher.kind == .equal else { throw parser.failure("a series has only equal signs", at: 0) }
            guard names.insert(ExactText(matcher.name)).inserted else {
                throw parser.failure("label name \(GoQuote.quote(matcher.name)) is not unique", at: 0)
            }
            builder.set(matcher.name, matcher.value)
        }
        return builder.labels()
    }

    private mutating func onlySelector() throws(ParseError) -> VectorSelector {
        guard isMetricName(next) || next.kind == .leftBrace else { throw unexpected() }
        let selector = try selector()
        guard next.kind == .end else { throw unexpected() }
        return selector
    }

    // MARK: Tokens

    /// Reads the next token; the last token stays current.
    mutating func advance() {
        lastEnd = next.range.end
        next = following
        following = lexer.next()
    }

    @discardableResult
    mutating func take(_ kind: TokenKind) -> Token? {
        guard next.kind == kind else { return nil }
        defer { advance() }
        return next
    }

    func failure(_ message: String, at offset: Int) -> ParseError { ParseError(message, at: offset, in: text) }

    /// `unexpected X[ in CONTEXT][, expected WHAT]` at the current token, or the error of an invalid token.
    func unexpected() -> ParseError {
        if let problem = next.problem, next.kind == .error { return problem }
        var message = "unexpected \(next.shown(in: text))"
        if let context = contexts.last {
            message += " in \(context.name)"
            if !context.expected.isEmpty { message += ", expected \(context.expected)" }
        }
        return failure(message, at: next.range.start)
    }

    /// Parses a part in which errors name `context`.
    mutating func within<R>(
        _ context: Context, _ body: (inout PromQLParser) throws(ParseError) -> R
    ) throws(ParseError) -> R {
        contexts.append(context)
        let result = try body(&self)
        contexts.removeLast()
        return result
    }

    mutating func expect(_ kind: TokenKind) throws(ParseError) {
        guard take(kind) != nil else { throw unexpected() }
    }

    /// An error that is reported after the current token is read; if that is invalid, its error is reported instead.
    func failureBehindToken(_ message: String, at offset: Int) -> ParseError {
        next.kind == .error ? unexpected() : failure(message, at: offset)
    }

    /// The value of a number or duration at the current token.
    mutating func literal() throws(ParseError) -> Double {
        guard next.kind == .number || next.kind == .duration else { throw unexpected() }
        if let problem = next.problem { throw problem }
        defer { advance() }
        return next.number
    }

    /// Throws if a name or value of a label is not UTF-8.
    func requireUTF8(_ token: Token) throws(ParseError) {
        if token.invalidBytes != nil { throw failure("invalid UTF-8 rune", at: token.range.start) }
    }

    func isKeyword(_ word: Keyword) -> Bool { next.keyword == word }

    mutating func takeKeyword(_ word: Keyword) -> Bool {
        guard isKeyword(word) else { return false }
        advance()
        return true
    }

    func isMetricName(_ token: Token) -> Bool {
        token.kind == .metricIdentifier || (token.kind == .identifier && token.keyword?.isMetricName != false)
    }

    /// Whether an operand may begin with the current token.
    var beginsOperand: Bool {
        switch next.kind {
        case .number, .duration, .string, .leftParenthesis, .leftBrace, .add, .subtract: true
        default: isMetricName(next)
        }
    }

    mutating func deeper<R>(_ body: (inout PromQLParser) throws(ParseError) -> R) throws(ParseError) -> R {
        guard depth < Self.maxDepth else { throw tooDeep }
        depth += 1
        let result = try body(&self)
        depth -= 1
        return result
    }

    var tooDeep: ParseError { failure("expression is nested too deeply", at: next.range.start) }

    /// Sets the height of a node that encloses a tree of height `inner`.
    mutating func enclose(_ inner: Int, by level: Int = 4) throws(ParseError) {
        height = inner + level
        if height > Self.maxHeight { throw tooDeep }
    }

    // MARK: Operators

    private static func precedence(_ op: BinaryOperator) -> Int {
        switch op {
        case .or: 1
        case .and, .unless: 2
        case .equal, .notEqual, .less, .lessOrEqual, .greater, .greaterOrEqual, .trimUpper, .trimLower: 3
        case .add, .subtract: 4
        case .multiply, .divide, .modulo, .atan2: 5
        case .power: 6
        }
    }

    private var nextOperator: BinaryOperator? {
        switch next.kind {
        case .add: .add
        case .subtract: .subtract
        case .multiply: .multiply
        case .divide: .divide
        case .modulo: .modulo
        case .power: .power
        case .equal: .equal
        case .notEqual: .notEqual
        case .less: .less
        case .lessOrEqual: .lessOrEqual
        case .greater: .greater
        case .greaterOrEqual: .greaterOrEqual
        case .trimUpper: .trimUpper
        case .trimLower: .trimLower
        default: next.keyword.flatMap { $0.kind == .binaryOperator ? BinaryOperator(rawValue: $0.rawValue) : nil }
        }
    }

    /// Parses operators with a precedence above `above` (Prometheus's documentation, "Binary operator precedence").
    mutating func expression(above: Int) throws(ParseError) -> Expression {
        var left = try deeper { (parser) throws(ParseError) in try parser.unary() }
        while let op = nextOperator, Self.precedence(op) > above {
            let leftHeight = height
            advance()
            let returnsBool = takeKeyword(.bool)
            var matching = try matchingClause()
            try fills(into: &matching)
            let level = Self.precedence(op)
            let right = try deeper { (parser) throws(ParseError) in
                try parser.expression(above: op == .power ? level - 1 : level)
            }
            if !options.fillModifiers, matching?.fillLeft != nil || matching?.fillRight != nil {
                throw failureBehindToken(
                    "binop fill modifiers are experimental and not enabled", at: left.range.start)
            }
            if left.type == .vector, right.type == .vector {
                var found = matching ?? VectorMatching()
                if op.isSetOperator, found.cardinality == .oneToOne { found.cardinality = .manyToMany }
                matching = found
            }
            left = .binary(
                Binary(
                    op: op, left: left, right: right, matching: matching, returnsBool: returnsBool,
                    range: TextRange(left.range.start, right.range.end)))
            try enclose(max(leftHeight, height), by: 1)
        }
        return left
    }

    private mutating func unary() throws(ParseError) -> Expression {
        let token = next
        guard token.kind == .add || token.kind == .subtract else { return try postfix() }
        advance()
        // A sign has the precedence of a product: below a power, above a sum.
        let operand = try deeper { (parser) throws(ParseError) in try parser.expression(above: 5) }
        try enclose(height, by: 2)
        let isNegative = token.kind == .subtract
        let range = TextRange(token.range.start, operand.range.end)
        if case .number(var literal) = operand {
            if isNegative { literal.value = -literal.value }
            literal.range = range
            return .number(literal)
        }
        return .unary(Unary(isNegative: isNegative, operand: operand, range: range))
    }

    /// `on (…)` or `ignoring (…)` with `group_left` or `group_right`; nil if there is none.
    private mutating func matchingClause() throws(ParseError) -> VectorMatching? {
        guard isKeyword(.on) || isKeyword(.ignoring) else { return nil }
        var found = VectorMatching(isOn: isKeyword(.on))
        advance()
        found.labels = try labelList()
        if isKeyword(.groupLeft) || isKeyword(.groupRight) {
            found.cardinality = isKeyword(.groupLeft) ? .manyToOne : .oneToMany
            advance()
            if next.kind == .leftParenthesis || !beginsOperand { found.include = try labelList() }
        }
        return found
    }

    /// `fill(…)`, or `fill_left(…)` and `fill_right(…)` in any order.
    private mutating func fills(into matching: inout VectorMatching?) throws(ParseError) {
        while let word = next.keyword, word.needsParenthesis {
            var changed = matching ?? VectorMatching()
            let isRepeated =
                (word != .fillRight && changed.fillLeft != nil) || (word != .fillLeft && changed.fillRight != nil)
            advance()
            // A second one is read as a metric, after which parentheses are invalid.
            if isRepeated { throw unexpected() }
            try expect(.leftParenthesis)
            let sign: Double = take(.subtract) != nil ? -1 : 1
            if sign > 0 { take(.add) }
            let value = try literal() * sign
            try expect(.rightParenthesis)
            if word != .fillRight { changed.fillLeft = value }
            if word != .fillLeft { changed.fillRight = value }
            matching = changed
        }
    }

    /// `(a, b)`; names may be quoted, and a comma may follow the last.
    mutating func labelList() throws(ParseError) -> [String] {
        try within(Context(name: "grouping opts", expected: "\"(\"")) { (parser) throws(ParseError) in
            try parser.expect(.leftParenthesis)
        }
        var labels: [String] = []
        while take(.rightParenthesis) == nil {
            labels.append(
                try within(Context(name: "grouping opts", expected: "label")) { (parser) throws(ParseError) in
                    try parser.groupingLabel()
                })
            try within(Context(name: "grouping opts", expected: "\",\" or \")\"")) { (parser) throws(ParseError) in
                if parser.take(.comma) == nil, parser.next.kind != .rightParenthesis { throw parser.unexpected() }
            }
        }
        return labels
    }

    private mutating func groupingLabel() throws(ParseError) -> String {
        let token = next
        guard [.identifier, .metricIdentifier, .string].contains(token.kind) else { throw unexpected() }
        try requireUTF8(token)
        if token.text.isEmpty { throw failure("invalid label name for grouping: \"\"", at: token.range.start) }
        advance()
        return token.text
    }
}
