import Glibc
import Model

extension PromQLParser {
    /// Parses a primary expression with its suffixes: ranges, offsets, `@`.
    mutating func postfix() throws(ParseError) -> Expression {
        height = 0
        var expression = try primary()
        while true {
            switch next.kind {
            case .leftBracket: expression = try range(of: expression)
            case .at: expression = try atModifier(expression)
            default:
                switch next.keyword {
                case .offset: expression = try offset(expression)
                case .anchored: expression = try rangeExtension(expression, .anchored)
                case .smoothed: expression = try rangeExtension(expression, .smoothed)
                default: return expression
                }
            }
        }
    }

    private mutating func primary() throws(ParseError) -> Expression {
        let token = next
        switch token.kind {
        case .number, .duration:
            return .number(
                NumberLiteral(value: try literal(), isDuration: token.kind == .duration, range: token.range))
        case .string:
            advance()
            return .string(StringLiteral(value: token.text, invalidBytes: token.invalidBytes, range: token.range))
        case .leftParenthesis:
            advance()
            let inner = try deeper { (parser) throws(ParseError) in try parser.expression(above: 0) }
            try expect(.rightParenthesis)
            try enclose(height)
            return .parentheses(Parentheses(expression: inner, range: TextRange(token.range.start, lastEnd)))
        case .leftBrace: return .selector(try selector())
        default:
            guard isMetricName(token) else { throw unexpected() }
            if token.keyword?.kind == .aggregator, let op = AggregationOperator(rawValue: token.text.lowercased()),
                following.kind == .leftParenthesis || following.keyword == .by || following.keyword == .without
            {
                return try within(Context(name: "aggregation")) { (parser) throws(ParseError) in
                    try parser.aggregation(op)
                }
            }
            let isFunction = token.keyword.map { $0.kind == .preprocessor } ?? (token.kind == .identifier)
            if isFunction, following.kind == .leftParenthesis { return try call() }
            return .selector(try selector())
        }
    }

    // MARK: Selectors

