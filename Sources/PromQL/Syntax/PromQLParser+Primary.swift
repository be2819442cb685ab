import Model

extension PromQLParser {
    /// A primary expression and what follows it: ranges, offsets, `@`.
    mutating func postfix() throws(ParseError) -> Expression {
        var expression = try primary()
        while true {
            switch next.kind {
            case .leftBracket: expression = try range(of: expression)
            case .at: expression = try atModifier(expression)
            case .identifier:
                let word = next.text.lowercased()
                if word == "offset" {
                    expression = try offset(expression)
                } else if (word == "anchored" || word == "smoothed") && options.extendedRangeSelectors {
                    expression = try rangeExtension(expression, word == "anchored" ? .anchored : .smoothed)
                } else {
                    return expression
                }
            default: return expression
            }
        }
    }

    private mutating func primary() throws(ParseError) -> Expression {
        let token = next
        switch token.kind {
        case .number, .duration:
            advance()
            return .number(
                NumberLiteral(value: token.number, isDuration: token.kind == .duration, range: token.range))
        case .string:
            advance()
            return .string(StringLiteral(value: token.text, invalidBytes: token.invalidBytes, range: token.range))
        case .leftParenthesis:
            advance()
            let inner = try deeper { (parser) throws(ParseError) in try parser.expression(above: 0) }
            guard take(.rightParenthesis) != nil else { throw unexpected() }
            return .parentheses(Parentheses(expression: inner, range: TextRange(token.range.start, lastEnd)))
        case .leftBrace, .metricIdentifier: return .selector(try selector())
        case .identifier:
            let word = token.text.lowercased()
            let isCalled = self.token(after: 1).kind == .leftParenthesis
            if Keywords.aggregators.contains(word),
                isCalled || isKeyword("by", after: 1) || isKeyword("without", after: 1),
                let op = AggregationOperator(rawValue: word)
            {
                return try aggregation(op)
            }
            if isCalled { return try call() }
            if Keywords.reserved.contains(word) { throw unexpected() }
            return .selector(try selector())
        default: throw unexpected()
        }
    }

    // MARK: Selectors

    /// `name`, `name{…}` or `{…}`.
    mutating func selector() throws(ParseError) -> VectorSelector {
        let start = next.range.start
        var name = ""
        if next.kind == .identifier || next.kind == .metricIdentifier {
            name = next.text
            advance()
        }
        var matchers: [Matcher] = []
        if take(.leftBrace) != nil {
            while take(.rightBrace) == nil {
                try labelMatcher(into: &matchers, name: name, start: start)
                if take(.comma) == nil, next.kind != .rightBrace {
                    throw unexpected(in: "label matching", expected: "\",\" or \"}\"")
                }
            }
        }
        if !name.isEmpty,
            !matchers.contains(where: { $0.name == Labels.nameLabel && $0.kind == .equal && $0.value == name })
        {
            if let twice = matchers.first(where: { $0.name == Labels.nameLabel && $0.kind == .equal }) {
                throw failure(
                    "metric name must not be set twice: \(Quoted.text(name)) or \(Quoted.text(twice.value))", at: start)
            }
            matchers.append(Matcher(name: Labels.nameLabel, equals: name))
        } else if !name.isEmpty, matchers.contains(where: { $0.name == Labels.nameLabel }),
            text[start] != UInt8(ascii: "{")
        {
            throw failure("metric name must not be set twice: \(Quoted.text(name)) or \(Quoted.text(name))", at: start)
        }
        return VectorSelector(name: name, matchers: matchers, range: TextRange(start, lastEnd))
    }

    private mutating func labelMatcher(
        into matchers: inout [Matcher], name: String, start: Int
    ) throws(ParseError) {
        let label = next
        guard label.kind == .identifier || label.kind == .string else {
            throw unexpected(in: "label matching", expected: "identifier or \"}\"")
        }
        try requireUTF8(label)
        advance()
        let kind: Matcher.Kind
        switch next.kind {
        case .assign: kind = .equal
        case .notEqual: kind = .notEqual
        case .matchRegex: kind = .regex
        case .notMatchRegex: kind = .notRegex
        case .comma where label.kind == .string, .rightBrace where label.kind == .string:
            if !name.isEmpty {
                throw failure(
                    "metric name must not be set twice: \(Quoted.text(name)) or \(Quoted.text(label.text))", at: start)
            }
            // Names that stand in the braces are matchers among others, even if there are several.
            matchers.append(Matcher(name: Labels.nameLabel, equals: label.text))
            return
        default: throw unexpected(in: "label matching", expected: "label matching operator")
        }
        advance()
        guard next.kind == .string else { throw unexpected(in: "label matching", expected: "string") }
        try requireUTF8(next)
        do throws(AnchoredRegex.SyntaxError) {
            matchers.append(try Matcher(label.text, kind, next.text))
        } catch {
            throw failure("\(error)", at: label.range.start)
        }
        advance()
    }

