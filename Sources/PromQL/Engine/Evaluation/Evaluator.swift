import GoCompatibility
import Model

/// A receiver of series: labels, a value per step, histograms (empty or one entry per step).
typealias SeriesSink = (Metric, UnsafeBufferPointer<Double>, [HistogramBox?]) throws -> Void

/// Evaluates a prepared expression per series, over all steps at once, and passes each node to the type that computes
/// it.
///
/// A node that can produce its series one at a time streams them (``stream(_:_:_:)``), so that an aggregation holds
/// groups × steps and not series × steps. All other nodes make a whole vector (``columns(_:_:)``).
enum Evaluator {
    // MARK: Strings and scalars

    /// The bytes of a string literal that is not valid UTF-8; nil for all other expressions.
    static func invalidBytes(_ expression: Expression) -> [UInt8]? {
        switch expression {
        case .string(let e): e.invalidBytes
        case .parentheses(let e): invalidBytes(e.expression)
        default: nil
        }
    }

    static func string(_ expression: Expression) throws -> String {
        if let bytes = invalidBytes(expression) {
            throw QueryError.execution("string argument \(GoQuote.quote(bytes: bytes)) is no UTF-8")
        }
        switch expression {
        case .string(let e): return e.value
        case .parentheses(let e): return try string(e.expression)
        default: throw QueryError.execution("not a string: \(expression.type.rawValue)")
        }
    }

    /// The values of a scalar expression, one per step.
    static func scalar(_ expression: Expression, _ context: EvaluationContext) throws -> [Double] {
        try context.traced(expression.range) { context in
            context.trace.made(series: 0, points: context.grid.count)
            return try values(expression, context)
        }
    }

    private static func values(_ expression: Expression, _ context: EvaluationContext) throws -> [Double] {
        switch expression {
        case .number(let e): return [Double](repeating: e.value, count: context.grid.count)
        case .parentheses(let e): return try scalar(e.expression, context)
        case .unary(let e):
            let values = try scalar(e.operand, context)
            return e.isNegative ? values.map { -$0 } : values
        case .binary(let e): return try BinaryNode(binary: e).scalar(context)
        case .call(let e):
            guard case .scalar(let kernel) = e.function.kernel else {
                throw QueryError.execution("\(e.function.name) is no scalar")
            }
            return try kernel(e, context)
        default: throw QueryError.execution("not a scalar: \(expression.type.rawValue)")
        }
    }

    // MARK: Whole vectors

    /// All series with their values over the steps.
    ///
    /// They stay charged; all other memory for the evaluation is released.
    static func columns(_ expression: Expression, _ context: EvaluationContext) throws -> [Column] {
        let mark = context.budget.mark()
        do {
            let columns = try context.traced(expression.range) { context in
                let columns = try sharedColumns(expression, context)
                context.trace.made(series: columns.count, points: columns.count * context.grid.count)
                return columns
            }
            context.budget.settle(mark, result: columns, steps: context.grid.count)
            return columns
        } catch let excess as MemoryLimitExceeded {
            throw QueryError.execution(
                MemoryLimitText.message(excess, at: expression.range, in: context.query.text))
        }
    }

    /// The value of an expression; a part that occurs several times is evaluated once.
    private static func sharedColumns(_ expression: Expression, _ context: EvaluationContext) throws -> [Column] {
        guard let shared = context.query.shared(at: expression.range) else { return try made(expression, context) }
        return try shared.results.columns(shared.part, at: expression.range, context) { try made(expression, context) }
    }

    private static func made(_ expression: Expression, _ context: EvaluationContext) throws -> [Column] {
        switch expression {
        case .parentheses(let e): return try columns(e.expression, context)
        case .aggregation(let e): return try AggregationNode(aggregation: e).columns(context.belowResult)
        case .binary(let e) where e.op.isSetOperator: return try SetOperationNode(e).columns(context.belowResult)
        case .binary(let e) where e.joinsVectors: return try JoinNode(binary: e).columns(context.belowResult)
        case .call(let e):
            if case .whole(let kernel) = e.function.kernel { return try kernel(e, context.belowResult) }
        default: break
        }
        return try collected(expression, context)
    }

