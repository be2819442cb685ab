import Dispatch
import Telemetry

/// Lets only so many queries run at once; the others wait in line, on the threads of their connections.
package final class QueryAdmission: Sendable {
    private let slots: DispatchSemaphore
    private let running: Gauge

    init(_ count: Int, _ metrics: MetricRegistry) {
        slots = DispatchSemaphore(value: max(1, count))
        running = metrics.gauge("prometheus_engine_queries", "The current number of queries being executed or waiting.")
        metrics.gauge("prometheus_engine_queries_concurrent_max", "The max number of concurrent queries.")
            .set(Double(max(1, count)))
    }

    /// Runs `body` when it is its turn; nil if that has not come after `milliseconds`.
    func run<R>(waiting milliseconds: Int64, _ body: () throws -> R) rethrows -> R? {
        running.add(1)
        defer { running.add(-1) }
        guard slots.wait(timeout: .now() + .milliseconds(Int(clamping: milliseconds))) == .success else { return nil }
        defer { slots.signal() }
        return try body()
    }
}
