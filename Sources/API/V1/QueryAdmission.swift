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
/// ``ClientTurns`` decides who has a turn.
final class QueryAdmission: Sendable {
    /// The kinds of requests that take turns.
    enum Kind: Hashable, CaseIterable {
        case query, text, exemplars, list, search, federation, statistics, overview, change

        /// The kinds of which one client's requests leave turns to its queries.
        ///
        /// Overviews and changes have limits of their own, and share them with no other kind.
        static let modest: Set<Kind> = [.text, .exemplars, .list, .search, .federation, .statistics]
    }

    /// A request in a queue.
    private final class Waiter: Sendable {
        let signal = TimedSemaphore(value: 0)
        /// Whether it is the request's turn; it changes under the lock of the turns.
        let isCalled = Atomic(false)
    }

    private typealias Turns = ClientTurns<Kind, Waiter>

    private let turns: Mutex<Turns>
    private let running: Gauge?

    /// The limit of queries, whose number the metrics show.
    init(_ count: Int, _ metrics: MetricRegistry) {
        turns = Mutex(Turns(count, modest: Kind.modest))
        running = metrics.gauge("prometheus_engine_queries", "The current number of queries being executed or waiting.")
        metrics.gauge("prometheus_engine_queries_concurrent_max", "The max number of concurrent queries.")
            .set(Double(max(1, count)))
    }

    /// A limit of other requests.
    init(_ count: Int) {
        turns = Mutex(Turns(count, modest: Kind.modest))
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
        let key = Turns.Key(kind: kind, client: client)
        if let waiter = enter(key) {
            do throws(QueryError) {
                try wait(waiter, milliseconds, isCancelled)
            } catch {
                leave(waiter, key)
                throw error
            }
        }
        defer { finish(key) }
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
    private func enter(_ key: Turns.Key) -> Waiter? {
        turns.withLock { turns in
            var waiter: Waiter?
            func wait() -> Waiter {
                let new = Waiter()
                waiter = new
                return new
            }
            return turns.take(key, orLater: wait()) ? nil : waiter
        }
    }

    /// Returns a turn, and calls the next request.
    private func finish(_ key: Turns.Key) {
        let next = turns.withLock { turns in
            let next = turns.leave(key)
            next?.isCalled.store(true, ordering: .relaxed)
            return next
        }
        next?.signal.signal()
    }

    /// Leaves the queue; a turn that has come meanwhile is returned.
    private func leave(_ waiter: Waiter, _ key: Turns.Key) {
        let isCalled = turns.withLock { turns in
            if waiter.isCalled.load(ordering: .relaxed) { return true }
            turns.remove(key) { $0 === waiter }
            return false
        }
        if isCalled { finish(key) }
    }
}
