import Model

/// A range of the query text: byte offsets, end exclusive.
package struct TextRange: Sendable, Hashable {
    package var start: Int
    package var end: Int

    package init(_ start: Int, _ end: Int) {
        self.start = start
        self.end = end
    }

    /// The range of expressions that were made while the query ran; shown as the beginning of the text.
    static let nowhere = TextRange(-1, -1)
}

/// The type of an expression's value.
package enum ValueType: String, Sendable {
    case none
    case scalar
    case string
    case vector
    case matrix
}

/// The syntax tree of PromQL.
///
/// Every node has its range in the query.
package indirect enum Expression: Sendable {
    case number(NumberLiteral)
    case string(StringLiteral)
    case selector(VectorSelector)
    case matrix(MatrixSelector)
    case subquery(Subquery)
    case unary(Unary)
    case binary(Binary)
    case aggregation(Aggregation)
    case call(Call)
    case parentheses(Parentheses)
}

/// `1.5`, `0x1F`, `5m` (a duration is its seconds).
package struct NumberLiteral: Sendable {
    package var value: Double
    /// Whether it was written as a duration; then it is printed as one.
    package var isDuration: Bool
    package var range: TextRange

    package init(value: Double, isDuration: Bool = false, range: TextRange) {
        self.value = value
        self.isDuration = isDuration
        self.range = range
    }
}

package struct StringLiteral: Sendable {
    package var value: String
    /// The bytes if escapes made them invalid UTF-8; ``value`` is then repaired.
    package var invalidBytes: [UInt8]?
    package var range: TextRange

    package init(value: String, invalidBytes: [UInt8]? = nil, range: TextRange) {
        self.value = value
        self.invalidBytes = invalidBytes
        self.range = range
    }
}

/// A duration in the text: a literal or, with operators, an expression that preparation evaluates to one.
package indirect enum DurationExpression: Sendable {
    /// A literal in seconds.
    case literal(Double, TextRange)
    case step(TextRange)
    case range(TextRange)
    case negate(DurationExpression, TextRange)
    case plus(DurationExpression, TextRange)
    case binary(BinaryOperator, DurationExpression, DurationExpression, TextRange)
    case minOf(DurationExpression, DurationExpression, TextRange)
    case maxOf(DurationExpression, DurationExpression, TextRange)
    case parentheses(DurationExpression, TextRange)
}

/// The time of `@`.
package enum AtModifier: Sendable, Hashable {
    /// A fixed time, ms since the epoch.
    case time(Int64)
    case start
    case end
}

/// `anchored` or `smoothed` after a selector.
package enum RangeExtension: Sendable, Hashable {
    case anchored
    case smoothed
}

/// An instant selector.
package struct VectorSelector: Sendable {
    /// The name before the braces, or empty.
    package var name: String
    /// All matchers, with that of the name.
    package var matchers: [Matcher]
    /// The offset, ms; preparation sets it from ``offsetExpression``.
    package var offset: Int64
    package var offsetExpression: DurationExpression?
    package var at: AtModifier?
    package var rangeExtension: RangeExtension?
    /// Whether counter resets of histograms are detected between samples for which the storage has no hint; preparation
    /// sets it if only counts and sums are needed.
    package var detectsResets = false
    /// Whether the empty buckets of histograms are used; planning sets it.
    package var showsEmptyBuckets = false
    package var range: TextRange

    package init(name: String, matchers: [Matcher], range: TextRange) {
        self.name = name
        self.matchers = matchers
        offset = 0
        self.range = range
    }
}

/// A range selector; offset and `@` are those of its ``selector``.
package struct MatrixSelector: Sendable {
    package var selector: VectorSelector
    /// The length of the window, ms; preparation sets it from ``windowExpression``.
    package var window: Int64
    package var windowExpression: DurationExpression?
    package var range: TextRange

    package init(selector: VectorSelector, window: Int64, range: TextRange) {
        self.selector = selector
        self.window = window
        self.range = range
    }
}

package struct Subquery: Sendable {
    package var expression: Expression
    /// The length of the window, ms.
    package var window: Int64
    package var windowExpression: DurationExpression?
    /// The step, ms; 0 means the default step.
    package var step: Int64
    package var stepExpression: DurationExpression?
    /// The offset, ms.
    package var offset: Int64
    package var offsetExpression: DurationExpression?
    package var at: AtModifier?
    package var range: TextRange

    package init(expression: Expression, window: Int64, step: Int64, range: TextRange) {
        self.expression = expression
        self.window = window
        self.step = step
        offset = 0
        self.range = range
    }
}

package struct Unary: Sendable {
    package var isNegative: Bool
    package var operand: Expression
    package var range: TextRange

    package init(isNegative: Bool, operand: Expression, range: TextRange) {
        self.isNegative = isNegative
        self.operand = operand
        self.range = range
    }
}

package enum BinaryOperator: String, CaseIterable, Sendable {
    case add = "+"
    case subtract = "-"
    case multiply = "*"
    case divide = "/"
    case modulo = "%"
    case power = "^"
    case atan2
    case equal = "=="
    case notEqual = "!="
    case less = "<"
    case lessOrEqual = "<="
    case greater = ">"
    case greaterOrEqual = ">="
    case trimUpper = "</"
    case trimLower = ">/"
    case and
    case or
    case unless

    package var isComparison: Bool {
        switch self {
        case .equal, .notEqual, .less, .lessOrEqual, .greater, .greaterOrEqual: true
        default: false
        }
    }

    package var isSetOperator: Bool { self == .and || self == .or || self == .unless }
}

