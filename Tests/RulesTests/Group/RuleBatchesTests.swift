import Model
import Platform
import PromQL
import Synchronization
import Testing

@testable import Rules

/// Rules of a group that may be evaluated at the same time.
@Suite("Rule batches")
struct RuleBatchesTests {
    private func rule(_ name: String, _ text: String, alert: Bool = false) throws -> RuleDefinition {
        RuleDefinition(
            kind: alert ? .alerting : .recording, name: name,
            expression: try RuleExpression(text, engine: QueryEngine(options: EngineOptions())))
    }

    @Test("a rule that reads what an earlier one writes begins a new batch")
    func split() throws {
        let rules = [
            try rule("a", "sum(x)"), try rule("b", "rate(y[5m])"), try rule("c", "a + on() b"), try rule("d", "z"),
            try rule("e", #"{__name__=~"c|q"}"#), try rule("f", "max_over_time(e[1h:1m])"),
        ]
        #expect(RuleBatches.split(rules) == [0..<2, 2..<4, 4..<5, 5..<6])
    }

    @Test("a rule that reads a later one stays in its batch, as it reads the last evaluation's result anyway")
    func later() throws {
        #expect(RuleBatches.split([try rule("a", "b"), try rule("b", "x")]) == [0..<2])
    }

    @Test("selectors without a metric and info() are never in a batch with earlier rules")
    func wildcards() throws {
        #expect(RuleBatches.split([try rule("a", "x"), try rule("b", #"count({job="j"})"#)]) == [0..<1, 1..<2])
        #expect(RuleBatches.split([]) == [])
    }

    @Test("alerts are what reads ALERTS waits for")
    func alerts() throws {
        let rules = [try rule("A", "x > 1", alert: true), try rule("b", "y"), try rule("c", "count(ALERTS)")]
        #expect(RuleBatches.split(rules) == [0..<2, 2..<3])
    }

    @Test("queries run at the same time up to the limit, and results keep their order")
    func concurrent() {
        let queries = Workers.rules(limit: 3)
        let running = Mutex((now: 0, most: 0))
        for _ in 0..<200 {
            let results = queries.map(20) { index in
                running.withLock {
                    $0.now += 1
                    $0.most = max($0.most, $0.now)
                }
                defer { running.withLock { $0.now -= 1 } }
                return index * 2
            }
            #expect(results == (0..<20).map { $0 * 2 })
        }
        #expect(running.withLock { $0.most } <= 4)
        #expect(Workers.rules(limit: 0).map(3) { $0 } == [0, 1, 2])
    }
}