    // MARK: Ranges, offsets, fixed times

    private mutating func range(of expression: Expression) throws(ParseError) -> Expression {
        let open = next.range
        advance()
        let window = try durationExpression(in: "subquery or range selector")
        let start = expression.range.start
        if take(.colon) != nil {
            let step = next.kind == .rightBracket ? nil : try durationExpression(in: "subquery selector")
            try expect(.rightBracket, in: "subquery selector", "\"]\"")
            var subquery = Subquery(expression: expression, window: 0, step: 0, range: TextRange(start, lastEnd))
            try settle(window, positive: true) {
                subquery.window = $0
            } later: {
                subquery.windowExpression = $0
            }
            if let step {
                try settle(step, positive: true) {
                    subquery.step = $0
                } later: {
                    subquery.stepExpression = $0
                }
            }
            return .subquery(subquery)
        }
        try expect(.rightBracket, in: "subquery or range", "\":\" or \"]\"")
        guard case .selector(let selector) = expression else {
            throw failure("ranges only allowed for vector selectors", at: open.start)
        }
        if selector.offset != 0 || selector.offsetExpression != nil {
            throw failure("no offset modifiers allowed before range", at: open.start)
        }
        if selector.at != nil { throw failure("no @ modifiers allowed before range", at: open.start) }
        var matrix = MatrixSelector(selector: selector, window: 0, range: TextRange(start, lastEnd))
        try settle(window, positive: true) {
            matrix.window = $0
        } later: {
            matrix.windowExpression = $0
        }
        return .matrix(matrix)
    }

    /// Gives a literal duration in ms to `now`, anything else to `later`.
    private func settle(
        _ duration: DurationExpression, positive: Bool, _ now: (Int64) -> Void, later: (DurationExpression) -> Void
    ) throws(ParseError) {
        guard let seconds = duration.literalSeconds else { return later(duration) }
        let milliseconds = ((seconds * 1e9).rounded() / 1e6).rounded(.towardZero)
        guard milliseconds.magnitude <= Double(Int64.max / 1_000_000) else {
            throw failure("duration out of range", at: duration.range.start)
        }
        if positive, seconds <= 0 { throw failure("duration must be greater than 0", at: duration.range.start) }
        now(Int64(milliseconds))
    }

    private mutating func offset(_ expression: Expression) throws(ParseError) -> Expression {
        let start = expression.range.start
        advance()
        let duration = try offsetDuration()
        func settled(_ had: Bool, _ now: (Int64) -> Void, _ later: (DurationExpression) -> Void) throws(ParseError) {
            if had { throw failure("offset may not be set multiple times", at: start) }
            try settle(duration, positive: false, now, later: later)
        }
        switch expression {
        case .selector(var e):
            try settled(e.offset != 0 || e.offsetExpression != nil, { e.offset = $0 }, { e.offsetExpression = $0 })
            e.range.end = lastEnd
            return .selector(e)
        case .matrix(var e):
            try settled(
                e.selector.offset != 0 || e.selector.offsetExpression != nil, { e.selector.offset = $0 },
                { e.selector.offsetExpression = $0 })
            e.range.end = lastEnd
            return .matrix(e)
        case .subquery(var e):
            try settled(e.offset != 0 || e.offsetExpression != nil, { e.offset = $0 }, { e.offsetExpression = $0 })
            e.range.end = lastEnd
            return .subquery(e)
        default:
            throw failure(
                "offset modifier must be preceded by an instant vector selector or range vector selector or a subquery",
                at: start)
        }
    }

    private mutating func atModifier(_ expression: Expression) throws(ParseError) -> Expression {
        let start = expression.range.start
        advance()
        let modifier: AtModifier
        if (isKeyword("start") || isKeyword("end")), token(after: 1).kind == .leftParenthesis {
            modifier = isKeyword("start") ? .start : .end
            position_advance(2)
            try expect(.rightParenthesis, in: "@ modifier", "\")\"")
        } else {
            var sign = 1.0
            if take(.subtract) != nil { sign = -1 } else { take(.add) }
            guard next.kind == .number || next.kind == .duration else {
                throw unexpected(in: "@", expected: "timestamp")
            }
            let seconds = next.number * sign
            advance()
            let milliseconds = (seconds * 1000).rounded()
            guard milliseconds.magnitude < 0x1p63 else {
                throw failure("timestamp out of bounds for @ modifier: \(Self.sixDecimals(seconds))", at: start)
            }
            modifier = .time(Int64(milliseconds))
        }
        func once(_ had: AtModifier?) throws(ParseError) {
            if had != nil { throw failure("@ <timestamp> may not be set multiple times", at: start) }
        }
        switch expression {
        case .selector(var e):
            try once(e.at)
            e.at = modifier
            e.range.end = lastEnd
            return .selector(e)
        case .matrix(var e):
            try once(e.selector.at)
            e.selector.at = modifier
            e.range.end = lastEnd
            return .matrix(e)
        case .subquery(var e):
            try once(e.at)
            e.at = modifier
            e.range.end = lastEnd
            return .subquery(e)
        default:
            throw failure(
                "@ modifier must be preceded by an instant vector selector or range vector selector or a subquery",
                at: start)
        }
    }

