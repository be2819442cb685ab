import Model

/// Finds the selectors of histograms whose empty buckets affect a query's result.
///
/// Nearly all operations on histograms remove empty buckets or ignore them. But a factor that is not finite makes them
/// NaN, and comparisons also compare layouts. Then the empty buckets in Prometheus's chunks matter, see
/// ``ChunkLayouts``.
extension Expression {
    /// Marks those selectors, and all selectors with the same text, so that equal parts of the query stay equal.
    mutating func markEmptyBuckets() {
        var shown: Set<ExactText> = []
        collectShown(isShown: false, &shown)
        if !shown.isEmpty { markSelectors(shown) }
    }

    private func collectShown(isShown: Bool, _ shown: inout Set<ExactText>) {
        switch self {
        case .selector(let e):
            if isShown { shown.insert(ExactText(e.plainText)) }
        case .matrix(let e):
            if isShown { shown.insert(ExactText(e.selector.plainText)) }
        case .binary(let e):
            let (left, right) = e.showsEmptyBuckets(inherited: isShown)
            e.left.collectShown(isShown: left, &shown)
            e.right.collectShown(isShown: right, &shown)
        default:
            let inner = passesEmptyBuckets(isShown)
            for child in children { child.collectShown(isShown: inner, &shown) }
        }
    }

    /// Whether the node shows the empty buckets of its operands, given whether its own are shown.
    private func passesEmptyBuckets(_ isShown: Bool) -> Bool {
        switch self {
        case .number, .string, .selector, .matrix, .binary: false
        case .subquery, .unary, .parentheses: isShown
        case .aggregation(let e): isShown && (e.op == .limitk || e.op == .limitRatio)
        case .call(let e):
            e.function.traits.contains(.seesEmptyBuckets)
                || (isShown && e.function.traits.contains(.passesEmptyBuckets))
        }
    }

    private mutating func markSelectors(_ shown: Set<ExactText>) {
        switch self {
        case .selector(var e):
            e.showsEmptyBuckets = shown.contains(ExactText(e.plainText))
            self = .selector(e)
        case .matrix(var e):
            e.selector.showsEmptyBuckets = shown.contains(ExactText(e.selector.plainText))
            self = .matrix(e)
        default: updateChildren { $0.markSelectors(shown) }
        }
    }

    /// Whether it is a finite number, with which an empty bucket does not become NaN.
    fileprivate var isFiniteNumber: Bool {
        switch self {
        case .number(let e): e.value.isFinite
        case .parentheses(let e): e.expression.isFiniteNumber
        case .unary(let e): e.operand.isFiniteNumber
        default: false
        }
    }
}

extension VectorSelector {
    fileprivate var plainText: String { Expression.selector(self).description }
}

extension Binary {
    fileprivate func showsEmptyBuckets(inherited: Bool) -> (left: Bool, right: Bool) {
        switch op {
        case .multiply: (!right.isFiniteNumber, !left.isFiniteNumber)
        case .divide: (!right.isFiniteNumber, false)
        case .equal, .notEqual:
            left.type == .vector && right.type == .vector ? (true, true) : (inherited, inherited)
        case .less, .lessOrEqual, .greater, .greaterOrEqual, .and, .or, .unless, .trimUpper, .trimLower:
            (inherited, inherited)
        case .add, .subtract, .modulo, .power, .atan2: (false, false)
        }
    }
}
