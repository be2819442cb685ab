import Model

/// The context in which a node is evaluated: its query, the steps, its position in the trace, and the memory for its
/// series.
struct EvaluationContext {
    /// The state that all nodes of the query share.
    let query: QueryExecution
    /// The steps at which nodes are evaluated: the steps of the query or of a subquery.
    private(set) var grid: StepGrid
    /// The position of the node in the query's trace.
    private(set) var trace: NodeTrace
    /// The bytes that will be held for each selected series; 0 if not every series is held.
    private(set) var bytesPerSeries = 0
    /// The bytes that the caller needs for each sample of the query's result; 0 for nodes that do not make the result.
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

    /// The same context with other steps.
    func over(_ grid: StepGrid) -> EvaluationContext {
        var context = self
        context.grid = grid
        return context
    }

    /// The same context for nodes whose series are held.
    ///
    /// - Parameter bytesPerSeries: The bytes that are held for each series; 0 if not every series is held.
    func holding(bytesPerSeries: Int) -> EvaluationContext {
        var context = self
        context.bytesPerSeries = bytesPerSeries
        return context
    }

    /// The same context for the operands of the node that makes the query's result.
    var belowResult: EvaluationContext {
        var context = self
        context.bytesPerResultSample = 0
        return context
    }

    // MARK: Tracing

    /// Evaluates a node, and records it in the trace if there is one.
    ///
    /// Only this function enters nodes.
    ///
    /// - Parameter range: The range of the node in the query.
    func traced<R>(_ range: TextRange, _ evaluate: (EvaluationContext) throws -> R) rethrows -> R {
        guard trace.isRecording else { return try evaluate(self) }
        var context = self
        context.trace = trace.enter(range)
        defer { context.trace.leave() }
        return try evaluate(context)
    }

    // MARK: Series

    /// Selects the series of a request; throws if the memory for them would be far above the limit.
    ///
    /// Then the query ends before any sample is read. A quarter more than the limit is allowed, because some series may
    /// have no values.
    func select(_ request: SelectRequest) throws -> any SeriesSet {
        let series = try query.select(request)
        let (bytes, overflow) = series.count.multipliedReportingOverflow(by: bytesPerSeries)
        try budget.memory.probe(overflow ? .max : bytes &- bytes / 5)
        return series
    }

    /// A copy of a series without name, type and unit; with delayed name removal, they are removed at the end of the
    /// query.
    func nameless(_ metric: Metric) -> Metric {
        query.options.delayedNameRemoval ? Metric(metric.labels, dropsName: true) : metric.withoutMetadata
    }

    /// Counts the samples of a series at one step.
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
