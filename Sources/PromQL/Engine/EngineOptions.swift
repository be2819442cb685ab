import Synchronization

/// Settings of an engine.
package struct EngineOptions: Sendable {
    /// How far an instant selector looks back, ms.
    package var lookbackDelta: Int64 = 300_000
    /// Most samples that a query may hold at once.
    package var maxSamples = 50_000_000
    /// Most bytes that a query may hold at once.
    package var maxMemoryPerQuery = Int.max
    /// What all queries share; nil for no bound.
    package var memoryBudget: MemoryBudget?
    /// Whether the process can allocate so many bytes now; see ``MemoryAccount``.
    package var hasSpace: @Sendable (Int) -> Bool = { _ in true }
    /// Threads that work for all queries at once; what a query answers does not depend on it.
    package var workers = 1
    /// Longest time of a query, ms.
    package var timeout: Int64 = 120_000
    /// Step of a subquery that names none, ms.
    package var defaultSubqueryStep: Int64 = 60_000
    /// Optional parts of the language.
    package var parser = ParserOptions()
    /// `promql-per-step-stats`.
    package var perStepStatistics = false
    /// `use-start-timestamps`.
    package var usesStartTimes = false
    /// `promql-delayed-name-removal`.
    package var delayedNameRemoval = false
    /// `type-and-unit-labels`: the label `__type__`, not the name, says whether a metric is a counter.
    ///
    /// Without it, too, `__type__` and `__unit__` go wherever the name goes.
    package var typeAndUnitLabels = false

    package init() {}
}

/// What one query may do, besides the engine's options.
package struct QueryLimits: Sendable {
    /// ms; nil for the engine's.
    package var lookbackDelta: Int64?
    /// ms; only shortens the engine's.
    package var timeout: Int64?
    /// Called now and then: true ends the query.
    package var isCancelled: (@Sendable () -> Bool)?
    /// A rule's query, which may use the memory that is kept for rules.
    package var isRule = false
    /// Bytes that the caller makes of each sample of the result, to refuse early what cannot fit.
    package var bytesPerSample = 0
    /// Whether the query explains itself.
    package var explain = ExplainMode.none
    /// Counts samples by step, if the engine may.
    package var countsPerStep = false
    /// Who sent the query.
    package var origin = QueryOrigin.other
    /// Seconds that the query has waited in line; they count as part of its time.
    package var queueTime = 0.0

    package init(
        lookbackDelta: Int64? = nil, timeout: Int64? = nil, isCancelled: (@Sendable () -> Bool)? = nil,
        isRule: Bool = false, explain: ExplainMode = .none, origin: QueryOrigin = .other
    ) {
        self.lookbackDelta = lookbackDelta
        self.timeout = timeout
        self.isCancelled = isCancelled
        self.isRule = isRule
        self.explain = explain
        self.origin = origin
    }
}

/// Whether a query explains itself.
package enum ExplainMode: String, Sendable {
    case none
    /// It is planned and not run.
    case plan
    /// It is run, and each node says what it did.
    case analyze
}

/// Why a query has no answer.
package enum QueryError: Error, Sendable, CustomStringConvertible {
    /// The text is no PromQL, or not for this kind of query.
    case parse(String)
    /// It cannot be evaluated.
    case execution(String)
    case timeout(String)
    case canceled(String)
    /// The storage failed.
    case storage(String)

    package var description: String {
        switch self {
        case .parse(let text), .execution(let text), .timeout(let text), .canceled(let text), .storage(let text): text
        }
    }
}
