import Model

/// Checks what the grammar alone cannot: types of operands and arguments, selectors that select everything.
struct TypeChecker {
    let text: [UInt8]
    let options: ParserOptions

    private func failure(_ message: String, at range: TextRange) -> ParseError {
        ParseError(message, at: range.start, in: text)
    }

    /// A type as error messages name it.
    private static func name(_ type: ValueType) -> String {
        switch type {
        case .none: "none"
        case .scalar: "scalar"
        case .string: "string"
        case .vector: "instant vector"
        case .matrix: "range vector"
        }
    }

    func check(_ expression: Expression) throws(ParseError) {
        switch expression {
        case .number, .string: return
        case .selector(let e): try check(e, allowsEmpty: false)
        case .matrix(let e): try check(e.selector, allowsEmpty: false)
        case .subquery(let e):
            try check(e.expression)
            if e.expression.type != .vector {
                throw failure(
                    "subquery is only allowed on instant vector, got \(e.expression.type.rawValue) instead", at: e.range
                )
            }
        case .parentheses(let e): try check(e.expression)
        case .unary(let e):
            try check(e.operand)
            if e.operand.type != .scalar, e.operand.type != .vector {
                throw failure(
                    "unary expression only allowed on expressions of type scalar or instant vector, got \(Quoted.text(Self.name(e.operand.type)))",
                    at: e.range)
            }
        case .binary(let e): try check(e)
        case .aggregation(let e): try check(e)
        case .call(let e): try check(e)
        }
    }

    private func check(_ selector: VectorSelector, allowsEmpty: Bool) throws(ParseError) {
        if !allowsEmpty, selector.matchers.allSatisfy(\.matchesEmpty) {
            throw failure("vector selector must contain at least one non-empty matcher", at: selector.range)
        }
    }

    private func check(_ e: Binary) throws(ParseError) {
        try check(e.left)
        try check(e.right)
        let (left, right) = (e.left.type, e.right.type)
        guard left == .scalar || left == .vector, right == .scalar || right == .vector else {
            throw failure(
                "binary expression must contain only scalar and instant vector types",
                at: left == .scalar || left == .vector ? e.right.range : e.left.range)
        }
        if left == .scalar, right == .scalar, e.op.isComparison, !e.returnsBool {
            throw failure("comparisons between scalars must use BOOL modifier", at: e.range)
        }
        if e.op.isSetOperator, left == .scalar || right == .scalar {
            throw failure(
                "set operator \(Quoted.text(e.op.rawValue)) not allowed in binary scalar expression", at: e.range)
        }
        guard left == .scalar || right == .scalar, let matching = e.matching else { return }
        if matching.fillLeft != nil || matching.fillRight != nil {
            throw failure("filling in missing series only allowed between instant vectors", at: e.range)
        }
        if !matching.labels.isEmpty {
            throw failure("vector matching only allowed between instant vectors", at: e.range)
        }
    }

    private func expect(_ expression: Expression, _ type: ValueType, in context: String) throws(ParseError) {
        guard expression.type == type else {
            throw failure(
                "expected type \(Self.name(type)) in \(context), got \(Self.name(expression.type))",
                at: expression.range)
        }
    }

    private func check(_ e: Aggregation) throws(ParseError) {
        try check(e.expression)
        try expect(e.expression, .vector, in: "aggregation expression")
        guard let parameter = e.parameter else { return }
        try check(parameter)
        try expect(parameter, e.op == .countValues ? .string : .scalar, in: "aggregation parameter")
    }

    private func check(_ e: Call) throws(ParseError) {
        let (least, most) = FunctionTable.argumentCounts(e.function)
        let count = e.arguments.count
        let name = Quoted.text(e.function.name)
        if least == most, count != least {
            throw failure("expected \(least) argument(s) in call to \(name), got \(count)", at: e.range)
        }
        if count < least {
            throw failure("expected at least \(least) argument(s) in call to \(name), got \(count)", at: e.range)
        }
        if let most, count > most {
            throw failure("expected at most \(most) argument(s) in call to \(name), got \(count)", at: e.range)
        }
        for (index, argument) in e.arguments.enumerated() {
            if e.function.name == "info", index == 1 {
                guard case .selector(let selector) = argument, selector.name.isEmpty else {
                    if case .selector = argument {
                        throw failure("expected label selectors only, got vector selector instead", at: argument.range)
                    }
                    throw failure("expected label selectors only", at: argument.range)
                }
                continue
            }
            try check(argument)
            guard
                let wanted = e.function.arguments.indices.contains(index)
                    ? e.function.arguments[index] : e.function.arguments.last
            else { continue }
            try expect(argument, wanted, in: "call to function \(name)")
        }
    }
}
