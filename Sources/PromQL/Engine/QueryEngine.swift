import Glibc
import Model
import Platform
import Synchronization

/// Evaluates PromQL over any source of series.
///
/// Any thread may call it. A query runs on its caller's thread, which needs ``PromQLParser/stackSize`` bytes of stack,
/// and on query workers if there is much to read.
package final class QueryEngine: Sendable {
    private let settings: Mutex<EngineOptions>
    private let observer: (any QueryObserver)?

    /// The query workers of all queries.
    package let workers: Workers

    /// - Parameter observer: Is notified of the start and the end of every query.
    package init(options: EngineOptions, observer: (any QueryObserver)? = nil) {
        settings = Mutex(options)
        workers = .queries(limit: options.workers)
        self.observer = observer
    }

    package var options: EngineOptions { settings.withLock { $0 } }

    /// Sets the step of subqueries without a step, ms; it is the configuration's `evaluation_interval`.
    package func setDefaultSubqueryStep(_ milliseconds: Int64) {
        settings.withLock { $0.defaultSubqueryStep = max(1, milliseconds) }
    }

    /// A memory account for work on series outside of a query, for example for an answer that lists them.
    package func account() -> MemoryAccount {
        let options = options
        return MemoryAccount(limit: options.maxMemoryPerQuery, budget: options.memoryBudget, hasSpace: options.hasSpace)
    }

    /// Parses an expression with the optional syntax that the engine's options enable.
    package func parse(_ query: String) throws(QueryError) -> Expression { try parse(query) { $0 } }

    /// Parses an expression, and calls `body` with it on a stack that is large enough to walk it.
    ///
    /// - Parameter budget: The limits of the request with this text.
    package func parse<R>(
        _ query: String, budget: SyntaxBudget = SyntaxBudget(), _ body: (Expression) -> R
    ) throws(QueryError) -> R {
        do throws(ParseError) {
            return try PromQLParser.parse(query, options: options.parser, budget: budget, body)
        } catch {
            throw budget.queryError ?? .parse("\(error)")
        }
    }

    /// The limits of the texts of a request that is no query; `check` throws if it must end.
    package func syntaxBudget(check: @escaping () throws -> Void) -> SyntaxBudget {
        let memory = account()
        return SyntaxBudget(account: memory, charge: { try memory.charge($0) }, check: check)
    }

    /// The limits of the text of a query that began at the given time, ns.
    private func syntaxBudget(_ limits: QueryLimits, began: Int64) -> SyntaxBudget {
        let options = options(for: limits)
        let budget = QueryBudget(
            deadline: Self.deadline(began, options.timeout), maxSamples: options.maxSamples,
            isCancelled: limits.isCancelled, memory: account(limits, options))
        return SyntaxBudget(
            account: budget.memory, charge: { try budget.memory.charge($0) }, check: { try budget.checkNow() })
    }

    private func account(_ limits: QueryLimits, _ options: EngineOptions) -> MemoryAccount {
        MemoryAccount(
            limit: options.maxMemoryPerQuery, budget: options.memoryBudget, isRule: limits.isRule,
            hasSpace: options.hasSpace)
    }

    /// Evaluates a query at one time, ms.
    package func instant(
        _ query: String, source: any SeriesSource, at time: Int64, limits: QueryLimits = QueryLimits()
    ) throws(QueryError) -> QueryResult {
        let began = Self.nanoseconds()
        // The text is charged until the query ends.
        let budget = syntaxBudget(limits, began: began)
        defer { withExtendedLifetime(budget) {} }
        let expression = try parse(query, budget: budget) { $0 }
        return try instant(expression, text: query, source: source, at: time, limits: limits, began: began)
    }

    /// Evaluates a parsed expression at one time, ms; `text` is the query for annotations, errors and the observer.
    ///
    /// - Parameter began: The time when the query began, ns; nil for now.
    package func instant(
        _ expression: Expression, text: String, source: any SeriesSource, at time: Int64,
        limits: QueryLimits = QueryLimits(), began: Int64? = nil
    ) throws(QueryError) -> QueryResult {
        guard Self.times.contains(time) else { throw .execution("the time of the query is out of bounds") }
        return try run(
            QueryRequest(
                expression: expression, text: text, source: source, times: QueryTimes(at: time), limits: limits,
                began: began))
    }

    /// Evaluates a query at `start`, `start + step`, … up to `end`; all in ms.
    ///
    /// - Throws: ``QueryError/parse(_:)`` if the query is neither a vector nor a scalar, or if the times are not in
    ///   order; ``QueryError/execution(_:)`` if they are out of ``times`` or make too many steps; or an error of the
    ///   evaluation.
    package func range(
        _ query: String, source: any SeriesSource, start: Int64, end: Int64, step: Int64,
        limits: QueryLimits = QueryLimits()
    ) throws(QueryError) -> QueryResult {
        let began = Self.nanoseconds()
        let budget = syntaxBudget(limits, began: began)
        defer { withExtendedLifetime(budget) {} }
        let expression = try parse(query, budget: budget) { $0 }
        let type = expression.type
        guard type == .vector || type == .scalar else {
            let name = type == .matrix ? "range vector" : type.rawValue
            throw .parse("invalid expression type \"\(name)\" for range query, must be Scalar or instant Vector")
        }
        guard step > 0, end >= start else {
            throw .parse("a range query needs a positive step and an end after its start")
        }
        guard Self.times.contains(start), Self.times.contains(end) else {
            throw .execution("the times of the query are out of bounds")
        }
        let (span, overflow) = end.subtractingReportingOverflow(start)
        guard !overflow, span / step < 100_000_000 else { throw .tooManySamples }
        let grid = StepGrid(start: start, step: step, count: Int(span / step) + 1)
        return try run(
            QueryRequest(
                expression: expression, text: query, source: source,
                times: QueryTimes(grid: grid, end: end, isInstant: false), limits: limits, began: began))
    }

    /// The times that a query may have, ms.
    ///
    /// They are so far from the ends of `Int64` that no window, offset or lookback causes an overflow, not even in
    /// thousands of nested subqueries of 292 years each.
    static let times: ClosedRange<Int64> = (-.max + 1 << 56)...(.max - 1 << 56)

    // MARK: Evaluation

    /// Runs a query and notifies the observer.
    private func run(_ request: QueryRequest) throws(QueryError) -> QueryResult {
        guard let observer else { return try evaluateWithStack(request) }
        let token = observer.began(request.text)
        func notify(_ statistics: QueryStatistics, _ error: QueryError?) {
            observer.ended(token) {
                let times = request.times
                return QueryRecord(
                    query: request.text, start: times.grid.start, end: times.end,
                    step: times.isInstant ? 0 : times.grid.step, error: error?.description, statistics: statistics,
                    origin: request.limits.origin)
            }
        }
        do throws(QueryError) {
            let result = try evaluateWithStack(request)
            notify(result.statistics, nil)
            return result
        } catch {
            notify(QueryStatistics(), error)
            throw error
        }
    }

    /// Evaluates a query on a stack that is large enough for the nesting in its text.
    private func evaluateWithStack(_ request: QueryRequest) throws(QueryError) -> QueryResult {
        let result = DeepStack.run(for: request.text) { () -> Result<QueryResult, QueryError> in
            do throws(QueryError) {
                return .success(try evaluate(request))
            } catch {
                return .failure(error)
            }
        }
        guard let result else { throw .execution("no thread can be started for a long query") }
        return try result.get()
    }

    private func evaluate(_ request: QueryRequest) throws(QueryError) -> QueryResult {
        let options = options(for: request.limits)
        let began = Self.nanoseconds()
        do {
            let (text, times) = (Array(request.text.utf8), request.times)
            let prepared = try Preparation(
                grid: times.grid, end: times.end, isInstant: times.isInstant, text: text
            ).prepare(request.expression)
            let plan = QueryPlan(prepared)
            let trace = request.limits.explain == .analyze ? QueryTrace(plan.expression) : nil
            let explainer = Explainer(query: text, plan: plan, grid: times.grid, options: options, trace: trace)
            if request.limits.explain == .plan {
                var result = QueryResult(
                    value: times.isInstant ? .vector([]) : .matrix([]), start: times.grid.start,
                    step: times.grid.step, steps: times.grid.count)
                result.explanation = explainer.explain(isInstant: times.isInstant)
                return result
            }
            let budget = budget(for: request, options, began: request.began ?? began)
            let execution = QueryExecution(
                request, plan, options: options, budget: budget, workers: workers,
                trace: trace.map { TraceCursor($0, memory: budget.memory) })
            var result = try execute(execution, began: began)
            result.statistics.queueTime = request.limits.queueTime
            if trace != nil { result.explanation = explainer.explain(isInstant: times.isInstant) }
            return result
        } catch let error as QueryError {
            throw error
        } catch let excess as MemoryLimitExceeded {
            throw .execution(MemoryLimitText.message(excess, at: request.expression.range, in: request.text))
        } catch let failure as MatchFailure {
            throw .execution("\(failure)")
        } catch {
            throw .storage("\(error)")
        }
    }

    /// The engine's options, changed by the limits of a query.
    private func options(for limits: QueryLimits) -> EngineOptions {
        var options = self.options
        if let lookback = limits.lookbackDelta, lookback > 0 { options.lookbackDelta = lookback }
        // 292 years, the longest duration.
        options.lookbackDelta = min(options.lookbackDelta, .max / 1_000_000)
        if let timeout = limits.timeout { options.timeout = min(timeout, options.timeout) }
        return options
    }

    /// - Parameter began: The time when the query began, ns.
    private func budget(for request: QueryRequest, _ options: EngineOptions, began: Int64) -> QueryBudget {
        let limits = request.limits
        return QueryBudget(
            deadline: Self.deadline(began, options.timeout), maxSamples: options.maxSamples,
            isCancelled: limits.isCancelled, memory: account(limits, options),
            perStep: limits.countsPerStep && options.perStepStatistics ? SamplesPerStep(request.times.grid) : nil)
    }

    /// - Parameter began: The time when the query began, ns.
    private func execute(_ execution: QueryExecution, began: Int64) throws -> QueryResult {
        let (budget, grid) = (execution.budget, execution.times.grid)
        let ready = Self.nanoseconds()
        workers.enter()
        defer { workers.leave() }
        var result = QueryResult(
            value: try execution.value(), start: grid.start, step: grid.step, steps: grid.count)
        // The result does not need the expressions of functions.
        budget.memory.release(execution.regexes.regexBytes)
        execution.trace?.finish()
        result.memory = budget.memory
        result.statistics.preparationTime = Double(ready - began) / 1e9
        result.statistics.evaluationTime = Double(Self.nanoseconds() - ready) / 1e9
        result.statistics.totalSamples = budget.totalSamples
        result.statistics.peakSamples = budget.peakSamples
        result.statistics.samplesRead = budget.samplesRead
        if let perStep = budget.perStep?.values {
            result.statistics.samplesPerStep = perStep.looked
            result.statistics.samplesReadPerStep = perStep.new
        }
        (result.warnings, result.infos) = execution.annotations.texts(query: execution.text)
        result.warnings = budget.sourceWarnings.texts + result.warnings
        return result
    }

    /// The time `timeout` ms after `began`, ns.
    private static func deadline(_ began: Int64, _ timeout: Int64) -> Int64 {
        let (nanoseconds, isLong) = timeout.multipliedReportingOverflow(by: 1_000_000)
        let (deadline, isLate) = began.addingReportingOverflow(nanoseconds)
        return isLong || isLate ? .max : deadline
    }

    /// The time of the monotonic clock, ns.
    package static func nanoseconds() -> Int64 {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
    }
}

extension Workers {
    /// The query workers of an engine; the threads of the queries themselves are counted, too.
    package static func queries(limit: Int) -> Workers {
        let limit = max(1, limit)
        return Workers("query-worker", limit: limit, permanent: limit - 1, stackSize: 8 << 20)
    }
}
