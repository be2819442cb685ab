import Model
import Platform

/// The execution of one query, with the state that all of its nodes share.
final class QueryExecution {
    let source: any SeriesSource
    let options: EngineOptions
    let times: QueryTimes
    let text: String
    let plan: QueryPlan
    let budget: QueryBudget
    let workers: Workers
    /// The position of the query's own thread in the trace with `explain=analyze`; nil for all other queries.
    let trace: TraceCursor?
    let annotations = Annotations()
    /// The regular expressions that the evaluation compiles; they are kept until the query ends.
    let regexes: SyntaxBudget
    private let bytesPerResultSample: Int
    private let sharedResults: SharedResults?
    /// The selected series by request, if the query has equal selectors.
    private var selected: [SelectRequestKey: any SeriesSet] = [:]

    init(
        _ request: QueryRequest, _ plan: QueryPlan, options: EngineOptions, budget: QueryBudget, workers: Workers,
        trace: TraceCursor?
    ) {
        source = request.source
        self.options = options
        times = request.times
        text = request.text
        bytesPerResultSample = request.limits.bytesPerSample
        self.plan = plan
        self.budget = budget
        regexes = SyntaxBudget(
            charge: {
                try budget.memory.charge($0)
                budget.retain(charged: $0)
            }, check: { try budget.checkNow() })
        self.workers = workers
        self.trace = trace
        sharedResults = plan.shared.isEmpty ? nil : SharedResults(plan)
    }

    /// The value of the whole query.
    func value() throws -> QueryValue {
        let expression = plan.expression
        let context = EvaluationContext(self, bytesPerResultSample: bytesPerResultSample)
        switch expression.type {
        case .matrix: return .ranges(try RangeVectorNode(expression).result(context))
        case .string: return .string(try Evaluator.string(expression))
        case .scalar:
            // Numbers are held at every step, as samples are.
            try budget.probe(times.grid.count)
            let values = try Evaluator.scalar(expression, context)
            return times.isInstant ? .scalar(values[0]) : .matrix([Column(labels: .empty, values: values)])
        case .vector, .none:
            var columns = try Evaluator.columns(expression, context)
            if options.delayedNameRemoval { columns = try Column.withoutMarkedNames(columns, budget) }
            if times.isInstant { return .vector(columns.filter { Column.isPresent($0.values[0]) }) }
            columns.removeAll { $0.isEmpty }
            columns.sort { $0.labels < $1.labels }
            return .matrix(columns)
        }
    }

    /// The results of all parts that occur several times, and the index of the part at `range`; nil if it occurs only
    /// once.
    func shared(at range: TextRange) -> (results: SharedResults, part: Int)? {
        guard let sharedResults, let part = plan.sharedAt[range] else { return nil }
        return (sharedResults, part)
    }

    /// The series of a request; equal requests of the query ask the source only once.
    func select(_ request: SelectRequest) throws -> any SeriesSet {
        let key = plan.repeatsSelectors ? SelectRequestKey(request) : nil
        if let key, let known = selected[key] { return known }
        var request = limited(request)
        let reservation = SeriesSetReservation(budget.memory)
        request.charge = { try reservation.charge($0) }
        let series = try source.select(request)
        try reservation.settle(series.heldBytes)
        if let key {
            budget.retain(charged: series.heldBytes)
            selected[key] = series
        }
        return series
    }

    /// The request with the limits of the query, and with a receiver of the source's warnings.
    func limited(_ request: SelectRequest) -> SelectRequest {
        var request = request
        request.check = { [budget] in try budget.checkNow() }
        request.warn = { [warnings = budget.sourceWarnings] in warnings.add($0) }
        return request
    }
}

/// The properties in which equal requests agree.
private struct SelectRequestKey: Hashable {
    private let matchers: [Matcher]
    private let times: ClosedRange<Int64>
    private let newestOnly: Bool

    init(_ request: SelectRequest) {
        matchers = request.matchers
        times = min(request.minTime, request.maxTime)...request.maxTime
        newestOnly = request.newestOnly
    }
}
