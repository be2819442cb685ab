import GoCompatibility
import Model

/// `absent` and `absent_over_time`: 1 at each step where an argument has no series.
struct AbsentFunctions {
    let argument: Expression
    let context: EvaluationContext

    /// `absent`.
    func ofVector() throws -> [Column] {
        var isPresent = [Bool](repeating: false, count: context.grid.count)
        try Evaluator.stream(argument, context) { _, values, _ in
            for i in isPresent.indices where Column.isPresent(values[i]) { isPresent[i] = true }
        }
        return [column(isPresent)].filter { !$0.isEmpty }
    }

    /// `absent_over_time`: 1 where no series has a sample in the window.
    func ofRange() throws -> [Column] {
        let range = RangeVectorNode(argument)
        let plan = WindowPlan(function: .present, range: range, context)
        var isPresent = [Bool](repeating: false, count: context.grid.count)
        try range.series(context) { _, samples, _ in
            let table = WindowTable(samples, plan)
            context.count(samples, in: table, plan)
            for i in isPresent.indices where table.bounds[i].high > table.bounds[i].low { isPresent[i] = true }
        }
        return [column(isPresent)]
    }

    private func column(_ isPresent: [Bool]) -> Column {
        Column(labels: Self.labels(argument), values: isPresent.map { $0 ? Column.absent : 1 })
    }

    /// The labels of the result: those of the selector's `=` matchers, unless a label is named twice.
    private static func labels(_ expression: Expression) -> Labels {
        let matchers: [Matcher]
        switch expression {
        case .selector(let e): matchers = e.matchers
        case .matrix(let e): matchers = e.selector.matchers
        case .parentheses(let e): return labels(e.expression)
        default: return .empty
        }
        var count: [ExactText: Int] = [:]
        for matcher in matchers { count[ExactText(matcher.name), default: 0] += 1 }
        return Labels(
            matchers.filter {
                $0.name != Labels.nameLabel && $0.kind == .equal && !$0.value.isEmpty && count[ExactText($0.name)] == 1
            }.map { ($0.name, $0.value) })
    }
}
