/// Breaks expressions into lines: two spaces per level, operators on their own lines between their operands.
struct PrettyPrinter {
    private(set) var text = ""
    /// A part longer than this many bytes is broken up.
    private static let lineLength = 100

    private mutating func indent(_ level: Int) { text += String(repeating: "  ", count: level) }

    mutating func expression(_ expression: Expression, level: Int) {
        indent(level)
        body(expression, level: level)
    }

    /// Writes an expression whose first line is indented already.
    private mutating func body(_ expression: Expression, level: Int) {
        var line = ExpressionPrinter()
        line.limit = Self.lineLength
        line.expression(expression)
        if line.bytes.count <= Self.lineLength {
            text += String(decoding: line.bytes, as: UTF8.self)
            return
        }
        switch expression {
        case .number, .string, .selector, .matrix: text += expression.description
        case .subquery(let e):
            body(e.expression, level: level)
            var suffix = ExpressionPrinter()
            suffix.subquerySuffix(e)
            text += String(decoding: suffix.bytes, as: UTF8.self)
        case .unary(let e):
            text += e.isNegative ? "-" : "+"
            if case .binary = e.operand {
                // The operands of a broken operator are indented more than the sign: join the first to it.
                var inner = PrettyPrinter()
                inner.expression(e.operand, level: level)
                text += inner.text.drop { $0 == " " }
            } else {
                body(e.operand, level: level)
            }
        case .binary(let e):
            // The first operand is one level deeper than the indentation that is already there.
            text += "  "
            body(e.left, level: level + 1)
            text += "\n"
            indent(level)
            text += ExpressionPrinter.operatorText(e) + "\n"
            self.expression(e.right, level: level + 1)
        case .aggregation(let e):
            text += ExpressionPrinter.head(e) + "(\n"
            if let parameter = e.parameter {
                self.expression(parameter, level: level + 1)
                text += ",\n"
            }
            self.expression(e.expression, level: level + 1)
            close(level)
        case .call(let e):
            text += e.function.name + "(\n"
            for (index, argument) in e.arguments.enumerated() {
                if index > 0 { text += ",\n" }
                self.expression(argument, level: level + 1)
            }
            close(level)
        case .parentheses(let e):
            text += "(\n"
            self.expression(e.expression, level: level + 1)
            close(level)
        }
    }

    private mutating func close(_ level: Int) {
        text += "\n"
        indent(level)
        text += ")"
    }
}
