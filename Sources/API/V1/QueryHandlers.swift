import GoCompatibility
import HTTP
import JSON
import Model
import Platform
import PromQL

/// `query`, `query_range` and the other endpoints with expressions.
struct QueryHandlers: Sendable {
    let context: APIContext
    let admission: QueryAdmission

    private func limits(_ request: HTTPRequest) throws(APIError) -> QueryLimits {
        let timeout = try Parameters.duration(request, "timeout")
        var lookback: Int64?
        if let text = request.parameter("lookback_delta"), !text.isEmpty {
            do throws(Parameters.DurationFailure) { lookback = try Parameters.duration(text) } catch {
                throw .badData("error parsing lookback delta duration: \(error.text)")
            }
        }
        var limits = QueryLimits(
            lookbackDelta: lookback, timeout: timeout, isCancelled: { request.isCancelled() },
            origin: .http(client: request.peer, method: request.method, path: request.path))
        limits.bytesPerSample = ResultWriter.bytesPerPoint
        limits.countsPerStep = request.parameter("stats") == "all"
        if let text = request.parameter("explain"), !text.isEmpty {
            guard let mode = ExplainMode(rawValue: text), mode != .none else {
                throw .parameter("explain", "expected plan or analyze, not \(GoQuote.quote(text))")
            }
            limits.explain = mode
        }
        return limits
    }

    /// Runs a query when it is its turn; the time in the queue is part of its time.
    private func admitted(
        _ limits: QueryLimits, _ client: String, _ body: (QueryLimits) throws -> QueryResult
    ) throws -> QueryResult {
        let timeout = min(limits.timeout ?? .max, context.engine.options.timeout)
        if timeout <= 0 { throw QueryError.timeout("query timed out in query execution") }
        let began = context.clock.monotonic()
        let isCancelled = limits.isCancelled ?? { false }
        return try admission.run(.query, client: client, waiting: timeout, isCancelled: isCancelled) {
            var limits = limits
            let waited = context.clock.monotonic() - began
            limits.queueTime = Double(waited) / 1e9
            limits.timeout = max(0, timeout - waited / 1_000_000)
            return try body(limits)
        }
    }

    private func answer(_ result: QueryResult, _ request: HTTPRequest) throws(APIError) -> HTTPResponse {
        let limit = try Parameters.limit(request)
        var warnings = result.warnings
        if limit > 0, ResultWriter.count(result.value) > limit {
            warnings.insert("results truncated due to limit", at: 0)
        }
        let size = ResultWriter.size(result.value, limit: limit)
        do throws(MemoryLimitExceeded) {
            // A matrix is written in parts, which are then joined.
            if case .matrix = result.value { try result.memory?.charge(size) }
            try result.memory?.charge(size)
        } catch {
            throw .execution(error.message(answer: size))
        }
        var response = Envelope.success(warnings: warnings, infos: result.infos, capacity: size) { writer in
            ResultWriter.write(
                result, limit: limit, showsStatistics: request.parameter("stats")?.isEmpty == false,
                workers: context.engine.workers,
                to: &writer)
        }
        // The result is freed now. The body stays until it is sent, and is compressed before.
        result.memory?.settle(response.body.count + response.body.count / 8)
        response.keeps = result.memory
        return response
    }

    func instant(_ request: HTTPRequest) throws -> HTTPResponse {
        _ = try Parameters.limit(request)
        let time = try Parameters.time(request, "time") ?? context.clock.now()
        let limits = try limits(request)
        let query = request.parameter("query") ?? ""
        let result = try admitted(limits, request.peer) {
            try context.engine.instant(query, source: context.source, at: time, limits: $0)
        }
        return try answer(result, request)
    }

