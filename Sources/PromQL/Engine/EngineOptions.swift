import Synchronization

/// The settings of an engine.
package struct EngineOptions: Sendable {
    /// The lookback of instant selectors, ms.
    package var lookbackDelta: Int64 = 300_000
    /// The most samples that a query may hold at once.
    package var maxSamples = 50_000_000
    /// The most bytes that a query may hold at once.
    package var maxMemoryPerQuery = Int.max
    /// The memory budget that all queries share; nil for no limit.
    package var memoryBudget: MemoryBudget?
    /// Whether the process can allocate the given number of bytes now; see ``MemoryAccount``.
    package var hasSpace: @Sendable (Int) -> Bool = { _ in true }
    /// The number of threads that work for all queries at once; no result depends on it.
    package var workers = 1
    /// The longest time of a query, ms.
    package var timeout: Int64 = 120_000
    /// The step of a subquery without a step, ms.
    package var defaultSubqueryStep: Int64 = 60_000
    /// The optional parts of the language.
    package var parser = ParserOptions()
    /// Whether the feature `promql-per-step-stats` is enabled.
    package var perStepStatistics = false
    /// Whether the feature `use-start-timestamps` is enabled.
    package var usesStartTimes = false
    /// Whether the feature `promql-delayed-name-removal` is enabled.
    package var delayedNameRemoval = false
    /// Whether the feature `type-and-unit-labels` is enabled: the label `__type__`, not the name, shows whether a
    /// metric is a counter.
    ///
    /// `__type__` and `__unit__` are removed together with the name, also without the feature.
    package var typeAndUnitLabels = false

    package init() {}
}

/// The limits and properties of one query, besides the engine's options.
package struct QueryLimits: Sendable {
    /// The lookback, ms; nil for the lookback of the engine.
    package var lookbackDelta: Int64?
    /// The longest time of the query, ms; it can only shorten the engine's.
    package var timeout: Int64?
    /// The check whether the query is cancelled, which is called at intervals; the query ends when it returns true.
    package var isCancelled: (@Sendable () -> Bool)?
    /// Whether it is the query of a rule, which may use the memory that is reserved for rules.
    package var isRule = false
    /// The bytes that the caller needs for each sample of the result, so that a query whose result cannot fit fails
    /// early.
    package var bytesPerSample = 0
    /// Whether the result contains an explanation of the query.
    package var explain = ExplainMode.none
    /// Whether samples are counted by step, if the engine's options allow it.
    package var countsPerStep = false
    /// The origin of the query.
    package var origin = QueryOrigin.other
    /// The seconds that the query has waited in the queue; they are a part of its time.
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

/// The kind of explanation in the result of a query.
package enum ExplainMode: String, Sendable {
    case none
    /// The query is planned, but not run.
    case plan
    /// The query is run, and the explanation has the figures of each node.
    case analyze
}

/// The reason why a query has no result.
package enum QueryError: Error, Sendable, CustomStringConvertible {
    /// The text is not valid PromQL, or not allowed for this kind of query.
    case parse(String)
    /// The query cannot be evaluated.
    case execution(String)
    /// The query has reached its timeout.
    case timeout(String)
    /// The query was cancelled, for example because the client has disconnected.
    case canceled(String)
    /// The storage failed.
    case storage(String)

    package var description: String {
        switch self {
        case .parse(let text), .execution(let text), .timeout(let text), .canceled(let text), .storage(let text): text
        }
    }
}
