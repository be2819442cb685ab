import HTTP
import PromQL

/// Ends work for a request when its client has gone, when the daemon ends, or when a query's time is over.
struct RequestPatience: Sendable {
    private let request: HTTPRequest
    private let deadline: Int64

    init(_ request: HTTPRequest, _ engine: QueryEngine) {
        self.request = request
        deadline = QueryEngine.nanoseconds() &+ min(engine.options.timeout, 1 << 40) &* 1_000_000
    }

    /// - Throws: ``QueryError`` with what a query says then.
    func check() throws(QueryError) {
        if QueryEngine.nanoseconds() > deadline { throw .timeout("query timed out in expression evaluation") }
        if request.isCancelled() { throw .canceled("query was canceled in expression evaluation") }
    }
}
