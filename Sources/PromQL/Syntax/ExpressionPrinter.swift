import GoCompatibility
import Model

extension Expression: CustomStringConvertible {
    /// The canonical form on one line, which parses to the same tree.
    package var description: String {
        var printer = ExpressionPrinter()
        printer.expression(self)
        return String(decoding: printer.bytes, as: UTF8.self)
    }

    /// The canonical form, split into indented lines where a part would be longer than 100 bytes.
    package var prettyDescription: String {
        var printer = PrettyPrinter()
        printer.expression(self, level: 0)
        return printer.text
    }
}

/// Writes expressions in Prometheus's format.
struct ExpressionPrinter {
    private(set) var bytes: [UInt8] = []
    /// The most bytes to write.
    ///
    /// Writing stops above it, so that measuring a long expression costs little.
    var limit = Int.max
    /// Whether the text is longer than ``limit``.
    private(set) var isTooLong = false
    /// The number of visited expressions.
    private(set) var visits = 0
    /// The bytes of operators whose left operands are being written.
    private var pending = 0

    mutating func write(_ text: String) {
        guard !isTooLong else { return }
        bytes.append(contentsOf: text.utf8)
        expect(0)
    }

    /// Records that at least `more` bytes will follow.
    private mutating func expect(_ more: Int) {
        if bytes.count &+ pending &+ more > limit { isTooLong = true }
    }

    mutating func expression(_ expression: Expression) {
        guard !isTooLong else { return }
        visits &+= 1
        switch expression {
        case .number(let e): write(Self.number(e))
        case .string(let e):
            expect(e.invalidBytes == nil ? e.value.utf8.count : 0)
            guard !isTooLong else { return }
            write(e.invalidBytes.map(GoQuote.quote(bytes:)) ?? GoQuote.quote(e.value))
        case .selector(let e):
            selectorBase(e)
            at(e.at)
            rangeExtension(e.rangeExtension)
            offset(e.offset, e.offsetExpression)
        case .matrix(let e):
            selectorBase(e.selector)
            write("[")
            duration(e.window, e.windowExpression)
            write("]")
            rangeExtension(e.selector.rangeExtension)
            at(e.selector.at)
            offset(e.selector.offset, e.selector.offsetExpression)
        case .subquery(let e):
            self.expression(e.expression)
            subquerySuffix(e)
        case .unary(let e):
            write(e.isNegative ? "-" : "+")
            self.expression(e.operand)
        case .binary(let e):
            expect(e.matching.map { $0.labels.count &+ $0.include.count } ?? 0)
            guard !isTooLong else { return }
            let op = " " + Self.operatorText(e) + " "
            // The depth of the left operand is the length of the chain.
            pending &+= op.utf8.count
            if case .number(let number) = e.left, number.value == .infinity, e.op == .power {
                // A leading sign would be read as one of the whole power.
                write("Inf")
            } else {
                self.expression(e.left)
            }
            pending &-= op.utf8.count
            write(op)
            self.expression(e.right)
        case .aggregation(let e):
            expect(e.grouping.count)
            guard !isTooLong else { return }
            write(Self.head(e) + "(")
            if let parameter = e.parameter {
                self.expression(parameter)
                write(", ")
            }
            self.expression(e.expression)
            write(")")
        case .call(let e):
            write(e.function.name + "(")
            for (index, argument) in e.arguments.enumerated() {
                if index > 0 { write(", ") }
                self.expression(argument)
            }
            write(")")
        case .parentheses(let e):
            write("(")
            self.expression(e.expression)
            write(")")
        }
    }

    // MARK: Literals

    static func number(_ literal: NumberLiteral) -> String {
        literal.isDuration ? duration(seconds: literal.value) : FloatText.fixed(literal.value)
    }

    /// A duration, or plain seconds if it does not consist of whole milliseconds.
    static func duration(seconds: Double) -> String {
        let milliseconds = seconds * 1000
        guard milliseconds.magnitude < 0x1p53, milliseconds.rounded(.towardZero) == milliseconds else {
            return FloatText.fixed(seconds)
        }
        return DurationText.format(Int64(milliseconds))
    }

    // MARK: Selectors

