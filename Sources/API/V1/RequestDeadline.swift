import HTTP
import Model
import PromQL

/// Cancels the work for a request when its client has disconnected, when the daemon ends, or when the query timeout has
/// expired.
struct RequestDeadline: Sendable {
    private let request: HTTPRequest
    private let deadline: Int64

    init(_ request: HTTPRequest, _ engine: QueryEngine) {
        self.request = request
        deadline = QueryEngine.nanoseconds() &+ min(engine.options.timeout, 1 << 40) &* 1_000_000
    }

    /// - Throws: ``QueryError`` with the error of a query in these cases.
    func check() throws(QueryError) {
        if QueryEngine.nanoseconds() > deadline { throw .timeout("query timed out in expression evaluation") }
        if request.isCancelled() { throw .canceled("query was canceled in expression evaluation") }
    }
}

extension QueryEngine {
    /// The limits of the texts of a request that is no query.
    func syntaxBudget(_ request: HTTPRequest) -> SyntaxBudget {
        let deadline = RequestDeadline(request, self)
        return syntaxBudget { try deadline.check() }
    }
}