    /// Parses `name`, `name{…}` or `{…}`.
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
                matchers.append(try labelMatcher())
                try within(Context(name: "label matching", expected: "\",\" or \"}\"")) { (parser) throws(ParseError) in
                    if parser.take(.comma) == nil, parser.next.kind != .rightBrace { throw parser.unexpected() }
                }
            }
        }
        if !name.isEmpty { matchers.append(Matcher(name: Labels.nameLabel, equals: name)) }
        return VectorSelector(name: name, matchers: matchers, range: TextRange(start, lastEnd))
    }

    private mutating func labelMatcher() throws(ParseError) -> Matcher {
        let label = next
        guard label.kind == .identifier || label.kind == .string else {
            return try within(Context(name: "label matching", expected: "identifier or \"}\"")) {
                (parser) throws(ParseError) in throw parser.unexpected()
            }
        }
        try requireUTF8(label)
        advance()
        guard let kind = matcherKind else {
            // Names in the braces are ordinary matchers, even if there are several.
            if label.kind == .string { return Matcher(name: Labels.nameLabel, equals: label.text) }
            return try within(Context(name: "label matching", expected: "label matching operator")) {
                (parser) throws(ParseError) in throw parser.unexpected()
            }
        }
        advance()
        return try within(Context(name: "label matching", expected: "string")) { (parser) throws(ParseError) in
            let value = parser.next
            guard value.kind == .string else { throw parser.unexpected() }
            try parser.requireUTF8(value)
            parser.advance()
            do throws(AnchoredRegex.SyntaxError) {
                return try Matcher(label.text, kind, value.text, budget: parser.budget)
            } catch {
                throw parser.failure("\(error)", at: label.range.start)
            }
        }
    }

    private var matcherKind: Matcher.Kind? {
        switch next.kind {
        case .assign: .equal
        case .notEqual: .notEqual
        case .matchRegex: .regex
        case .notMatchRegex: .notRegex
        default: nil
        }
    }

    // MARK: Ranges, offsets, fixed times

    private mutating func range(of expression: Expression) throws(ParseError) -> Expression {
        let open = next.range
        advance()
        let window = try within(
            Context(name: "subquery or range selector", expected: "number, duration, step(), or range()")
        ) { (parser) throws(ParseError) in try parser.positiveDuration() }
        let start = expression.range.start
        let isSubquery = try within(Context(name: "subquery or range", expected: "\":\" or \"]\"")) {
            (parser) throws(ParseError) in
            if parser.take(.rightBracket) != nil { return false }
            try parser.expect(.colon)
            return true
        }
        if isSubquery {
            let step = try subqueryStep()
            try enclose(height)
            var subquery = Subquery(expression: expression, window: 0, step: 0, range: TextRange(start, lastEnd))
            settle(window) {
                subquery.window = $0
            } later: {
                subquery.windowExpression = $0
            }
            if let step {
                settle(step) {
                    subquery.step = $0
                } later: {
                    subquery.stepExpression = $0
                }
            }
            return .subquery(subquery)
        }
        guard case .selector(let selector) = expression else {
            throw failure("ranges only allowed for vector selectors", at: open.start)
        }
        if selector.offset != 0 || selector.offsetExpression != nil {
            throw failure("no offset modifiers allowed before range", at: open.start)
        }
        if selector.at != nil { throw failure("no @ modifiers allowed before range", at: open.start) }
        var matrix = MatrixSelector(selector: selector, window: 0, range: TextRange(start, lastEnd))
        settle(window) {
            matrix.window = $0
        } later: {
            matrix.windowExpression = $0
        }
        return .matrix(matrix)
    }

    /// Parses the text between the colon of a subquery and the bracket, and the bracket.
    private mutating func subqueryStep() throws(ParseError) -> DurationExpression? {
        if take(.rightBracket) != nil { return nil }
        let step = try within(
            Context(name: "subquery selector", expected: "number, duration, step(), range(), or \"]\"")
        ) { (parser) throws(ParseError) in try parser.positiveDuration() }
        try within(Context(name: "subquery selector", expected: "\"]\"")) { (parser) throws(ParseError) in
            try parser.expect(.rightBracket)
        }
        return step
    }

    private mutating func positiveDuration() throws(ParseError) -> DurationExpression {
        let duration = try durationExpression()
        if let seconds = duration.literalSeconds, seconds <= 0 {
            throw failureBehindToken("duration must be greater than 0", at: duration.range.start)
        }
        return duration
    }

    /// Passes a literal duration in ms to `now`, any other expression to `later`.
    private func settle(
        _ duration: DurationExpression, _ now: (Int64) -> Void, later: (DurationExpression) -> Void
    ) {
        guard let seconds = duration.literalSeconds else { return later(duration) }
        now(Int64(((seconds * 1e9).rounded() / 1e6).rounded(.towardZero)))
    }

    private mutating func offset(_ expression: Expression) throws(ParseError) -> Expression {
        let start = expression.range.start
        advance()
        let duration = try within(Context(name: "offset", expected: "number, duration, step(), or range()")) {
            (parser) throws(ParseError) in try parser.offsetDuration()
        }
        func settled(_ had: Bool, _ now: (Int64) -> Void, _ later: (DurationExpression) -> Void) throws(ParseError) {
            if had { throw failure("offset may not be set multiple times", at: start) }
            settle(duration, now, later: later)
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
        let modifier = try within(Context(name: "@", expected: "timestamp")) { (parser) throws(ParseError) in
            try parser.fixedTime(from: start)
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

    /// Parses `start()`, `end()` or a number of seconds; `start` is the beginning of the expression before `@`.
    private mutating func fixedTime(from start: Int) throws(ParseError) -> AtModifier {
        if isKeyword(.start) || isKeyword(.end) {
            let isStart = isKeyword(.start)
            advance()
            try expect(.leftParenthesis)
            try expect(.rightParenthesis)
            return isStart ? .start : .end
        }
        var sign = 1.0
        if take(.subtract) != nil { sign = -1 } else { take(.add) }
        let seconds = try literal() * sign
        let milliseconds = (seconds * 1000).rounded()
        guard milliseconds.magnitude < 0x1p63 else {
            throw failure("timestamp out of bounds for @ modifier: \(Self.sixDecimals(seconds))", at: start)
        }
        return .time(Int64(milliseconds))
    }

    /// A number in the format of Go's `%f`.
    private static func sixDecimals(_ value: Double) -> String {
        guard value.isFinite else { return FloatText.fixed(value) }
        var buffer = [CChar](repeating: 0, count: 400)
        withVaList([value]) { _ = vsnprintf(&buffer, buffer.count, "%f", $0) }
        return String(decoding: buffer.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    private mutating func rangeExtension(
        _ expression: Expression, _ value: RangeExtension
    ) throws(ParseError) -> Expression {
        let start = expression.range.start
        let name = value == .anchored ? "anchored" : "smoothed"
        advance()
        guard options.extendedRangeSelectors else {
            throw failure("\(name) modifier is experimental and not enabled", at: start)
        }
        func once(_ had: RangeExtension?) throws(ParseError) {
            if let had, had != value {
                throw failure("anchored and smoothed modifiers cannot be used together", at: start)
            }
        }
        // The range of the expression does not include the modifier, as in errors about operators after it.
        switch expression {
        case .selector(var e):
            try once(e.rangeExtension)
            e.rangeExtension = value
            return .selector(e)
        case .matrix(var e):
            try once(e.selector.rangeExtension)
            e.selector.rangeExtension = value
            return .matrix(e)
        case .subquery: throw failure("\(name) modifier is not supported for subqueries", at: start)
        default: throw failure("\(name) modifier not implemented", at: start)
        }
    }

    // MARK: Calls and aggregations

    private mutating func arguments() throws(ParseError) -> [Expression] {
        try expect(.leftParenthesis)
        var arguments: [Expression] = []
        if take(.rightParenthesis) != nil { return [] }
        var highest = 0
        while true {
            arguments.append(try deeper { (parser) throws(ParseError) in try parser.expression(above: 0) })
            highest = max(highest, height)
            if take(.rightParenthesis) != nil {
                try enclose(highest)
                return arguments
            }
            let comma = next.range.start
            try expect(.comma)
            if !beginsOperand {
                throw failureBehindToken("trailing commas not allowed in function call args", at: comma)
            }
        }
    }

    private mutating func call() throws(ParseError) -> Expression {
        let token = next
        advance()
        let arguments = try arguments()
        guard let function = FunctionRegistry.lookup(token.text) else {
            throw failure("unknown function with name \(Quoted.text(token.text))", at: token.range.start)
        }
        if function.isExperimental, !options.experimentalFunctions {
            throw failure("function \(Quoted.text(token.text)) is not enabled", at: token.range.start)
        }
        return .call(Call(function: function, arguments: arguments, range: TextRange(token.range.start, lastEnd)))
    }

    private mutating func aggregation(_ op: AggregationOperator) throws(ParseError) -> Expression {
        let start = next.range.start
        advance()
        var grouping: (labels: [String], isWithout: Bool)?
        if isKeyword(.by) || isKeyword(.without) { grouping = try groupingClause() }
        let arguments = try arguments()
        var range = TextRange(start, lastEnd)
        let isPrefixed = grouping != nil
        if !isPrefixed, isKeyword(.by) || isKeyword(.without) {
            grouping = try groupingClause()
            range.end = lastEnd
        }
        func refusal(_ message: String) -> ParseError {
            // Without a following grouping, the next token was read already.
            grouping == nil ? failureBehindToken(message, at: start) : failure(message, at: start)
        }
        if arguments.isEmpty { throw refusal("no arguments for aggregate expression provided") }
        if op == .limitk || op == .limitRatio, !options.experimentalFunctions {
            throw refusal(
                "\(op.rawValue)() is experimental and must be enabled with --enable-feature=promql-experimental-functions"
            )
        }
        let wanted = op.hasParameter ? 2 : 1
        guard arguments.count == wanted, let last = arguments.last else {
            throw refusal(
                "wrong number of arguments for aggregate expression provided, expected \(wanted), got \(arguments.count)"
            )
        }
        return .aggregation(
            Aggregation(
                op: op, expression: last, parameter: op.hasParameter ? arguments[0] : nil,
                grouping: grouping?.labels ?? [], isWithout: grouping?.isWithout ?? false, range: range))
    }

    private mutating func groupingClause() throws(ParseError) -> (labels: [String], isWithout: Bool) {
        let isWithout = isKeyword(.without)
        advance()
        return (try labelList(), isWithout)
    }
}
