import Model
import Platform
import PromQL
import Rules
import Synchronization
import TestSupport

/// Takes alerts and remembers them.
final class RecordingSink: AlertSink {
    private let alerts = Mutex<[Alert]>([])
    func send(_ alerts: [Alert]) { self.alerts.withLock { $0 += alerts } }
    func take() -> [Alert] {
        alerts.withLock { alerts in
            defer { alerts = [] }
            return alerts
        }
    }
}

/// A gate at which threads wait until it is opened.
final class DispatchGate: Sendable {
    private let semaphore = TimedSemaphore(value: 0)

    func wait() {
        semaphore.wait()
        semaphore.signal()
    }

    func open() { semaphore.signal() }
}

/// A rule manager over a store in memory; expressions give what the test says.
final class RuleFixture {
    typealias Results = [String: RuleQueryResult]

    let clock = ManualClock(now: 0)
    let store: ArrayStore
    let sink = RecordingSink()
    let manager: RuleManager

    /// What each expression gives.
    private final class Box: Sendable {
        let results = Mutex<Results>([:])
        let during = Mutex<(@Sendable (String) -> Void)?>(nil)
    }
    private let box = Box()

    /// A source that cannot be read.
    private final class BrokenSource: SeriesSource {
        func select(_ request: SelectRequest) throws -> any SeriesSet { throw RuleError("broken") }
        func labelNames(_ request: SelectRequest) throws -> [String] { throw RuleError("broken") }
        func labelValues(_ name: String, _ request: SelectRequest) throws -> [String] { throw RuleError("broken") }
    }

    init(restores: Bool = false, isBroken: Bool = false, store: ArrayStore? = nil, start: Int64 = 0) {
        clock.advance(to: start)
        let box = box
        let used = store ?? ArrayStore()
        self.store = used
        let source: (any SeriesSource)? = isBroken ? BrokenSource() : restores ? used : nil
        manager = RuleManager(
            environment: RuleEnvironment(
                query: { expression, _, _ in
                    box.during.withLock { $0 }?(expression.text)
                    guard let result = box.results.withLock({ $0[expression.text] }) else {
                        throw RuleError("no such expression")
                    }
                    return result
                }, queryText: { _, _ in [] }, store: used, source: source, alerts: sink, clock: clock,
                externalURL: "http://here"))
    }

    func set(_ expression: String, _ samples: [([(String, String)], Double)]) {
        let vector = samples.map { RuleSample(labels: Labels($0.0), value: $0.1) }
        box.results.withLock { $0[expression] = .vector(vector) }
    }

    /// Calls `body` during each evaluation, on its thread.
    func during(_ body: @escaping @Sendable () -> Void) { box.during.withLock { $0 = { _ in body() } } }

    /// Calls `body` during each evaluation of `expression`, on its thread.
    func during(_ expression: String, _ body: @escaping @Sendable () -> Void) {
        box.during.withLock { $0 = { if $0 == expression { body() } } }
    }

    func set(_ expression: String, result: RuleQueryResult?) { box.results.withLock { $0[expression] = result } }

    static func expression(_ text: String) -> RuleExpression {
        RuleExpression(text: text, syntax: .number(NumberLiteral(value: 0, range: TextRange(0, 0))))
    }

    static func alert(
        _ name: String = "A", expression: String = "e", labels: [Label] = [], annotations: [Label] = [],
        hold: Int64 = 0, keep: Int64 = 0
    ) -> RuleDefinition {
        RuleDefinition(
            kind: .alerting, name: name, expression: Self.expression(expression), labels: labels,
            annotations: annotations, holdDuration: hold, keepFiringFor: keep)
    }

    static func record(_ name: String, expression: String, labels: [Label] = []) -> RuleDefinition {
        RuleDefinition(kind: .recording, name: name, expression: Self.expression(expression), labels: labels)
    }

    static func group(
        _ rules: [RuleDefinition], name: String = "g", interval: Int64 = 60_000, offset: Int64 = 0, limit: Int = 0
    ) -> RuleGroupDefinition {
        RuleGroupDefinition(
            file: "f.yml", name: name, interval: interval, queryOffset: offset, limit: limit, rules: rules)
    }

    func evaluate(at seconds: Int64) {
        clock.advance(to: seconds * 1000)
        manager.evaluateOnce(at: seconds * 1000)
    }

    /// The first rule as the API shows it.
    var rule: RuleStatus? { manager.status().first?.rules.first }

    /// `name{…} value@seconds` of all samples since the last call, stale markers as `stale`.
    func samples(at seconds: Int64) -> [String] {
        let series = store.select(
            SelectRequest(matchers: [], minTime: seconds * 1000, maxTime: seconds * 1000))
        var columns = SampleColumns()
        return (0..<series.count).compactMap { index in
            try? series.read(index, into: &columns)
            guard columns.count > 0 else { return nil }
            let value = columns.values[0]
            let text = Staleness.isMarker(value) ? "stale" : FloatText.api(value)
            return "\(series.labels(index).metricDescription) \(text)"
        }
    }
}