/// The matching of the elements of two vectors.
package struct VectorMatching: Sendable {
    package enum Cardinality: String, Sendable {
        case oneToOne = "one-to-one"
        case manyToOne = "many-to-one"
        case oneToMany = "one-to-many"
        case manyToMany = "many-to-many"
    }

    package var cardinality: Cardinality
    /// The labels of `on` or `ignoring`.
    package var labels: [String]
    /// Whether it is `on` and not `ignoring`.
    package var isOn: Bool
    /// The labels of `group_left` or `group_right`.
    package var include: [String]
    package var fillLeft: Double?
    package var fillRight: Double?

    package init(
        cardinality: Cardinality = .oneToOne, labels: [String] = [], isOn: Bool = false, include: [String] = []
    ) {
        self.cardinality = cardinality
        self.labels = labels
        self.isOn = isOn
        self.include = include
    }
}

package struct Binary: Sendable {
    package var op: BinaryOperator
    package var left: Expression { didSet { isScalar = Self.isScalar(left, right) } }
    package var right: Expression { didSet { isScalar = Self.isScalar(left, right) } }
    /// Whether both operands are scalars.
    ///
    /// It is stored, because a chain of thousands of operands would be traversed for each of them.
    package private(set) var isScalar: Bool
    /// The matching of vectors; nil if an operand is a scalar.
    package var matching: VectorMatching?
    package var returnsBool: Bool
    package var range: TextRange

    package init(
        op: BinaryOperator, left: Expression, right: Expression, matching: VectorMatching?, returnsBool: Bool,
        range: TextRange
    ) {
        self.op = op
        self.left = left
        self.right = right
        self.matching = matching
        self.returnsBool = returnsBool
        self.range = range
        isScalar = Self.isScalar(left, right)
    }

    private static func isScalar(_ left: Expression, _ right: Expression) -> Bool {
        left.type == .scalar && right.type == .scalar
    }
}

package enum AggregationOperator: String, CaseIterable, Sendable {
    case sum, avg, count, min, max, group, stddev, stdvar, topk, bottomk
    case countValues = "count_values"
    case quantile, limitk
    case limitRatio = "limit_ratio"

    package var hasParameter: Bool {
        switch self {
        case .topk, .bottomk, .countValues, .quantile, .limitk, .limitRatio: true
        default: false
        }
    }
}

package struct Aggregation: Sendable {
    package var op: AggregationOperator
    package var expression: Expression
    package var parameter: Expression?
    package var grouping: [String]
    package var isWithout: Bool
    package var range: TextRange

    package init(
        op: AggregationOperator, expression: Expression, parameter: Expression?, grouping: [String], isWithout: Bool,
        range: TextRange
    ) {
        self.op = op
        self.expression = expression
        self.parameter = parameter
        self.grouping = grouping
        self.isWithout = isWithout
        self.range = range
    }
}

package struct Call: Sendable {
    package var function: Function
    package var arguments: [Expression]
    package var range: TextRange

    package init(function: Function, arguments: [Expression], range: TextRange) {
        self.function = function
        self.arguments = arguments
        self.range = range
    }
}

package struct Parentheses: Sendable {
    package var expression: Expression
    package var range: TextRange

    package init(expression: Expression, range: TextRange) {
        self.expression = expression
        self.range = range
    }
}

extension Expression {
    /// The range of the expression in the query.
    package var range: TextRange {
        switch self {
        case .number(let e): e.range
        case .string(let e): e.range
        case .selector(let e): e.range
        case .matrix(let e): e.range
        case .subquery(let e): e.range
        case .unary(let e): e.range
        case .binary(let e): e.range
        case .aggregation(let e): e.range
        case .call(let e): e.range
        case .parentheses(let e): e.range
        }
    }

    /// The child expressions in the order of the text.
    package var children: [Expression] {
        switch self {
        case .number, .string, .selector, .matrix: []
        case .subquery(let e): [e.expression]
        case .unary(let e): [e.operand]
        case .binary(let e): [e.left, e.right]
        case .aggregation(let e): (e.parameter.map { [$0] } ?? []) + [e.expression]
        case .call(let e): e.arguments
        case .parentheses(let e): [e.expression]
        }
    }

    /// Passes the child expressions to `body`, which may change them.
    mutating func updateChildren(_ body: (inout Expression) -> Void) {
        switch self {
        case .number, .string, .selector, .matrix: break
        case .subquery(var e):
            body(&e.expression)
            self = .subquery(e)
        case .unary(var e):
            body(&e.operand)
            self = .unary(e)
        case .binary(var e):
            body(&e.left)
            body(&e.right)
            self = .binary(e)
        case .aggregation(var e):
            if var parameter = e.parameter {
                body(&parameter)
                e.parameter = parameter
            }
            body(&e.expression)
            self = .aggregation(e)
        case .call(var e):
            for i in e.arguments.indices { body(&e.arguments[i]) }
            self = .call(e)
        case .parentheses(var e):
            body(&e.expression)
            self = .parentheses(e)
        }
    }

    /// The number of expressions in it, with itself.
    package var nodeCount: Int { children.reduce(1) { $0 + $1.nodeCount } }

    /// Whether there are at most `most` nodes; visits at most one more.
    func hasNodes(atMost most: Int) -> Bool {
        if most == .max { return true }
        var left = most
        func count(_ expression: Expression) -> Bool {
            left -= 1
            return left >= 0 && expression.children.allSatisfy(count)
        }
        return count(self)
    }

    /// The type of the expression's value.
    package var type: ValueType {
        switch self {
        case .number: .scalar
        case .string: .string
        case .selector, .aggregation: .vector
        case .matrix, .subquery: .matrix
        case .unary(let e): e.operand.type
        case .binary(let e): e.isScalar ? .scalar : .vector
        case .call(let e): e.function.result
        case .parentheses(let e): e.expression.type
        }
    }
}
