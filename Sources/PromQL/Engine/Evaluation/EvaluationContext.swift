import Model

/// What the evaluation of a node depends on besides the node: its query, the steps, its place in the trace, and what
/// becomes of its series.
struct EvaluationContext {
    /// What all nodes of the query share.
    let query: QueryExecution
    /// The steps at which nodes are evaluated: those of the query, or those of a subquery.
    private(set) var grid: StepGrid
    /// The place of the node in the query's trace.
    private(set) var trace: NodeTrace
    /// Bytes that will be held of each series that is selected; 0 where not every series is held.
    private(set) var bytesPerSeries = 0
    /// Bytes that the caller will make of each sample of the query's result; 0 for what is not yet the result.
    private(set) var bytesPerResultSample: Int

    /// The context of the whole query.
    init(_ query: QueryExecution, bytesPerResultSample: Int = 0) {
        self.query = query
        grid = query.times.grid
        trace = NodeTrace(query.trace)
        self.bytesPerResultSample = bytesPerResultSample
    }

    var options: EngineOptions { query.options }
    var budget: QueryBudget { query.budget }
    var annotations: Annotations { query.annotations }

    /// The same over other steps.
    func over(_ grid: StepGrid) -> EvaluationContext {
        var context = self
        context.grid = grid
        return context
    }

    /// The same for nodes whose series are held.
    ///
    /// - Parameter bytesPerSeries: What is held of each; 0 where not every series is.
    func holding(bytesPerSeries: Int) -> EvaluationContext {
        var context = self
        context.bytesPerSeries = bytesPerSeries
        return context
    }

    /// The same for the parts of the node that makes the query's result.
    var belowResult: EvaluationContext {
        var context = self
        context.bytesPerResultSample = 0
        return context
    }

    // MARK: Tracing

    /// Evaluates a node within its place in the trace; without a trace it only evaluates.
    ///
    /// No other code enters nodes.
    ///
    /// - Parameter range: The node's place in the query.
    func traced<R>(_ range: TextRange, _ evaluate: (EvaluationContext) throws -> R) rethrows -> R {
        guard trace.isRecording else { return try evaluate(self) }
        var context = self
        context.trace = trace.enter(range)
        defer { context.trace.leave() }
        return try evaluate(context)
    }

    // MARK: Series

    /// The series of a request, unless what will be held of them is far beyond the budget.
    ///
    /// The query then ends before anything is read. A quarter more is let pass: some series may have nothing to show.
    func select(_ request: SelectRequest) throws -> any SeriesSet {
        let series = try query.select(request)
        let (bytes, overflow) = series.count.multipliedReportingOverflow(by: bytesPerSeries)
        try budget.memory.probe(overflow ? .max : bytes &- bytes / 5)
        return series
    }

    /// A series whose name, type and unit go: at once, or with delayed name removal when the query is done.
    func nameless(_ metric: Metric) -> Metric {
        query.options.delayedNameRemoval ? Metric(metric.labels, dropsName: true) : metric.withoutMetadata
    }

    /// Counts samples that a series has at one step.
    func count(_ samples: SampleCount, at step: Int) {
        budget.count(samples)
        budget.perStep?.add(samples, at: step, of: grid)
    }

    /// Counts the samples in the windows of a series.
    func count(_ samples: borrowing SampleColumns, in table: WindowTable, _ plan: WindowPlan) {
        budget.count(table.counted)
        budget.perStep?.add(samples, plan)
    }
}