    private mutating func selectorBase(_ selector: VectorSelector) {
        for matcher in selector.matchers where !isTooLong && matcher.name != Labels.nameLabel {
            expect(matcher.name.utf8.count &+ matcher.value.utf8.count)
        }
        write(selector.name)
        guard !isTooLong else { return }
        var hasName = selector.name.isEmpty
        var parts: [String] = []
        for matcher in selector.matchers {
            if !hasName, matcher.name == Labels.nameLabel, matcher.kind == .equal, matcher.value == selector.name {
                hasName = true
                continue
            }
            parts.append(matcher.description)
        }
        guard !parts.isEmpty || selector.name.isEmpty else { return }
        parts.sort { $0.utf8.lexicographicallyPrecedes($1.utf8) }
        write("{" + parts.joined(separator: ",") + "}")
    }

    private mutating func at(_ modifier: AtModifier?) {
        switch modifier {
        case nil: break
        case .start: write(" @ start()")
        case .end: write(" @ end()")
        case .time(let milliseconds):
            let (seconds, rest) = milliseconds.magnitude.quotientAndRemainder(dividingBy: 1000)
            let fraction = String(1000 + rest).dropFirst()
            write(" @ \(milliseconds < 0 ? "-" : "")\(seconds).\(fraction)")
        }
    }

    private mutating func rangeExtension(_ value: RangeExtension?) {
        switch value {
        case nil: break
        case .anchored: write(" anchored")
        case .smoothed: write(" smoothed")
        }
    }

    private mutating func offset(_ milliseconds: Int64, _ expression: DurationExpression?) {
        guard milliseconds != 0 || expression != nil else { return }
        write(" offset ")
        duration(milliseconds, expression)
    }

    private mutating func duration(_ milliseconds: Int64, _ expression: DurationExpression?) {
        if let expression {
            duration(expression)
        } else {
            write(DurationText.format(milliseconds))
        }
    }

    private mutating func duration(_ expression: DurationExpression) {
        guard !isTooLong else { return }
        switch expression {
        case .literal(let seconds, _): write(Self.duration(seconds: seconds))
        case .step: write("step()")
        case .range: write("range()")
        case .negate(let inner, _):
            write("-")
            duration(inner)
        case .plus(let inner, _):
            write("+")
            duration(inner)
        case .binary(let op, let left, let right, _):
            duration(left)
            write(" \(op.rawValue) ")
            duration(right)
        case .minOf(let left, let right, _), .maxOf(let left, let right, _):
            if case .minOf = expression { write("min_of(") } else { write("max_of(") }
            duration(left)
            write(", ")
            duration(right)
            write(")")
        case .parentheses(let inner, _):
            write("(")
            duration(inner)
            write(")")
        }
    }

    mutating func subquerySuffix(_ subquery: Subquery) {
        write("[")
        duration(subquery.window, subquery.windowExpression)
        write(":")
        if subquery.step != 0 || subquery.stepExpression != nil { duration(subquery.step, subquery.stepExpression) }
        write("]")
        at(subquery.at)
        offset(subquery.offset, subquery.offsetExpression)
    }

    // MARK: Operators and aggregations

    /// The operator of a binary expression with all its modifiers.
    static func operatorText(_ binary: Binary) -> String {
        var text = binary.op.rawValue
        if binary.returnsBool { text += " bool" }
        guard let matching = binary.matching else { return text }
        let isGrouped = matching.cardinality == .manyToOne || matching.cardinality == .oneToMany
        if !matching.labels.isEmpty || matching.isOn || isGrouped {
            text += " \(matching.isOn ? "on" : "ignoring") (\(names(matching.labels)))"
        }
        if isGrouped {
            text += " group_\(matching.cardinality == .manyToOne ? "left" : "right") (\(names(matching.include)))"
        }
        switch (matching.fillLeft, matching.fillRight) {
        case (let left?, let right?) where left == right: text += " fill (\(FloatText.fixed(left)))"
        case (let left, let right):
            if let left { text += " fill_left (\(FloatText.fixed(left)))" }
            if let right { text += " fill_right (\(FloatText.fixed(right)))" }
        }
        return text
    }

    /// The text of an aggregation before its opening parenthesis.
    static func head(_ aggregation: Aggregation) -> String {
        if aggregation.isWithout { return "\(aggregation.op.rawValue) without (\(names(aggregation.grouping))) " }
        if aggregation.grouping.isEmpty { return aggregation.op.rawValue }
        return "\(aggregation.op.rawValue) by (\(names(aggregation.grouping))) "
    }

    /// Label names, quoted if they are not identifiers.
    private static func names(_ labels: [String]) -> String {
        labels.map(LabelText.name).joined(separator: ", ")
    }
}
