import Model

/// Label sets that become equal because the names of metrics are removed.
extension Expression {
    /// Whether its series lose their names, so that label sets can become equal.
    var dropsName: Bool {
        switch self {
        case .parentheses(let e): e.expression.dropsName
        case .unary(let e): e.isNegative || e.operand.dropsName
        case .binary(let e) where e.op.isComparison && !e.returnsBool:
            e.left.type == .scalar ? e.right.dropsName : e.right.type == .scalar && e.left.dropsName
        case .binary, .call: true
        case .aggregation(let e): e.dropsName
        default: false
        }
    }

    /// Whether two of the series that it streams may have equal labels because their names were removed.
    func mayRepeatLabels(_ options: EngineOptions) -> Bool {
        guard !options.delayedNameRemoval, let operand = operandThatLosesNames else { return false }
        return operand.mayDifferInName(options)
    }

    /// The operand whose names a streamed expression removes; nil if it removes none.
    private var operandThatLosesNames: Expression? {
        switch self {
        case .parentheses(let e): return e.expression.operandThatLosesNames
        case .unary(let e): return e.isNegative ? e.operand : e.operand.operandThatLosesNames
        case .binary(let e):
            guard e.scalesVector, !e.op.isComparison || e.returnsBool else { return nil }
            return e.left.type == .scalar ? e.right : e.left
        case .call(let e):
            switch e.function.kernel {
            case .number, .datePart, .histogram, .stream: return e.arguments.first { $0.type == .vector }
            case .range, .whole, .scalar, .parameter: return nil
            }
        default: return nil
        }
    }

    /// Whether two of its series may differ only in labels that are removed with the name.
    private func mayDifferInName(_ options: EngineOptions) -> Bool {
        if options.typeAndUnitLabels { return true }
        switch self {
        case .parentheses(let e): return e.expression.mayDifferInName(options)
        case .selector(let e): return !e.hasOneName
        case .aggregation(let e):
            return e.op.keepsSeries
                ? e.expression.mayDifferInName(options) : !e.isWithout && e.grouping.contains(Labels.nameLabel)
        case .call(let e):
            guard case .range = e.function.kernel else { return operandThatLosesNames == nil }
            guard e.function.traits.contains(.keepsName) else { return false }
            return e.arguments.contains { argument in
                if let matrix = argument.plainMatrix { return !matrix.selector.hasOneName }
                return argument.type == .matrix
            }
        case .binary(let e) where e.op.isComparison && !e.returnsBool && e.left.type != e.right.type:
            return (e.left.type == .scalar ? e.right : e.left).mayDifferInName(options)
        default: return operandThatLosesNames == nil
        }
    }
}

extension Aggregation {
    /// Whether its series lose their names, so that label sets can become equal.
    var dropsName: Bool { op.keepsSeries && expression.dropsName }
}

extension VectorSelector {
    /// Whether all series that it selects have the same name.
    fileprivate var hasOneName: Bool {
        !name.isEmpty || matchers.contains { $0.kind == .equal && $0.name == Labels.nameLabel }
    }
}

extension AggregationOperator {
    /// Whether it selects series, which keep their labels.
    fileprivate var keepsSeries: Bool {
        switch self {
        case .topk, .bottomk, .limitk, .limitRatio: true
        default: false
        }
    }
}

extension QueryError {
    /// The error that two series of a vector have equal labels.
    static var repeatedLabels: QueryError { .execution("vector cannot contain metrics with the same labelset") }
}

extension Column {
    /// Merges series with equal labels; throws if two of them have samples at the same step.
    static func merged(_ columns: [Column], _ budget: QueryBudget) throws -> [Column] {
        var index: [Labels: Int] = [:]
        index.reserveCapacity(columns.count)
        var merged: [Column] = []
        for column in columns {
            try budget.check()
            guard let at = index[column.labels] else {
                index[column.labels] = merged.count
                merged.append(column)
                continue
            }
            for i in column.values.indices where isPresent(column.values[i]) {
                guard !isPresent(merged[at].values[i]) else { throw QueryError.repeatedLabels }
                merged[at].values[i] = column.values[i]
                if !column.histograms.isEmpty {
                    if merged[at].histograms.isEmpty {
                        merged[at].histograms = [HistogramBox?](repeating: nil, count: column.values.count)
                    }
                    merged[at].histograms[i] = column.histograms[i]
                }
            }
        }
        return merged
    }

    /// The columns without the names that are removed at the end of the query.
    static func withoutMarkedNames(_ columns: [Column], _ budget: QueryBudget) throws -> [Column] {
        guard columns.contains(where: \.dropsName) else { return columns }
        var cleaned = columns
        for i in cleaned.indices where cleaned[i].dropsName { cleaned[i].labels = cleaned[i].labels.withoutMetadata }
        return try merged(cleaned, budget)
    }
}
