import GoCompatibility
import Model

/// `sort`, `sort_desc`, `sort_by_label` and `sort_by_label_desc`.
struct SortFunctions {
    let call: Call
    let context: EvaluationContext
    let descends: Bool

    init(_ call: Call, _ context: EvaluationContext, descends: Bool) {
        self.call = call
        self.context = context
        self.descends = descends
    }

    /// `sort` and `sort_desc`.
    func byValue() throws -> [Column] {
        var columns = try Evaluator.columns(call.arguments[0], context)
        for i in columns.indices where !columns[i].histograms.isEmpty {
            // Histograms have no order.
            columns[i].histograms = []
            for k in columns[i].values.indices where Column.isHistogram(columns[i].values[k]) {
                columns[i].values[k] = Column.absent
            }
        }
        columns.removeAll { $0.isEmpty }
        guard sorts() else { return columns }
        columns.removeAll { !Column.isFloat($0.values[0]) }
        // NaN is last; equal values have the order in which Go's sort leaves them.
        GoSort.sort(&columns) { a, b in
            let (x, y) = (a.values[0], b.values[0])
            return y.isNaN || (descends ? x > y : x < y)
        }
        return columns
    }

    /// Whether sorting is useful: not over several steps, for which an annotation is made.
    private func sorts() -> Bool {
        let steps = context.grid.count
        if context.query.times.isInstant { return steps == 1 }
        if steps > 1, !call.arguments[0].isConstantInTime {
            context.annotations.warn(
                "sort is ineffective for range queries since results are always ordered by labels", at: call.range)
        }
        return false
    }

    /// `sort_by_label` and `sort_by_label_desc`.
    func byLabel() throws -> [Column] {
        let columns = try Evaluator.columns(call.arguments[0], context)
        guard sorts() else { return columns }
        var names: [String] = []
        for argument in call.arguments.dropFirst() { names.append(try Evaluator.string(argument)) }
        return try columns.sorted { a, b in
            try context.budget.check()
            for name in names {
                let order = NaturalOrder.compare(a.labels[name] ?? "", b.labels[name] ?? "")
                if order != 0 { return descends ? order > 0 : order < 0 }
            }
            return descends ? b.labels < a.labels : a.labels < b.labels
        }
    }
}

extension Expression {
    /// Whether all its selectors are fixed by `@`, so that each step has the same value.
    fileprivate var isConstantInTime: Bool {
        switch self {
        case .number, .string: true
        case .selector(let e): e.at != nil
        case .matrix(let e): e.selector.at != nil
        case .subquery(let e): e.at != nil
        case .unary(let e): e.operand.isConstantInTime
        case .binary(let e): e.left.isConstantInTime && e.right.isConstantInTime
        case .aggregation(let e): (e.parameter?.isConstantInTime ?? true) && e.expression.isConstantInTime
        case .call(let e):
            !e.function.traits.contains(.variesWithTime) && !e.isDateOfStep
                && e.arguments.allSatisfy(\.isConstantInTime)
        case .parentheses(let e): e.expression.isConstantInTime
        }
    }
}

extension Call {
    /// Whether it computes a part of the date of each step.
    fileprivate var isDateOfStep: Bool {
        if case .datePart = function.kernel { arguments.isEmpty } else { false }
    }
}
