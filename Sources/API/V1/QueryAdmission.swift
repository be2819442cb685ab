import HTTP
import Platform
import PromQL
import Telemetry

/// Limits the requests that run at once; the others wait in a queue, on the threads of their connections.
///
/// Queries and all other requests that read the store share one limit. Requests about targets and rules have another
/// one, so that they are answered while queries take all turns.
final class QueryAdmission: Sendable {
    private let slots: TimedSemaphore
    private let running: Gauge?

    /// The limit of queries, whose number the metrics show.
    init(_ count: Int, _ metrics: MetricRegistry) {
        slots = TimedSemaphore(value: max(1, count))
        running = metrics.gauge("prometheus_engine_queries", "The current number of queries being executed or waiting.")
        metrics.gauge("prometheus_engine_queries_concurrent_max", "The max number of concurrent queries.")
            .set(Double(max(1, count)))
    }

    /// A limit of other requests.
    init(_ count: Int) {
        slots = TimedSemaphore(value: max(1, count))
        running = nil
    }

    /// The limit of requests about targets and rules.
    ///
    /// Each of them lists what there is, on one processor.
    static let overviews = 4

    /// The interval at which a queued query checks whether its client is still connected, ms.
    private static let lookInterval: Int64 = 200

    /// Runs `body` when it is its turn.
    ///
    /// - Parameters:
    ///   - milliseconds: The longest time in the queue.
    ///   - isCancelled: Called repeatedly in the queue.
    func run<R>(waiting milliseconds: Int64, isCancelled: () -> Bool, _ body: () throws -> R) throws -> R {
        running?.add(1)
        defer { running?.add(-1) }
        var left = max(0, milliseconds)
        while true {
            let slice = min(left, Self.lookInterval)
            if slots.wait(milliseconds: slice) { break }
            if isCancelled() { throw QueryError.canceled("query was canceled in query queue") }
            left -= slice
            if left <= 0 { throw QueryError.timeout("query timed out in query queue") }
        }
        defer { slots.signal() }
        return try body()
    }

    /// Runs `body` when it is its turn; the time in the queue is part of its time.
    func run<R>(_ request: HTTPRequest, _ engine: QueryEngine, _ body: () throws -> R) throws -> R {
        try run(waiting: engine.options.timeout, isCancelled: { request.isCancelled() }, body)
    }
}