    /// Go's `%f`.
    private static func sixDecimals(_ value: Double) -> String {
        guard value.isFinite else { return FloatText.fixed(value) }
        let text = FloatText.fixed(value)
        let decimals = text.firstIndex(of: ".").map { text.distance(from: $0, to: text.endIndex) - 1 } ?? 0
        return text + (decimals == 0 ? "." : "") + String(repeating: "0", count: max(0, 6 - decimals))
    }

    private mutating func position_advance(_ count: Int) { for _ in 0..<count { advance() } }

    private mutating func rangeExtension(
        _ expression: Expression, _ value: RangeExtension
    ) throws(ParseError) -> Expression {
        let start = expression.range.start
        advance()
        switch expression {
        case .selector(var e):
            e.rangeExtension = value
            e.range.end = lastEnd
            return .selector(e)
        case .matrix(var e):
            e.selector.rangeExtension = value
            e.range.end = lastEnd
            return .matrix(e)
        case .subquery:
            throw failure(
                "\(value == .anchored ? "anchored" : "smoothed") modifier is not supported for subqueries", at: start)
        default: throw failure("\(value == .anchored ? "anchored" : "smoothed") modifier not implemented", at: start)
        }
    }

    // MARK: Calls and aggregations

    private mutating func arguments() throws(ParseError) -> [Expression] {
        guard take(.leftParenthesis) != nil else { throw unexpected(in: "aggregation") }
        var arguments: [Expression] = []
        if take(.rightParenthesis) != nil { return [] }
        while true {
            arguments.append(try deeper { (parser) throws(ParseError) in try parser.expression(above: 0) })
            if take(.rightParenthesis) != nil { return arguments }
            let comma = next.range.start
            guard take(.comma) != nil else { throw unexpected() }
            if next.kind == .rightParenthesis {
                throw failure("trailing commas not allowed in function call args", at: comma)
            }
        }
    }

    private mutating func call() throws(ParseError) -> Expression {
        let token = next
        guard let function = FunctionTable.lookup(token.text) else {
            throw failure("unknown function with name \(Quoted.text(token.text))", at: token.range.start)
        }
        if function.isExperimental, !options.experimentalFunctions {
            throw failure("function \(Quoted.text(token.text)) is not enabled", at: token.range.start)
        }
        advance()
        let arguments = try arguments()
        return .call(Call(function: function, arguments: arguments, range: TextRange(token.range.start, lastEnd)))
    }

    private mutating func aggregation(_ op: AggregationOperator) throws(ParseError) -> Expression {
        let start = next.range.start
        advance()
        if op == .limitk || op == .limitRatio, !options.experimentalFunctions {
            throw failure(
                "\(op.rawValue)() is experimental and must be enabled with --enable-feature=promql-experimental-functions",
                at: start)
        }
        var grouping: (labels: [String], isWithout: Bool)?
        if isKeyword("by") || isKeyword("without") { grouping = try groupingClause() }
        let arguments = try arguments()
        if grouping == nil, isKeyword("by") || isKeyword("without") { grouping = try groupingClause() }
        let range = TextRange(start, lastEnd)
        if arguments.isEmpty { throw failure("no arguments for aggregate expression provided", at: start) }
        let wanted = op.hasParameter ? 2 : 1
        guard arguments.count == wanted, let last = arguments.last else {
            throw failure(
                "wrong number of arguments for aggregate expression provided, expected \(wanted), got \(arguments.count)",
                at: start)
        }
        return .aggregation(
            Aggregation(
                op: op, expression: last, parameter: op.hasParameter ? arguments[0] : nil,
                grouping: grouping?.labels ?? [], isWithout: grouping?.isWithout ?? false, range: range))
    }

    private mutating func groupingClause() throws(ParseError) -> (labels: [String], isWithout: Bool) {
        let isWithout = isKeyword("without")
        advance()
        return (try labelList(), isWithout)
    }
}
