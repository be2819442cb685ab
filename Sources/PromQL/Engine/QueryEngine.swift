import Glibc
import Model
import Synchronization

/// Evaluates PromQL over any source of series.
///
/// Safe to call from many threads; a query runs on its caller's thread, which needs ``PromQLParser/stackSize`` bytes of
/// stack, and on query workers where there is much to read.
package final class QueryEngine: Sendable {
    private let settings: Mutex<EngineOptions>
    private let observer: (any QueryObserver)?

    /// The threads that work for all queries.
    package let workers: WorkerPool

    /// - Parameter observer: Is notified of every query.
    package init(options: EngineOptions, observer: (any QueryObserver)? = nil) {
        settings = Mutex(options)
        workers = WorkerPool(limit: options.workers)
        self.observer = observer
    }

    package var options: EngineOptions { settings.withLock { $0 } }

    /// Changes the step of subqueries that name none; the configuration's `evaluation_interval`.
    package func setDefaultSubqueryStep(_ milliseconds: Int64) {
        settings.withLock { $0.defaultSubqueryStep = max(1, milliseconds) }
    }

    /// An account for what is made of series without the engine, as an answer that lists them.
    package func account() -> MemoryAccount {
        let options = options
        return MemoryAccount(limit: options.maxMemoryPerQuery, budget: options.memoryBudget)
    }

    /// Reads an expression as this engine's features allow.
    package func parse(_ query: String) throws(QueryError) -> Expression { try parse(query) { $0 } }

    /// Reads an expression, and gives it to `body` where the stack is large enough to walk it.
    package func parse<R>(_ query: String, _ body: (Expression) -> R) throws(QueryError) -> R {
        do throws(ParseError) {
            return try PromQLParser.parse(query, options: options.parser, body)
        } catch {
            throw .parse("\(error)")
        }
    }

    /// Evaluates at one time.
    package func instant(
        _ query: String, source: any SeriesSource, at time: Int64, limits: QueryLimits = QueryLimits()
    ) throws(QueryError) -> QueryResult {
        try instant(try parse(query), text: query, source: source, at: time, limits: limits)
    }

    /// Evaluates a parsed expression at one time; `text` is only for positions in annotations.
    package func instant(
        _ expression: Expression, text: String, source: any SeriesSource, at time: Int64,
        limits: QueryLimits = QueryLimits()
    ) throws(QueryError) -> QueryResult {
        guard Self.times.contains(time) else { throw .execution("the time of the query is out of bounds") }
        let grid = StepGrid(start: time, step: 1, count: 1)
        return try run(expression, text, source, grid, end: time, isInstant: true, limits)
    }

    /// Evaluates at `start`, `start + step`, … up to `end`.
    package func range(
        _ query: String, source: any SeriesSource, start: Int64, end: Int64, step: Int64,
        limits: QueryLimits = QueryLimits()
    ) throws(QueryError) -> QueryResult {
        let expression = try parse(query)
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
        guard !overflow, span / step < 100_000_000 else { throw .execution(Evaluator.tooManySamples) }
        return try run(
            expression, query, source, StepGrid(start: start, step: step, count: Int(span / step) + 1),
            end: end,
            isInstant: false, limits)
    }

    /// Times that a query may look at, ms: so far from the ends of `Int64` that no window, offset or lookback leaves its
    /// range, also within thousands of nested subqueries of 292 years each.
    static let times: ClosedRange<Int64> = (-.max + 1 << 56)...(.max - 1 << 56)

    /// Runs a query and notifies the observer.
    private func run(
        _ expression: Expression, _ text: String, _ source: any SeriesSource, _ grid: StepGrid, end: Int64,
        isInstant: Bool, _ limits: QueryLimits
    ) throws(QueryError) -> QueryResult {
        guard let observer else {
            return try evaluateWithStack(expression, text, source, grid, end: end, isInstant: isInstant, limits)
        }
        let token = observer.began(text)
        func notify(_ statistics: QueryStatistics, _ error: QueryError?) {
            observer.ended(token) {
                QueryRecord(
                    query: text, start: grid.start, end: end, step: isInstant ? 0 : grid.step,
                    error: error?.description, statistics: statistics, origin: limits.origin)
            }
        }
        do throws(QueryError) {
            let result = try evaluateWithStack(
                expression, text, source, grid, end: end, isInstant: isInstant, limits)
            notify(result.statistics, nil)
            return result
        } catch {
            notify(QueryStatistics(), error)
            throw error
        }
    }

    /// Evaluates where the stack is large enough for what is nested in the text.
    private func evaluateWithStack(
        _ expression: Expression, _ text: String, _ source: any SeriesSource, _ grid: StepGrid, end: Int64,
        isInstant: Bool, _ limits: QueryLimits
    ) throws(QueryError) -> QueryResult {
        let result = DeepStack.run(for: text) { () -> Result<QueryResult, QueryError> in
            do throws(QueryError) {
                return .success(
                    try evaluate(expression, text, source, grid, end: end, isInstant: isInstant, limits))
            } catch {
                return .failure(error)
            }
        }
        guard let result else { throw .execution("no thread can be started for a long query") }
        return try result.get()
    }

    private func evaluate(
        _ expression: Expression, _ text: String, _ source: any SeriesSource, _ grid: StepGrid, end: Int64,
        isInstant: Bool,
        _ limits: QueryLimits
    ) throws(QueryError) -> QueryResult {
        var options = self.options
        if let lookback = limits.lookbackDelta, lookback > 0 { options.lookbackDelta = lookback }
        // 292 years, the longest duration.
        options.lookbackDelta = min(options.lookbackDelta, .max / 1_000_000)
        if let timeout = limits.timeout { options.timeout = min(timeout, options.timeout) }
        let began = Self.nanoseconds()
        let memory = MemoryAccount(
            limit: options.maxMemoryPerQuery, budget: options.memoryBudget, isRule: limits.isRule)
        let budget = QueryBudget(
            deadline: Self.deadline(began, options.timeout), maxSamples: options.maxSamples,
            isCancelled: limits.isCancelled, memory: memory,
            perStep: limits.countsPerStep && options.perStepStatistics ? SamplesPerStep(grid) : nil)
        do {
            let prepared = try Preparation(grid: grid, end: end, isInstant: isInstant, text: Array(text.utf8)).prepare(
                expression)
            let plan = QueryPlan(prepared)
            let trace = limits.explain == .analyze ? QueryTrace(plan.expression) : nil
            let explainer = Explainer(query: Array(text.utf8), plan: plan, grid: grid, options: options, trace: trace)
            if limits.explain == .plan {
                var result = QueryResult(
                    value: isInstant ? .vector([]) : .matrix([]), start: grid.start, step: grid.step, steps: grid.count)
                result.explanation = explainer.explain(isInstant: isInstant)
                return result
            }
            let cursor = trace.map { TraceCursor($0, memory: memory) }
            let evaluator = Evaluator(
                source: source, options: options, queryGrid: grid, isInstant: isInstant, budget: budget, text: text,
                plan: plan, trace: cursor, workers: workers)
            let ready = Self.nanoseconds()
            workers.enter()
            defer { workers.leave() }
            var result = QueryResult(
                value: try evaluator.result(of: plan.expression, bytesPerSample: limits.bytesPerSample),
                start: grid.start, step: grid.step, steps: grid.count)
            cursor?.finish()
            result.memory = memory
            result.statistics.queueTime = limits.queueTime
            result.statistics.preparationTime = Double(ready - began) / 1e9
            result.statistics.evaluationTime = Double(Self.nanoseconds() - ready) / 1e9
            result.statistics.totalSamples = budget.totalSamples
            result.statistics.peakSamples = budget.peakSamples
            result.statistics.samplesRead = budget.samplesRead
            if let perStep = budget.perStep?.values {
                result.statistics.samplesPerStep = perStep.looked
                result.statistics.samplesReadPerStep = perStep.new
            }
            (result.warnings, result.infos) = evaluator.annotations.texts(query: text)
            result.warnings = budget.sourceWarnings.texts + result.warnings
            if trace != nil { result.explanation = explainer.explain(isInstant: isInstant) }
            return result
        } catch let error as QueryError {
            throw error
        } catch let excess as MemoryLimitExceeded {
            throw .execution(MemoryLimitText.message(excess, at: expression.range, in: text))
        } catch {
            throw .storage("\(error)")
        }
    }

    /// `timeout` ms after `began`, ns.
    private static func deadline(_ began: Int64, _ timeout: Int64) -> Int64 {
        let (nanoseconds, isLong) = timeout.multipliedReportingOverflow(by: 1_000_000)
        let (deadline, isLate) = began.addingReportingOverflow(nanoseconds)
        return isLong || isLate ? .max : deadline
    }

    package static func nanoseconds() -> Int64 {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
    }
}

/// The times at which something is evaluated.
struct StepGrid: Sendable {
    /// ms.
    var start: Int64
    /// ms, positive.
    var step: Int64
    var count: Int

    func time(_ index: Int) -> Int64 { start &+ Int64(index) &* step }
    var end: Int64 { time(max(0, count - 1)) }
}
