import HTTP
import Platform
import PromQL
import Synchronization
import Telemetry

/// Limits the requests that run at once; the others wait in queues, on the threads of their connections.
///
/// Queries and all other requests that read the store share one limit. Requests about targets and rules have another
/// one, so that they are answered while queries take all turns. Requests that change the store have a third one, so
/// that they take no turn of a query while they wait for each other.
///
/// Each client has a queue for each kind of request. The queues take turns. So a client with many connections, or a
/// kind of request that costs much, does not delay the others for long.
final class QueryAdmission: Sendable {
    /// The kinds of requests that take turns.
    enum Kind: Hashable {
        case query, text, exemplars, list, search, federation, statistics, overview, change
    }

    private struct Key: Hashable {
        var kind: Kind
        var client: String
    }

    /// A request in a queue.
    private final class Waiter: Sendable {
        let signal = TimedSemaphore(value: 0)
        /// Whether it is the request's turn; it changes under the lock of the queues.
        let isCalled = Atomic(false)
    }

    private struct Queues {
        /// The number of turns that nobody has; above 0 only if nobody waits.
        var free: Int
        var waiters: [Key: [Waiter]] = [:]
        /// The queues that are not empty, the next one first.
        var order: [Key] = []
    }

    private let queues: Mutex<Queues>
    private let running: Gauge?

    /// The limit of queries, whose number the metrics show.
    init(_ count: Int, _ metrics: MetricRegistry) {
        queues = Mutex(Queues(free: max(1, count)))
        running = metrics.gauge("prometheus_engine_queries", "The current number of queries being executed or waiting.")
        metrics.gauge("prometheus_engine_queries_concurrent_max", "The max number of concurrent queries.")
            .set(Double(max(1, count)))
    }

    /// A limit of other requests.
    init(_ count: Int) {
        queues = Mutex(Queues(free: max(1, count)))
        running = nil
    }

    /// The limit of requests about targets and rules.
    ///
    /// Each of them lists what there is, on one processor.
    static let overviews = 4

    /// The limit of requests that change the store: it performs one at a time.
    static let changes = 1

    /// The interval at which a queued request checks whether its client is still connected, ms.
    private static let lookInterval: Int64 = 200

    /// Runs `body` when it is its turn.
    ///
    /// - Parameters:
    ///   - kind: The kind of the request; with the client, it selects the queue.
    ///   - milliseconds: The longest time in the queue.
    ///   - isCancelled: Called repeatedly in the queue.
    func run<R>(
        _ kind: Kind = .query, client: String = "", waiting milliseconds: Int64, isCancelled: () -> Bool,
        _ body: () throws -> R
    ) throws -> R {
        running?.add(1)
        defer { running?.add(-1) }
        let key = Key(kind: kind, client: client)
        if let waiter = enter(key) {
            do throws(QueryError) {
                try wait(waiter, milliseconds, isCancelled)
            } catch {
                leave(waiter, key)
                throw error
            }
        }
        defer { callNext() }
        return try body()
    }

    /// Runs `body` when it is its turn; the time in the queue is part of its time.
    func run<R>(_ kind: Kind, _ request: HTTPRequest, _ engine: QueryEngine, _ body: () throws -> R) throws -> R {
        try run(
            kind, client: request.peer, waiting: engine.options.timeout, isCancelled: { request.isCancelled() }, body)
    }

    private func wait(_ waiter: Waiter, _ milliseconds: Int64, _ isCancelled: () -> Bool) throws(QueryError) {
        var left = max(0, milliseconds)
        while true {
            let slice = min(left, Self.lookInterval)
            if waiter.signal.wait(milliseconds: slice) { return }
            if isCancelled() { throw .canceled("query was canceled in query queue") }
            left -= slice
            if left <= 0 { throw .timeout("query timed out in query queue") }
        }
    }

    /// Takes a free turn, or a place in the queue; nil with a turn.
    private func enter(_ key: Key) -> Waiter? {
        queues.withLock { queues in
            if queues.free > 0 {
                queues.free -= 1
                return nil
            }
            let waiter = Waiter()
            if queues.waiters[key] == nil { queues.order.append(key) }
            queues.waiters[key, default: []].append(waiter)
            return waiter
        }
    }

    /// Passes a turn to the next request.
    private func callNext() {
        let next = queues.withLock { queues -> Waiter? in
            guard let key = queues.order.first, var waiters = queues.waiters[key], !waiters.isEmpty else {
                queues.free += 1
                return nil
            }
            let next = waiters.removeFirst()
            queues.order.removeFirst()
            queues.waiters[key] = waiters.isEmpty ? nil : waiters
            if !waiters.isEmpty { queues.order.append(key) }
            next.isCalled.store(true, ordering: .relaxed)
            return next
        }
        next?.signal.signal()
    }

    /// Leaves the queue; a turn that has come meanwhile is passed on.
    private func leave(_ waiter: Waiter, _ key: Key) {
        let isCalled = queues.withLock { queues in
            queues.waiters[key]?.removeAll { $0 === waiter }
            if queues.waiters[key]?.isEmpty == true {
                queues.waiters[key] = nil
                queues.order.removeAll { $0 == key }
            }
            return waiter.isCalled.load(ordering: .relaxed)
        }
        if isCalled { callNext() }
    }
}
