import Model

/// Which optional parts of the language are on.
package struct ParserOptions: Sendable {
    package var experimentalFunctions = false
    package var durationExpressions = true
    package var extendedRangeSelectors = false
    package var fillModifiers = false

    package init() {}

    /// Everything on; for printing and tests.
    package static var all: ParserOptions {
        var options = ParserOptions()
        options.experimentalFunctions = true
        options.extendedRangeSelectors = true
        options.fillModifiers = true
        return options
    }
}

/// Reads PromQL: recursive descent, with precedence climbing for the operators.
///
/// Time is linear in the text's length. Depth is limited, so that no text can exhaust the stack of a thread with
/// ``stackSize`` bytes.
package struct PromQLParser {
    /// The deepest tree.
    package static let maxDepth = 500
    /// Bytes of stack that a thread needs which parses or evaluates.
    package static let stackSize = 16 << 20

    let text: [UInt8]
    let tokens: [Token]
    let options: ParserOptions
    private(set) var position = 0
    private var depth = 0

    private init(_ text: [UInt8], _ tokens: [Token], _ options: ParserOptions) {
        self.text = text
        self.tokens = tokens
        self.options = options
    }

    /// Reads an expression and checks its types.
    package static func parse(_ text: String, options: ParserOptions = ParserOptions()) throws(ParseError) -> Expression
    {
        let bytes = Array(text.utf8)
        var parser = PromQLParser(bytes, try Lexer.tokenize(bytes), options)
        if parser.next.kind == .end { throw parser.failure("no expression found in input", at: 0) }
        let expression = try parser.expression(above: 0)
        guard parser.next.kind == .end else { throw parser.unexpected() }
        try TypeChecker(text: bytes, options: options).check(expression)
        return expression
    }

    /// Reads an instant selector, as `match[]` takes it.
    package static func parseSelector(_ text: String) throws(ParseError) -> [Matcher] {
        let bytes = Array(text.utf8)
        var parser = PromQLParser(bytes, try Lexer.tokenize(bytes), ParserOptions())
        guard [.identifier, .metricIdentifier, .leftBrace].contains(parser.next.kind) else { throw parser.unexpected() }
        let selector = try parser.selector()
        guard parser.next.kind == .end else { throw parser.unexpected() }
        try TypeChecker(text: bytes, options: ParserOptions()).check(.selector(selector))
        return selector.matchers
    }

    /// Reads a series as test files describe it: `name{a="b"}`, only equality.
    package static func parseSeries(_ text: String) throws(ParseError) -> Labels {
        let bytes = Array(text.utf8)
        var parser = PromQLParser(bytes, try Lexer.tokenize(bytes), ParserOptions())
        guard [.identifier, .metricIdentifier, .leftBrace].contains(parser.next.kind) else { throw parser.unexpected() }
        let selector = try parser.selector()
        guard parser.next.kind == .end else { throw parser.unexpected() }
        var builder = LabelsBuilder()
        for matcher in selector.matchers {
            guard matcher.kind == .equal else { throw parser.failure("a series has only equal signs", at: 0) }
            builder.set(matcher.name, matcher.value)
        }
        return builder.labels()
    }

    // MARK: Tokens

    var next: Token { tokens[min(position, tokens.count - 1)] }

    func token(after count: Int) -> Token { tokens[min(position + count, tokens.count - 1)] }

    mutating func advance() { position += 1 }

    @discardableResult
    mutating func take(_ kind: TokenKind) -> Token? {
        guard next.kind == kind else { return nil }
        defer { position += 1 }
        return next
    }

    /// The end of the token before the current one.
    var lastEnd: Int { position > 0 ? tokens[position - 1].range.end : 0 }

    func failure(_ message: String, at offset: Int) -> ParseError { ParseError(message, at: offset, in: text) }

    /// `unexpected X[ in CONTEXT][, expected WHAT]` at the current token.
    func unexpected(in context: String = "", expected: String = "") -> ParseError {
        var message = "unexpected \(next.shown)"
        if !context.isEmpty { message += " in \(context)" }
        if !expected.isEmpty { message += ", expected \(expected)" }
        return failure(message, at: next.range.start)
    }

    mutating func expect(_ kind: TokenKind, in context: String, _ what: String) throws(ParseError) {
        guard take(kind) != nil else { throw unexpected(in: context, expected: what) }
    }

    /// Names and values of labels are text.
    func requireUTF8(_ token: Token) throws(ParseError) {
        if token.invalidBytes != nil { throw failure("invalid UTF-8 rune", at: token.range.start) }
    }

    /// Whether the current token is the keyword `word`, in any case.
    func isKeyword(_ word: String, after count: Int = 0) -> Bool {
        let token = token(after: count)
        return token.kind == .identifier && token.text.lowercased() == word
    }

    mutating func takeKeyword(_ word: String) -> Bool {
        guard isKeyword(word) else { return false }
        advance()
        return true
    }

    mutating func deeper<R>(_ body: (inout PromQLParser) throws(ParseError) -> R) throws(ParseError) -> R {
        guard depth < Self.maxDepth else {
            throw failure("expression is nested more than \(Self.maxDepth) levels deep", at: next.range.start)
        }
        depth += 1
        let result = try body(&self)
        depth -= 1
        return result
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
        case .identifier:
            Keywords.binaryOperators.contains(next.text.lowercased())
                ? BinaryOperator(rawValue: next.text.lowercased()) : nil
        default: nil
        }
    }

    /// Reads operators that bind tighter than level `above` (section 4.2 of the grammar's table).
    mutating func expression(above: Int) throws(ParseError) -> Expression {
        var left = try deeper { (parser) throws(ParseError) in try parser.unary() }
        var length = 0
        while let op = nextOperator, Self.precedence(op) > above {
            length += 1
            if length > Self.maxDepth {
                throw failure("expression is nested more than \(Self.maxDepth) levels deep", at: next.range.start)
            }
            let opStart = next.range.start
            advance()
            let returnsBool: Bool
            var matching: VectorMatching?
            (returnsBool, matching) = try modifiers(op, at: opStart, from: left.range.start)
            let level = Self.precedence(op)
            let right = try deeper { (parser) throws(ParseError) in
                try parser.expression(above: op == .power ? level - 1 : level)
            }
            if op.isComparison, !returnsBool, left.type == .scalar, right.type == .scalar {
                throw failure("comparisons between scalars must use BOOL modifier", at: opStart)
            }
            if left.type == .vector, right.type == .vector {
                var found = matching ?? VectorMatching()
                if op.isSetOperator { found.cardinality = .manyToMany }
                matching = found
            }
            left = .binary(
                Binary(
                    op: op, left: left, right: right, matching: matching, returnsBool: returnsBool,
                    range: TextRange(left.range.start, right.range.end)))
        }
        return left
    }

    private mutating func unary() throws(ParseError) -> Expression {
        let token = next
        guard token.kind == .add || token.kind == .subtract else { return try postfix() }
        advance()
        // A sign binds like a product: looser than a power, tighter than a sum.
        let operand = try deeper { (parser) throws(ParseError) in try parser.expression(above: 5) }
        let isNegative = token.kind == .subtract
        let range = TextRange(token.range.start, operand.range.end)
        if case .number(var literal) = operand {
            if isNegative { literal.value = -literal.value }
            literal.range = range
            return .number(literal)
        }
        return .unary(Unary(isNegative: isNegative, operand: operand, range: range))
    }

    /// What may stand between an operator and its right operand.
    ///
    /// - Parameters:
    ///   - opStart: Where the operator stands.
    ///   - start: Where its left operand begins.
    private mutating func modifiers(
        _ op: BinaryOperator, at opStart: Int, from start: Int
    ) throws(ParseError) -> (Bool, VectorMatching?) {
        var matching: VectorMatching?
        let returnsBool = takeKeyword("bool")
        if returnsBool, !op.isComparison {
            throw failure("bool modifier can only be used on comparison operators", at: opStart)
        }
        if isKeyword("on") || isKeyword("ignoring") {
            var found = VectorMatching(isOn: isKeyword("on"))
            advance()
            found.labels = try labelList()
            if isKeyword("group_left") || isKeyword("group_right") {
                found.cardinality = isKeyword("group_left") ? .manyToOne : .oneToMany
                advance()
                if next.kind == .leftParenthesis { found.include = try labelList() }
                if op.isSetOperator { throw failure("no grouping allowed for \"\(op.rawValue)\" operation", at: start) }
                if found.isOn, let both = found.labels.first(where: { found.include.contains($0) }) {
                    throw failure(
                        "label \(Quoted.text(both)) must not occur in ON and GROUP clause at once", at: opStart)
                }
            }
            matching = found
        }
        try fills(op, into: &matching, from: start)
        return (returnsBool, matching)
    }

    private mutating func fills(
        _ op: BinaryOperator, into matching: inout VectorMatching?, from start: Int
    ) throws(ParseError) {
        while ["fill", "fill_left", "fill_right"].contains(next.text.lowercased()), next.kind == .identifier,
            token(after: 1).kind == .leftParenthesis
        {
            let word = next.text.lowercased()
            let at = next.range.start
            guard options.fillModifiers else {
                throw failure("binop fill modifiers are experimental and not enabled", at: at)
            }
            if op.isSetOperator { throw failure("filling in missing series not allowed for set operators", at: start) }
            if matching.map({ word != "fill_right" && $0.fillLeft != nil || word != "fill_left" && $0.fillRight != nil }
            )
                == true
            {
                advance()
                throw unexpected()
            }
            position += 2
            let sign: Double = take(.subtract) != nil ? -1 : 1
            if sign > 0 { take(.add) }
            guard next.kind == .number || next.kind == .duration else {
                throw unexpected(in: "fill modifier", expected: "number")
            }
            let value = next.number * sign
            advance()
            try expect(.rightParenthesis, in: "fill modifier", "\")\"")
            var changed = matching ?? VectorMatching()
            if word != "fill_right" { changed.fillLeft = value }
            if word != "fill_left" { changed.fillRight = value }
            matching = changed
        }
    }

    /// `(a, b)`; names may be quoted, and a comma may follow the last.
    mutating func labelList() throws(ParseError) -> [String] {
        try expect(.leftParenthesis, in: "grouping opts", "\"(\"")
        var labels: [String] = []
        while take(.rightParenthesis) == nil {
            let token = next
            guard token.kind == .identifier || token.kind == .string else {
                throw unexpected(in: "grouping opts", expected: "label")
            }
            try requireUTF8(token)
            if token.text.isEmpty { throw failure("invalid label name for grouping: \"\"", at: token.range.start) }
            labels.append(token.text)
            advance()
            if take(.comma) == nil, next.kind != .rightParenthesis {
                throw unexpected(in: "grouping opts", expected: "\",\" or \")\"")
            }
        }
        return labels
    }
}