    func range(_ request: HTTPRequest) throws -> HTTPResponse {
        _ = try Parameters.limit(request)
        let start = try Parameters.requiredTime(request, "start")
        let end = try Parameters.requiredTime(request, "end")
        if end < start { throw APIError.parameter("end", "end timestamp must not be before start time") }
        guard let step = try Parameters.duration(request, "step") else {
            throw APIError.parameter("step", "cannot parse \"\" to a valid duration")
        }
        guard step > 0 else {
            if Parameters.isPositive(request.parameter("step") ?? "") {
                throw APIError.parameter("step", "resolution step widths below 1 ms are not supported")
            }
            throw APIError.parameter(
                "step", "zero or negative query resolution step widths are not accepted. Try a positive integer")
        }
        let (span, overflow) = end.subtractingReportingOverflow(start)
        if overflow || span / step > 11_000 {
            throw APIError.badData(
                "exceeded maximum resolution of 11,000 points per timeseries. Try decreasing the query resolution (?step=XX)"
            )
        }
        let limits = try limits(request)
        let query = request.parameter("query") ?? ""
        let result = try admitted(limits, request.peer) {
            try context.engine.range(query, source: context.source, start: start, end: end, step: step, limits: $0)
        }
        return try answer(result, request)
    }

    /// The expression of a request that does not run it.
    private func parsed<R>(_ request: HTTPRequest, _ body: (Expression) -> R) throws(QueryError) -> R {
        let engine = context.engine
        return try engine.parse(request.parameter("query") ?? "", budget: engine.syntaxBudget(request), body)
    }

    /// Parses the expression of a request, which may be long, when it is its turn.
    private func parse<R>(_ request: HTTPRequest, _ body: (Expression) -> R) throws -> R {
        try admission.run(.text, request, context.engine) { try parsed(request, body) }
    }

    func format(_ request: HTTPRequest) throws -> HTTPResponse {
        let text = try parse(request) { $0.prettyDescription }
        return Envelope.success { $0.string(text) }
    }

    func tree(_ request: HTTPRequest) throws -> HTTPResponse {
        let json = try parse(request) { ExpressionJSON.encode($0) }
        return Envelope.success { $0.raw(json) }
    }

    func exemplars(_ request: HTTPRequest) throws -> HTTPResponse {
        let (start, end) = try Parameters.range(request)
        if end < start { throw APIError.badData("end timestamp must not be before start timestamp") }
        return try context.answer(request, admission, .exemplars) { answer in
            let selectors: [[Matcher]]
            do throws(QueryError) {
                selectors = try parsed(request) { $0.selectorMatchers }
            } catch {
                guard case .parse(let text) = error else { throw error }
                throw APIError.badData(text)
            }
            if selectors.isEmpty { return HTTPResponse(status: 204) }
            let deadline = answer.deadline
            // A series that several selectors match is listed once.
            var known: Set<Labels> = []
            var groups: [(labels: Labels, exemplars: [Exemplar])] = []
            for matchers in selectors {
                let asked = SelectRequest(
                    matchers: matchers, minTime: start, maxTime: end, labelsOnly: true,
                    check: { try deadline.check() })
                for group in try context.store.exemplars(asked) where known.insert(group.labels).inserted {
                    try answer.memory.charge(Self.bytes(group))
                    groups.append(group)
                }
            }
            return try Envelope.success { writer in
                try writer.array(groups.sorted { $0.labels < $1.labels }, answer) { group, writer in
                    try writer.object { writer in
                        writer.key("seriesLabels")
                        ResultWriter.labels(group.labels, &writer)
                        writer.key("exemplars")
                        try writer.array(group.exemplars, answer) { exemplar, writer in write(exemplar, &writer) }
                    }
                }
            }
        }
    }

    /// The approximate memory of a series with its exemplars.
    private static func bytes(_ group: (labels: Labels, exemplars: [Exemplar])) -> Int {
        group.exemplars.reduce(64 + group.labels.bytes.count) { $0 + 32 + $1.labels.bytes.count }
    }

    private func write(_ exemplar: Exemplar, _ writer: inout JSONWriter) {
        writer.object { writer in
            writer.key("labels")
            ResultWriter.labels(exemplar.labels, &writer)
            writer.key("value")
            writer.string(FloatText.api(exemplar.value))
            writer.key("timestamp")
            ResultWriter.time(exemplar.timestamp, &writer)
        }
    }
}

extension Expression {
    /// The matchers of every selector in the expression, in the order of the text.
    fileprivate var selectorMatchers: [[Matcher]] {
        var found: [[Matcher]] = []
        func collect(_ expression: Expression) {
            switch expression {
            case .selector(let e): found.append(e.matchers)
            case .matrix(let e): found.append(e.selector.matchers)
            default: for child in expression.children { collect(child) }
            }
        }
        collect(self)
        return found
    }
}
