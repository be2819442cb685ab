/// Splits expressions into lines: two spaces per level, operators on their own lines between their operands.
///
/// The time and the size of the text are linear in the length of the expression, not quadratic: whether a part fits
/// into a line is known after a line's length, and ``deepestIndentation`` limits the spaces of a line.
struct PrettyPrinter {
    private(set) var text = ""
    /// The number of visited expressions, with those that were only measured.
    private(set) var visits = 0
    /// The size in bytes above which a part is split.
    private static let lineLength = 100
    /// The level with the deepest indentation: a chain of n operands has n levels.
    static let deepestIndentation = 250
    /// Whether the next line is joined to a sign.
    private var dropsSpaces = false

    private mutating func write(_ part: String) {
        dropsSpaces = false
        text += part
    }

    private mutating func indent(_ level: Int) {
        guard !dropsSpaces else { return }
        text += String(repeating: "  ", count: min(level, Self.deepestIndentation))
    }

    mutating func expression(_ expression: Expression, level: Int) {
        indent(level)
        body(expression, level: level)
    }

    /// Writes an expression whose first line is indented already.
    private mutating func body(_ expression: Expression, level: Int) {
        var line = ExpressionPrinter()
        line.limit = Self.lineLength
        line.expression(expression)
        visits += line.visits
        if !line.isTooLong { return write(String(decoding: line.bytes, as: UTF8.self)) }
        switch expression {
        case .number, .string, .selector, .matrix: write(expression.description)
        case .subquery(let e):
            body(e.expression, level: level)
            var suffix = ExpressionPrinter()
            suffix.subquerySuffix(e)
            write(String(decoding: suffix.bytes, as: UTF8.self))
        case .unary(let e):
            write(e.isNegative ? "-" : "+")
            // The operands of a split operator have a deeper indentation than the sign; the first is joined to it.
            if case .binary = e.operand { dropsSpaces = true }
            body(e.operand, level: level)
        case .binary(let e):
            // The first operand is one level deeper than the existing indentation.
            if level < Self.deepestIndentation { indent(1) }
            body(e.left, level: level + 1)
            write("\n")
            indent(level)
            write(ExpressionPrinter.operatorText(e) + "\n")
            self.expression(e.right, level: level + 1)
        case .aggregation(let e):
            write(ExpressionPrinter.head(e) + "(\n")
            if let parameter = e.parameter {
                self.expression(parameter, level: level + 1)
                write(",\n")
            }
            self.expression(e.expression, level: level + 1)
            close(level)
        case .call(let e):
            write(e.function.name + "(\n")
            for (index, argument) in e.arguments.enumerated() {
                if index > 0 { write(",\n") }
                self.expression(argument, level: level + 1)
            }
            close(level)
        case .parentheses(let e):
            write("(\n")
            self.expression(e.expression, level: level + 1)
            close(level)
        }
    }

    private mutating func close(_ level: Int) {
        write("\n")
        indent(level)
        write(")")
    }
}
