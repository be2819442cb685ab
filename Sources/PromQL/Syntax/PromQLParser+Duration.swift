extension PromQLParser {
    /// Parses a duration with operators, inside brackets or parentheses.
    mutating func durationExpression(above: Int = 0) throws(ParseError) -> DurationExpression {
        var left = try deeper { (parser) throws(ParseError) in try parser.durationUnary() }
        var length = 0
        while let (op, level) = durationOperator, level > above {
            length += 1
            if length > 1000 { throw tooDeep }
            let opStart = next.range.start
            advance()
            let right = try deeper { (parser) throws(ParseError) in
                try parser.durationExpression(above: op == .power ? level - 1 : level)
            }
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

    private mutating func durationUnary() throws(ParseError) -> DurationExpression {
        guard let (isNegative, start) = durationSign() else { return try durationPrimary() }
        return signed(try durationExpression(above: 5), isNegative, start)
    }

    /// Parses the duration after `offset`: a literal, a function or parentheses, with a sign; operators end it.
    mutating func offsetDuration() throws(ParseError) -> DurationExpression {
        guard let (isNegative, start) = durationSign() else { return try durationPrimary() }
        return signed(try durationPrimary(), isNegative, start)
    }

    /// Reads a sign; nil if there is none.
    private mutating func durationSign() -> (isNegative: Bool, start: Int)? {
        let start = next.range.start
        if take(.subtract) != nil { return (true, start) }
        return take(.add) != nil ? (false, start) : nil
    }

    private func signed(_ operand: DurationExpression, _ isNegative: Bool, _ start: Int) -> DurationExpression {
        let range = TextRange(start, lastEnd)
        if case .literal(let value, _) = operand { return .literal(isNegative ? -value : value, range) }
        return isNegative ? .negate(operand, range) : .plus(operand, range)
    }

    private mutating func durationPrimary() throws(ParseError) -> DurationExpression {
        let token = next
        let start = token.range.start
        switch token.kind {
        case .number, .duration:
            let seconds = try literal()
            // Prometheus counts in nanoseconds, so its range ends after about 292 years.
            guard seconds.magnitude <= 0x1p63 / 1e9 else { throw failure("duration out of range", at: start) }
            return .literal(seconds, token.range)
        case .leftParenthesis:
            advance()
            let inner = try durationExpression()
            try expect(.rightParenthesis)
            return .parentheses(inner, TextRange(start, lastEnd))
        case .identifier where following.kind == .leftParenthesis:
            return try durationFunction(token)
        default: throw unexpected()
        }
    }

    private mutating func durationFunction(_ token: Token) throws(ParseError) -> DurationExpression {
        let start = token.range.start
        let name = token.text.lowercased()
        guard ["step", "range", "min_of", "max_of"].contains(name) else { throw unexpected() }
        advance()
        try expect(.leftParenthesis)
        if name == "step" || name == "range" {
            try expect(.rightParenthesis)
            let range = TextRange(start, lastEnd)
            return name == "step" ? .step(range) : .range(range)
        }
        let first = try durationExpression()
        try expect(.comma)
        let second = try durationExpression()
        try expect(.rightParenthesis)
        let range = TextRange(start, lastEnd)
        return name == "min_of" ? .minOf(first, second, range) : .maxOf(first, second, range)
    }
}

extension DurationExpression {
    /// The range in the query.
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
