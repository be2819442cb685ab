import Model

/// Label sets that become equal because the names of metrics go.
extension Evaluator {
    /// What a label set takes in a set of them besides its bytes.
    static var bytesPerSeenSeries: Int { 64 }

    /// Whether an expression's series lose their names, so that equal label sets can come about.
    func dropsName(_ expression: Expression) -> Bool {
        switch expression {
        case .parentheses(let e): dropsName(e.expression)
        case .unary(let e): e.isNegative || dropsName(e.operand)
        case .binary(let e) where e.op.isComparison && !e.returnsBool:
            e.left.type == .scalar ? dropsName(e.right) : e.right.type == .scalar && dropsName(e.left)
        case .binary, .call: true
        case .aggregation(let e): e.op.keepsSeries && dropsName(e.expression)
        default: false
        }
    }

    /// Gives each series of a nested expression to `sink`, and makes sure that no two have equal labels at a step.
    ///
    /// An expression that makes a whole vector looks at its labels itself, and so do functions of ranges.
    func streamChecked(_ expression: Expression, _ grid: StepGrid, _ sink: Sink) throws {
        guard !options.delayedNameRemoval, let operand = operandThatLosesNames(expression), mayDifferInName(operand)
        else {
            return try untracedStream(expression, grid, sink)
        }
        var seen = SeenLabels(steps: grid.count)
        try untracedStream(expression, grid) { metric, values, histograms in
            try seen.add(metric.labels, values, budget)
            try sink(metric, values, histograms)
        }
    }

    /// The vector whose names a streamed expression drops; nil if it drops none.
    private func operandThatLosesNames(_ expression: Expression) -> Expression? {
        switch expression {
        case .parentheses(let e): return operandThatLosesNames(e.expression)
        case .unary(let e): return e.isNegative ? e.operand : operandThatLosesNames(e.operand)
        case .binary(let e):
            guard (e.left.type == .scalar) != (e.right.type == .scalar), !e.op.isComparison || e.returnsBool else {
                return nil
            }
            return e.left.type == .scalar ? e.right : e.left
        case .call(let e):
            switch e.function.kernel {
            case .number, .datePart, .histogram, .stream: return e.arguments.first { $0.type == .vector }
            case .range, .whole, .scalar, .parameter: return nil
            }
        default: return nil
        }
    }

    /// Whether two series of an expression may differ in nothing but what goes with the name.
    private func mayDifferInName(_ expression: Expression) -> Bool {
        if options.typeAndUnitLabels { return true }
        switch expression {
        case .parentheses(let e): return mayDifferInName(e.expression)
        case .selector(let e): return !e.hasOneName
        case .aggregation(let e):
            return e.op.keepsSeries
                ? mayDifferInName(e.expression) : !e.isWithout && e.grouping.contains(Labels.nameLabel)
        case .call(let e):
            guard case .range = e.function.kernel else { return operandThatLosesNames(expression) == nil }
            guard e.function.traits.contains(.keepsName) else { return false }
            return e.arguments.contains { argument in
                if let matrix = Self.plainMatrix(argument) { return !matrix.selector.hasOneName }
                return argument.type == .matrix
            }
        case .binary(let e) where e.op.isComparison && !e.returnsBool && e.left.type != e.right.type:
            return mayDifferInName(e.left.type == .scalar ? e.right : e.left)
        default: return operandThatLosesNames(expression) == nil
        }
    }
}

extension VectorSelector {
    /// Whether all series that it finds have the same name.
    fileprivate var hasOneName: Bool {
        !name.isEmpty || matchers.contains { $0.kind == .equal && $0.name == Labels.nameLabel }
    }
}

extension AggregationOperator {
    /// Whether it chooses series, which keep their labels.
    fileprivate var keepsSeries: Bool {
        switch self {
        case .topk, .bottomk, .limitk, .limitRatio: true
        default: false
        }
    }
}

/// Label sets without names, and the steps at which each has a sample.
private struct SeenLabels {
    private let steps: Int
    private var positions: [Labels: Int] = [:]
    /// One bit per step, the words of one label set after those of another.
    private var present: [UInt64] = []

    private var words: Int { (steps &+ 63) / 64 }

    init(steps: Int) { self.steps = steps }

    /// Notes a series; an error if one of equal labels has a sample at one of its steps.
    mutating func add(
        _ labels: Labels, _ values: UnsafeBufferPointer<Double>, _ budget: QueryBudget
    ) throws {
        let known = positions[labels]
        let position = known ?? present.count
        if known == nil {
            try budget.memory.charge(labels.bytes.count &+ Evaluator.bytesPerSeenSeries &+ words &* 8)
            positions[labels] = position
            present.append(contentsOf: repeatElement(0, count: words))
        }
        for i in 0..<steps where Column.isPresent(values[i]) {
            let (word, bit) = (position &+ i / 64, UInt64(1) << UInt64(i % 64))
            guard known == nil || present[word] & bit == 0 else {
                throw QueryError.execution("vector cannot contain metrics with the same labelset")
            }
            present[word] |= bit
        }
    }
}
