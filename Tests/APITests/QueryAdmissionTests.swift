import Glibc
import Platform
import PromQL
import Synchronization
import Telemetry
import Testing

@testable import API

@Suite("Turns of requests")
struct QueryAdmissionTests {
    private final class Trace: Sendable {
        let entries = Mutex<[String]>([])
        func add(_ text: String) { entries.withLock { $0.append(text) } }
    }

    /// Starts a request that waits for its turn, and returns when it is in the queue.
    private static func queue(
        _ admission: QueryAdmission, _ gauge: Gauge, _ kind: QueryAdmission.Kind, _ client: String,
        isCancelled: @escaping @Sendable () -> Bool = { false }, _ trace: Trace, _ name: String
    ) throws -> Thread {
        let before = gauge.value
        let thread = try #require(
            Thread.start("request") {
                do {
                    try admission.run(kind, client: client, waiting: 60_000, isCancelled: isCancelled) {
                        trace.add(name)
                    }
                } catch {
                    trace.add("\(error)")
                }
            })
        while gauge.value <= before { usleep(100) }
        // The gauge is set just before the request enters the queue.
        usleep(20_000)
        return thread
    }

    private static func admission(_ count: Int) -> (QueryAdmission, Gauge) {
        let metrics = MetricRegistry()
        let admission = QueryAdmission(count, metrics)
        return (admission, metrics.gauge("prometheus_engine_queries", ""))
    }

    @Test("kinds of requests and clients take turns, each in the order in which they came")
    func order() throws {
        let (admission, gauge) = Self.admission(1)
        let trace = Trace()
        var threads: [Thread] = []
        try admission.run(waiting: 1, isCancelled: { false }) {
            for number in 1...4 {
                threads.append(try Self.queue(admission, gauge, .federation, "x", trace, "federation \(number)"))
            }
            threads.append(try Self.queue(admission, gauge, .query, "x", trace, "query"))
            threads.append(try Self.queue(admission, gauge, .federation, "y", trace, "other client"))
        }
        for thread in threads { thread.join() }
        #expect(
            trace.entries.withLock { $0 } == [
                "federation 1", "query", "other client", "federation 2", "federation 3", "federation 4",
            ])
    }

    @Test("a request that leaves the queue takes no turn")
    func cancelled() throws {
        let (admission, gauge) = Self.admission(1)
        let trace = Trace()
        let gone = Number()
        var left: Thread?
        var stays: Thread?
        try admission.run(waiting: 1, isCancelled: { false }) {
            left = try Self.queue(
                admission, gauge, .list, "x", isCancelled: { gone.value > 0 }, trace, "left")
            stays = try Self.queue(admission, gauge, .query, "x", trace, "stays")
            gone.raise(to: 1)
            left?.join()
        }
        stays?.join()
        #expect(trace.entries.withLock { $0 } == ["query was canceled in query queue", "stays"])
        #expect(gauge.value == 0)
    }

    @Test("no turn is lost, however requests come, wait and leave")
    func everyTurn() {
        let (admission, gauge) = Self.admission(3)
        let (running, most, done) = (Number(), Number(), Number())
        let threads = (0..<24).compactMap { number in
            Thread.start("request") {
                for round in 0..<200 {
                    let kind: QueryAdmission.Kind = [.query, .list, .federation][number % 3]
                    // Some wait too short a time.
                    let waiting: Int64 = (number + round) % 4 == 0 ? 0 : 60_000
                    try? admission.run(kind, client: "\(number % 5)", waiting: waiting, isCancelled: { false }) {
                        most.raise(to: running.add(1))
                        usleep(50)
                        _ = running.add(-1)
                        _ = done.add(1)
                    }
                }
            }
        }
        for thread in threads { thread.join() }
        #expect(most.value <= 3 && most.value > 1)
        #expect(done.value >= 24 * 150)
        #expect(gauge.value == 0)
        // All turns are free again.
        let nested = try? admission.run(client: "a", waiting: 0, isCancelled: { false }) {
            try admission.run(client: "a", waiting: 0, isCancelled: { false }) {
                try admission.run(client: "b", waiting: 0, isCancelled: { false }) { true }
            }
        }
        #expect(nested == true)
    }

    @Test("a client that takes its whole share leaves a turn to another one, and gets no further turn itself")
    func shares() throws {
        let (admission, gauge) = Self.admission(4)
        func run(_ left: Int) throws {
            guard left > 0 else {
                // The fourth query of this client waits.
                #expect(throws: QueryError.self) {
                    try admission.run(client: "a", waiting: 0, isCancelled: { false }) {}
                }
                return try admission.run(client: "b", waiting: 0, isCancelled: { false }) {}
            }
            try admission.run(client: "a", waiting: 0, isCancelled: { false }) { try run(left - 1) }
        }
        try run(3)
        #expect(gauge.value == 0)
    }

    private final class Number: Sendable {
        private let number = Atomic(0)
        var value: Int { number.load(ordering: .relaxed) }
        func add(_ more: Int) -> Int { number.add(more, ordering: .relaxed).newValue }
        func raise(to other: Int) { number.max(other, ordering: .relaxed) }
    }
}
