extension PromQLParser {
    /// A duration with operators, inside brackets or parentheses.
    mutating func durationExpression(in context: String, above: Int = 0) throws(ParseError) -> DurationExpression {
        var left = try deeper { (parser) throws(ParseError) in try parser.durationUnary(context) }
        while let (op, level) = durationOperator, level > above {
            guard options.durationExpressions else { throw unexpected(in: context, expected: "\"]\"") }
            let opStart = next.range.start
            advance()
            let right = try durationExpression(in: context, above: op == .power ? level - 1 : level)
            if right.literalSeconds == 0, op == .divide || op == .modulo {
                throw failure("\(op == .divide ? "division" : "modulo") by zero", at: opStart)
            }
            left = .binary(op, left, right, TextRange(left.range.start, right.range.end))
        }
        return left
    }

    private var durationOperator: (BinaryOperator, Int)? {
        switch next.kind {
        case .add: (.add, 4)
        case .subtract: (.subtract, 4)
        case .multiply: (.multiply, 5)
        case .divide: (.divide, 5)
        case .modulo: (.modulo, 5)
        case .power: (.power, 6)
        default: nil
        }
    }

    private mutating func durationUnary(_ context: String) throws(ParseError) -> DurationExpression {
        let start = next.range.start
        if take(.subtract) != nil {
            let operand = try durationExpression(in: context, above: 5)
            if case .literal(let value, _) = operand { return .literal(-value, TextRange(start, lastEnd)) }
            return .negate(operand, TextRange(start, lastEnd))
        }
        if take(.add) != nil {
            let operand = try durationExpression(in: context, above: 5)
            if case .literal(let value, _) = operand { return .literal(value, TextRange(start, lastEnd)) }
            return .plus(operand, TextRange(start, lastEnd))
        }
        return try durationPrimary(context)
    }

    private mutating func durationPrimary(_ context: String) throws(ParseError) -> DurationExpression {
        let token = next
        let start = token.range.start
        switch token.kind {
        case .number, .duration:
            advance()
            guard token.number.isFinite else { throw failure("duration out of range", at: start) }
            return .literal(token.number, token.range)
        case .leftParenthesis:
            advance()
            let inner = try durationExpression(in: context)
            guard take(.rightParenthesis) != nil else { throw unexpected(in: context, expected: "\")\"") }
            return .parentheses(inner, TextRange(start, lastEnd))
        case .identifier where self.token(after: 1).kind == .leftParenthesis:
            return try durationFunction(token, context)
        default:
            throw unexpected(in: context, expected: "number, duration, step(), or range()")
        }
    }

    private mutating func durationFunction(_ token: Token, _ context: String) throws(ParseError) -> DurationExpression {
        let start = token.range.start
        let name = token.text.lowercased()
        guard ["step", "range", "min_of", "max_of"].contains(name) else {
            throw unexpected(in: context, expected: "number, duration, step(), or range()")
        }
        advance()
        advance()
        if name == "step" || name == "range" {
            guard take(.rightParenthesis) != nil else { throw unexpected(in: context, expected: "\")\"") }
            let range = TextRange(start, lastEnd)
            return name == "step" ? .step(range) : .range(range)
        }
        let first = try durationExpression(in: context)
        guard take(.comma) != nil else { throw unexpected(in: context, expected: "\",\"") }
        let second = try durationExpression(in: context)
        guard take(.rightParenthesis) != nil else { throw unexpected(in: context, expected: "\")\"") }
        let range = TextRange(start, lastEnd)
        return name == "min_of" ? .minOf(first, second, range) : .maxOf(first, second, range)
    }

    /// What may follow `offset`: a literal, a function or parentheses, with signs; operators end it.
    mutating func offsetDuration() throws(ParseError) -> DurationExpression {
        let start = next.range.start
        if take(.subtract) != nil {
            let operand = try durationPrimary("offset")
            if case .literal(let value, _) = operand { return .literal(-value, TextRange(start, lastEnd)) }
            return .negate(operand, TextRange(start, lastEnd))
        }
        if take(.add) != nil {
            let operand = try durationPrimary("offset")
            if case .literal(let value, _) = operand { return .literal(value, TextRange(start, lastEnd)) }
            return .plus(operand, TextRange(start, lastEnd))
        }
        return try durationPrimary("offset")
    }
}

extension DurationExpression {
    /// Where it stands.
    package var range: TextRange {
        switch self {
        case .literal(_, let range), .step(let range), .range(let range), .negate(_, let range), .plus(_, let range),
            .binary(_, _, _, let range), .minOf(_, _, let range), .maxOf(_, _, let range), .parentheses(_, let range):
            range
        }
    }

    /// The seconds of a literal; nil if it must be computed.
    package var literalSeconds: Double? { if case .literal(let seconds, _) = self { seconds } else { nil } }
}
