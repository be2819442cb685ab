import Model

/// Checks rules that the grammar does not contain: types of operands and arguments, and selectors that match
/// everything.
struct TypeChecker {
    let text: [UInt8]

    private func failure(_ message: String, at range: TextRange) -> ParseError {
        ParseError(message, at: range.start, in: text)
    }

    /// The name of a type in error messages.
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
        case .selector(let e): try check(e)
        case .matrix(let e): try check(e.selector)
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

    private func check(_ selector: VectorSelector) throws(ParseError) {
        guard selector.name.isEmpty else {
            // The last matcher is that of the name before the braces.
            if let twice = selector.matchers.dropLast().first(where: { $0.name == Labels.nameLabel }) {
                throw failure(
                    "metric name must not be set twice: \(Quoted.text(selector.name)) or \(Quoted.text(twice.value))",
                    at: selector.range)
            }
            return
        }
        if selector.matchers.allSatisfy(\.matchesEmpty) {
            throw failure("vector selector must contain at least one non-empty matcher", at: selector.range)
        }
    }

    /// The range of the operator: after the left operand and the following space.
    private func operatorRange(_ e: Binary) -> TextRange {
        var start = e.left.range.end
        while start < text.count, [0x20, 0x09, 0x0A, 0x0D].contains(text[start]) { start += 1 }
        return TextRange(start, start)
    }

    private func check(_ e: Binary) throws(ParseError) {
        try check(e.left)
        try check(e.right)
        let (left, right) = (e.left.type, e.right.type)
        if e.returnsBool, !e.op.isComparison {
            throw failure("bool modifier can only be used on comparison operators", at: operatorRange(e))
        }
        if left == .scalar, right == .scalar, e.op.isComparison, !e.returnsBool {
            throw failure("comparisons between scalars must use BOOL modifier", at: operatorRange(e))
        }
        if let matching = e.matching, matching.isOn, !matching.include.isEmpty {
            let included = Set(matching.include.map { ExactText($0) })
            if let both = matching.labels.first(where: { included.contains(ExactText($0)) }) {
                throw failure(
                    "label \(Quoted.text(both)) must not occur in ON and GROUP clause at once", at: operatorRange(e))
            }
        }
        for operand in [e.left, e.right] where operand.type != .scalar && operand.type != .vector {
            throw failure("binary expression must contain only scalar and instant vector types", at: operand.range)
        }
        if let matching = e.matching { try check(matching, of: e) }
        if e.op.isSetOperator, left == .scalar || right == .scalar {
            throw failure(
                "set operator \(Quoted.text(e.op.rawValue)) not allowed in binary scalar expression", at: e.range)
        }
    }

    private func check(_ matching: VectorMatching, of e: Binary) throws(ParseError) {
        let fills = matching.fillLeft != nil || matching.fillRight != nil
        if e.left.type == .scalar || e.right.type == .scalar {
            if !matching.labels.isEmpty {
                throw failure("vector matching only allowed between instant vectors", at: e.range)
            }
            if fills {
                throw failure("filling in missing series only allowed between instant vectors", at: e.range)
            }
        } else if e.op.isSetOperator {
            if matching.cardinality == .manyToOne || matching.cardinality == .oneToMany {
                throw failure("no grouping allowed for \(Quoted.text(e.op.rawValue)) operation", at: e.range)
            }
            if fills { throw failure("filling in missing series not allowed for set operators", at: e.range) }
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
        let (least, most) = e.function.argumentCounts
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
        if e.function.name == "info", count > 1 { try checkInfoSelector(e.arguments[1], of: e) }
        for (index, argument) in e.arguments.enumerated() where e.function.name != "info" || index != 1 {
            try check(argument)
            guard
                let wanted = e.function.arguments.indices.contains(index)
                    ? e.function.arguments[index] : e.function.arguments.last
            else { continue }
            try expect(argument, wanted, in: "call to function \(name)")
        }
    }

    /// The second argument of `info` is a selector without a name, which may match everything.
    private func checkInfoSelector(_ argument: Expression, of e: Call) throws(ParseError) {
        guard argument.type == .vector else {
            throw failure(
                "expected type instant vector in call to function \"info\", got \(Self.name(argument.type))",
                at: e.range)
        }
        guard case .selector(let selector) = argument else {
            throw failure("expected label selectors only", at: argument.range)
        }
        if !selector.name.isEmpty {
            throw failure("expected label selectors only, got vector selector instead", at: argument.range)
        }
    }
}
