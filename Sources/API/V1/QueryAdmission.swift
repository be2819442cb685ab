import Platform
import PromQL
import Telemetry

/// Limits the queries that run at once; the others wait in a queue, on the threads of their connections.
final class QueryAdmission: Sendable {
    private let slots: TimedSemaphore
    private let running: Gauge

    init(_ count: Int, _ metrics: MetricRegistry) {
        slots = TimedSemaphore(value: max(1, count))
        running = metrics.gauge("prometheus_engine_queries", "The current number of queries being executed or waiting.")
        metrics.gauge("prometheus_engine_queries_concurrent_max", "The max number of concurrent queries.")
            .set(Double(max(1, count)))
    }

    /// The interval at which a queued query checks whether its client is still connected, ms.
    private static let lookInterval: Int64 = 200

    /// Runs `body` when it is its turn.
    ///
    /// - Parameters:
    ///   - milliseconds: The longest time in the queue.
    ///   - isCancelled: Called repeatedly in the queue.
    func run<R>(waiting milliseconds: Int64, isCancelled: () -> Bool, _ body: () throws -> R) throws -> R {
        running.add(1)
        defer { running.add(-1) }
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
}
