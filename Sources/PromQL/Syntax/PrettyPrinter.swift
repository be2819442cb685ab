/// Breaks expressions into lines: two spaces per level, operators on their own lines between their operands.
///
/// The work and the text grow with the length of the expression, not with the square: whether a part fits into a line is
/// known after a line's length, and ``deepestIndentation`` bounds the spaces of a line.
struct PrettyPrinter {
    private(set) var text = ""
    /// How many expressions were looked at, those that only had to be measured included.
    private(set) var visits = 0
    /// A part longer than this many bytes is broken up.
    private static let lineLength = 100
    /// Levels below this one are indented as it is: a chain of n operands has n levels.
    static let deepestIndentation = 250
    /// Set behind a sign, which the next line is joined to.
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
            // The operands of a broken operator are indented more than the sign: join the first to it.
            if case .binary = e.operand { dropsSpaces = true }
            body(e.operand, level: level)
        case .binary(let e):
            // The first operand is one level deeper than the indentation that is already there.
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
