import Config
import Model
import Platform
import PromQL
import Rules
import TestSupport

/// Rule groups of a YAML text over a store in memory, with the real engine.
final class RuleFiles {
    let store: ArrayStore
    let clock = ManualClock(now: 0)
    let sink = RecordingSink()
    let manager: RuleManager
    private let engine = QueryEngine(options: EngineOptions())
    private let input: SeriesGroup

    /// - Parameters:
    ///   - restores: Whether the state before a restart is restored.
    ///   - concurrent: The rules of a group that may be evaluated at once; 0 for one after the other.
    init(
        _ text: String, store: ArrayStore = ArrayStore(), at seconds: Int64 = 0, restores: Bool = false,
        concurrent: Int = 0
    )
        throws
    {
        self.store = store
        clock.advance(to: seconds * 1000)
        input = store.openGroup("input")
        var environment = RuleEnvironment(
            engine: engine, source: store, store: store, alerts: sink, clock: clock,
            externalLabels: Labels([("site", "here")]))
        environment.externalURL = "http://martlet:9090"
        environment.concurrent = concurrent > 0 ? Workers.rules(limit: concurrent) : nil
        manager = RuleManager(environment: environment)
        if !restores { try manager.apply([]) }
        try load(text)
    }

    func load(_ text: String) throws {
        let file = try RuleFileLoader.parse(text: Array(text.utf8), path: "f.yml", readsOwnKeys: true)
        let engine = engine
        let (groups, errors) = RuleSet.definitions([file], evaluationInterval: 60_000) {
            try RuleExpression($0, engine: engine)
        }
        if let first = errors.first { throw first }
        try manager.apply(groups)
    }

    /// Stores a sample; nil is a stale marker.
    func put(_ labels: [(String, String)], _ value: Double?, at seconds: Int64) throws {
        var batch = SampleBatch(timestamp: seconds * 1000)
        batch.append(store.resolve(Labels(labels), in: input), value ?? Staleness.marker)
        _ = try store.commit(batch, in: input, durability: .whenPossible)
    }

    func evaluate(at seconds: Int64) {
        clock.advance(to: seconds * 1000)
        manager.evaluateOnce(at: seconds * 1000)
    }

    /// Starts the manager, lets two evaluations pass, after which the state before a restart is restored, and stops it.
    func restore() async {
        manager.start()
        for _ in 0..<2 {
            while clock.nextDeadline == nil { await Task.yield() }
            let next = clock.nextDeadline ?? 0
            clock.advance(to: next)
            await clock.waitForSleeper(until: next + 60_000)
        }
        await manager.stop()
    }

    var rules: [RuleStatus] { manager.status().flatMap(\.rules) }
    var alerts: [ActiveAlert] { rules.flatMap(\.alerts) }

    /// The values of an expression, as `{labels} value`.
    func values(_ expression: String, at seconds: Int64) throws -> [String] {
        let value = try engine.instant(expression, source: store, at: seconds * 1000).value
        return try RuleQueryResult(value).samples()
            .map { "\($0.labels.metricDescription) \(FloatText.api($0.value))" }.sorted()
    }
}