    /// Collects the series of an expression that streams them.
    private static func collected(_ expression: Expression, _ context: EvaluationContext) throws -> [Column] {
        let steps = context.grid.count
        let bytesPerSeries =
            expression.keepsEverySeries
            ? steps &* (8 &+ context.bytesPerResultSample) &+ QueryBudget.columnOverhead : 0
        let budget = context.budget
        var columns: [Column] = []
        try dispatch(expression, context.belowResult.holding(bytesPerSeries: bytesPerSeries)) {
            metric, values, histograms in
            guard values.contains(where: Column.isPresent) else { return }
            try budget.reserve(
                steps &+ QueryBudget.extraSamples(of: histograms),
                bytes: steps &* 8 &+ QueryBudget.columnOverhead &+ QueryBudget.bytes(of: histograms))
            columns.append(
                Column(
                    labels: metric.labels, values: Array(values), histograms: histograms, dropsName: metric.dropsName))
        }
        return expression.dropsName ? try Column.merged(columns, budget) : columns
    }

    // MARK: Streams

    /// Passes each series to `sink`, in order; the values are only valid during the call.
    static func stream(_ expression: Expression, _ context: EvaluationContext, _ sink: SeriesSink) throws {
        guard context.trace.isRecording else { return try checkedStream(expression, context, sink) }
        try context.traced(expression.range) { context in
            try checkedStream(expression, context) { metric, values, histograms in
                context.trace.made(points: context.grid.count)
                try context.trace.outside { try sink(metric, values, histograms) }
            }
        }
    }

    /// Passes each series of a nested expression to `sink`, and throws if two have equal labels and samples at the same
    /// step.
    ///
    /// Expressions that make a whole vector check their labels themselves, and so do functions of ranges.
    private static func checkedStream(
        _ expression: Expression, _ context: EvaluationContext, _ sink: SeriesSink
    ) throws {
        guard expression.mayRepeatLabels(context.query.options) else {
            return try dispatch(expression, context, sink)
        }
        let budget = context.budget
        var seen = SeenLabels(steps: context.grid.count)
        try dispatch(expression, context) { metric, values, histograms in
            try seen.add(metric.labels, values, budget)
            try sink(metric, values, histograms)
        }
    }

    /// Passes a node to the type that computes it.
    private static func dispatch(
        _ expression: Expression, _ context: EvaluationContext, _ sink: SeriesSink
    ) throws {
        switch expression {
        case .parentheses(let e): try stream(e.expression, context, sink)
        case .selector(let e): try SelectorNode(selector: e).stream(context, sink)
        case .unary(let e):
            guard e.isNegative else { return try stream(e.operand, context, sink) }
            try ElementwiseNode(operand: e.operand, histogram: { $0.multiply(by: -1) }).stream(context, sink) {
                value, _ in -value
            }
        case .binary(let e) where e.scalesVector: try BinaryNode(binary: e).stream(context, sink)
        case .call(let e): try CallNode(call: e).stream(context, sink)
        default: try streamColumns(expression, context, sink)
        }
    }

    /// Streams the series of an expression that makes a whole vector.
    static func streamColumns(_ expression: Expression, _ context: EvaluationContext, _ sink: SeriesSink) throws {
        let (budget, steps) = (context.budget, context.grid.count)
        let mark = budget.mark()
        let columns = try sharedColumns(expression, context)
        budget.settle(mark, result: columns, steps: steps)
        defer { budget.release(columns, steps: steps) }
        for column in columns {
            try column.values.withUnsafeBufferPointer {
                try sink(Metric(column.labels, dropsName: column.dropsName), $0, column.histograms)
            }
        }
    }
}

extension Expression {
    /// Whether the expression makes one series from each selected series, as far as this is known before the
    /// evaluation.
    fileprivate var keepsEverySeries: Bool {
        switch self {
        case .parentheses(let e): e.expression.keepsEverySeries
        case .selector: true
        case .unary(let e): e.operand.keepsEverySeries
        case .binary(let e):
            (!e.op.isComparison || e.returnsBool) && !e.op.isSetOperator
                && (e.left.type == .scalar || e.right.type == .scalar)
                && (e.left.type == .scalar ? e.right : e.left).keepsEverySeries
        case .call(let e):
            e.isRangeFunction && e.arguments.contains { if case .matrix = $0 { true } else { false } }
        default: false
        }
    }
}

extension Call {
    /// Whether it is a function of range vectors that works series by series.
    var isRangeFunction: Bool { if case .range = function.kernel { true } else { false } }
}
