import GoCompatibility
import Model
import Platform
import Telemetry

/// The outcome of the last evaluation of a rule.
package struct RuleHealth: Sendable {
    package enum State: String, Sendable {
        case unknown
        case good = "ok"
        case bad = "err"
    }

    package var state = State.unknown
    package var lastError: String?
    /// Nanoseconds.
    package var duration: Int64 = 0
    /// The time of the last evaluation, ms; 0 for never.
    package var lastEvaluation: Int64 = 0
}

/// A group of rules and its state: a state machine that ``evaluate(at:_:)`` advances.
///
/// It is a value, so that the API reads the last finished evaluation while the next one runs.
struct RuleGroup: Sendable {
    private static let log = Log("rules")

    /// A rule, its state and the series of its last evaluation.
    struct Rule: Sendable {
        let definition: RuleDefinition
        /// Set for alerting rules.
        var alerting: AlertingRule?
        var health = RuleHealth()
        /// The series of the last evaluation.
        var series: [Labels: SeriesRef] = [:]
    }

    /// Counters since the group was made.
    struct Counts: Sendable {
        var evaluations = 0
        var failures = 0
        var iterations = 0
        var missed = 0
        /// The number of samples of the last evaluation.
        var samples = 0
    }

    let definition: RuleGroupDefinition
    let series: SeriesGroup
    private(set) var rules: [Rule]
    /// The series of removed rules; the next evaluation writes their stale markers.
    private var staleSeries: [Labels: SeriesRef] = [:]
    private(set) var counts = Counts()
    /// The time when the last evaluation began, ms; 0 for never.
    private(set) var lastEvaluation: Int64 = 0
    /// Nanoseconds.
    private(set) var lastDuration: Int64 = 0
    /// The number of the last evaluations, one after the other, that took longer than the interval.
    private(set) var slowEvaluations = 0
    /// Nanoseconds.
    private(set) var restoreDuration: Int64 = 0
    private(set) var needsRestore: Bool
    private let batches: [Range<Int>]

    /// A group with parsed templates and without series.
    struct Compiled: Sendable {
        let definition: RuleGroupDefinition
        fileprivate let rules: [Rule]

        init(_ definition: RuleGroupDefinition) throws(RuleError) {
            self.definition = definition
            var rules: [Rule] = []
            for rule in definition.rules {
                rules.append(
                    Rule(definition: rule, alerting: rule.kind == .alerting ? try AlertingRule(rule) : nil))
            }
            self.rules = rules
        }
    }

    /// Makes a group; `needsRestore` if the state before a restart has to be restored.
    init(_ compiled: Compiled, needsRestore: Bool, store: any SampleStore) {
        definition = compiled.definition
        self.needsRestore = needsRestore
        batches = RuleBatches.split(compiled.definition.rules)
        rules = compiled.rules
        for index in rules.indices { rules[index].alerting?.isRestored = !needsRestore }
        series = store.openGroup("rules:" + compiled.definition.key)
    }

    /// Takes over the state of a group with the same key.
    mutating func takeState(of old: RuleGroup) {
        var taken = Set<Int>()
        for index in rules.indices {
            let match = old.rules.indices.first {
                !taken.contains($0) && old.rules[$0].definition.continues(rules[index].definition)
            }
            guard let match else { continue }
            taken.insert(match)
            rules[index].series = old.rules[match].series
            if let state = old.rules[match].alerting { rules[index].alerting?.takeState(of: state) }
        }
        staleSeries = old.staleSeries
        for (index, rule) in old.rules.enumerated() where !taken.contains(index) {
            staleSeries.merge(rule.series) { $1 }
        }
        needsRestore = old.needsRestore
        counts = old.counts
        lastEvaluation = old.lastEvaluation
        lastDuration = old.lastDuration
    }

    // MARK: Schedule

    /// The last time at or before `now` that is a multiple of the interval plus the group's own offset.
    ///
    /// So the groups' evaluations are distributed, always in the same way.
    func evaluationTime(atOrBefore now: Int64) -> Int64 {
        let hash = Labels([("name", definition.name), ("file", definition.file)]).stableHash
        let (interval, overflow) = UInt64(definition.interval).multipliedReportingOverflow(by: 1_000_000)
        let offset = overflow ? 0 : Int64(hash % interval / 1_000_000)
        return CivilTime.floorDivide(now - offset, definition.interval) * definition.interval + offset
    }

    /// The time of the evaluation after the one for `time`, if it is `now`; those in between are missed.
    mutating func nextTime(after time: Int64, now: Int64) -> Int64 {
        let missed = max(0, (now - time) / definition.interval - 1)
        counts.missed += Int(missed)
        counts.iterations += Int(missed)
        return time + (missed + 1) * definition.interval
    }

    /// The longest time for which recording rules catch up, ms.
    static let longestCatchUp: Int64 = 3_600_000

    /// The missed times between the evaluations for `time` and `next` at which the recording rules are still evaluated.
    ///
    /// A group that is always slower than its interval would only get slower, so it does not catch up.
    func missedTimes(after time: Int64, before next: Int64, now: Int64) -> [Int64] {
        guard slowEvaluations < 2, rules.contains(where: { $0.alerting == nil }) else { return [] }
        let first = max(
            time + definition.interval, evaluationTime(atOrBefore: now - Self.longestCatchUp) + definition.interval)
        return Array(stride(from: first, to: next, by: Int64.Stride(definition.interval)))
    }

    /// Evaluates the recording rules alone for missed times, the oldest first, for half an interval at most, so that
    /// alerts do not wait.
    mutating func catchUp(_ times: [Int64], _ environment: RuleEnvironment) {
        if times.isEmpty { return }
        let end =
            environment.clock.monotonic() + definition.interval.multipliedReportingOverflow(by: 500_000).partialValue
        for time in times {
            guard environment.clock.monotonic() < end else { return }
            for index in rules.indices where rules[index].alerting == nil {
                evaluate(index..<index + 1, at: time, environment)
            }
        }
    }

    /// Moves the times of all alerts after the wall clock was set by `step` ms, so that the lengths of their waits
    /// stay.
    mutating func shift(by step: Int64) {
        for index in rules.indices { rules[index].alerting?.shift(by: step) }
    }

    // MARK: Evaluation

    /// Evaluates all rules for the nominal time `time`, in the order of the file; each reads the results of those
    /// before it.
    mutating func evaluate(at time: Int64, _ environment: RuleEnvironment) {
        let began = environment.clock.monotonic()
        lastEvaluation = environment.clock.now()
        counts.iterations += 1
        counts.samples = 0
        for batch in environment.concurrent == nil ? [rules.indices] : batches {
            evaluate(batch, at: time, environment)
        }
        if !staleSeries.isEmpty {
            markStale(staleSeries, at: time - definition.queryOffset, environment)
            staleSeries = [:]
        }
        lastDuration = environment.clock.monotonic() - began
        slowEvaluations = lastDuration / 1_000_000 >= definition.interval ? min(slowEvaluations + 1, 2) : 0
    }

    /// Evaluates a batch of rules; with ``RuleEnvironment/concurrent`` their expressions at the same time.
    private mutating func evaluate(_ batch: Range<Int>, at time: Int64, _ environment: RuleEnvironment) {
        let place = definition.place
        let stamp = time - definition.queryOffset
        var results: [QueryOutcome] = []
        if batch.count > 1, let concurrent = environment.concurrent {
            let definitions = rules[batch].map(\.definition)
            results = concurrent.map(batch.count) { index in
                QueryOutcome(definitions[index], at: stamp, place, environment)
            }
        }
        for index in batch {
            let ruleBegan = environment.clock.monotonic()
            rules[index].health.lastEvaluation = environment.clock.now()
            rules[index].alerting?.hasBeenEvaluated = true
            counts.evaluations += 1
            let known = results.isEmpty ? nil : results[index - batch.lowerBound]
            do {
                let outcome =
                    known ?? QueryOutcome(rules[index].definition, at: stamp, place, environment)
                counts.samples += try evaluateRule(index, outcome.result, at: time, environment)
                rules[index].health.state = .good
                rules[index].health.lastError = nil
            } catch {
                counts.failures += 1
                rules[index].health.state = .bad
                rules[index].health.lastError = "\(error)"
                Self.log.warn(
                    "Evaluating rule failed",
                    about: [definition.file, definition.name, rules[index].definition.name, "\(error)"],
                    [
                        "file": definition.file, "group": definition.name, "name": rules[index].definition.name,
                        "err": "\(error)",
                    ])
            }
            rules[index].health.duration = environment.clock.monotonic() - ruleBegan + (known?.duration ?? 0)
        }
    }

    /// The result of a rule's expression, and the duration of its evaluation.
    private struct QueryOutcome: Sendable {
        let result: Result<RuleQueryResult, any Error>
        /// Nanoseconds.
        let duration: Int64

        init(
            _ rule: RuleDefinition, at stamp: Int64, _ place: RuleGroupPlace, _ environment: RuleEnvironment
        ) {
            let began = environment.clock.monotonic()
            result = Result {
                if let feed = rule.feed { return .vector(feed(stamp)) }
                return try environment.query(rule.expression, stamp, place)
            }
            duration = environment.clock.monotonic() - began
        }
    }

    /// Processes the result of one rule's expression, sends its alerts and stores its samples; returns the number of
    /// samples.
    private mutating func evaluateRule(
        _ index: Int, _ answer: Result<RuleQueryResult, any Error>, at time: Int64, _ environment: RuleEnvironment
    ) throws -> Int {
        let definition = rules[index].definition
        let group = self.definition
        let stamp = time - group.queryOffset
        let result = try answer.get().samples()
        let samples: [RuleSample]
        if rules[index].alerting != nil {
            let evaluated = try rules[index].alerting?.evaluate(
                result, at: time, in: group, environment,
                warn: { error in
                    Self.log.warn(
                        "Expanding alert template failed", about: [group.file, group.name, definition.name],
                        ["alert": definition.name, "err": error])
                })
            samples = evaluated ?? []
            let alerts =
                rules[index].alerting?.takeAlertsToSend(
                    at: time, interval: group.interval, resendDelay: environment.resendDelay,
                    externalURL: environment.externalURL) ?? []
            if !alerts.isEmpty { environment.alerts?.send(alerts) }
        } else {
            samples = try RecordingRule.evaluate(definition, result, limit: group.limit)
        }
        try store(samples, of: index, at: stamp, environment)
        return samples.count
    }

    /// Stores a rule's samples, and stale markers for series without a new sample, as one batch.
    private mutating func store(
        _ samples: [RuleSample], of index: Int, at stamp: Int64, _ environment: RuleEnvironment
    ) throws {
        var batch = SampleBatch(timestamp: stamp)
        batch.delay = definition.queryOffset
        var written: [Labels: SeriesRef] = [:]
        for sample in samples {
            let known = rules[index].series[sample.labels]
            let ref = try known ?? environment.store.resolve(sample.labels, in: series)
            written[sample.labels] = ref
            if let histogram = sample.histogram {
                batch.append(ref, histogram, at: stamp)
            } else {
                batch.append(ref, sample.value)
            }
        }
        let gone = rules[index].series.filter { written[$0.key] == nil }
        for ref in gone.values { batch.append(ref, Staleness.marker) }
        // The next evaluation is compared with the series of this one, even when the disk is full.
        rules[index].series = written
        if batch.count == 0 { return }
        var outcome = try environment.store.commit(batch, in: series, durability: .whenPossible)
        let forgotten = outcome.rejected.filter { $0.reason == .unknownSeries }
        if !forgotten.isEmpty {
            // The storage has removed series in the meantime, so their references are requested again, once.
            var again = SampleBatch(timestamp: stamp)
            again.delay = definition.queryOffset
            for (position, _) in forgotten where position < samples.count {
                let sample = samples[position]
                let ref = try environment.store.resolve(sample.labels, in: series)
                rules[index].series[sample.labels] = ref
                if let histogram = sample.histogram {
                    again.append(ref, histogram, at: stamp)
                } else {
                    again.append(ref, sample.value)
                }
            }
            outcome.rejected.removeAll { $0.reason == .unknownSeries }
            if again.count > 0 {
                outcome.rejected += try environment.store.commit(again, in: series, durability: .whenPossible).rejected
            }
        }
        // Stale markers may be out of order if a renamed rule writes the same series; that is not an error of the rule.
        if let first = outcome.rejected.first(where: { $0.index < samples.count }) {
            throw RuleError(first.reason.rawValue)
        }
    }

    private func markStale(_ stale: [Labels: SeriesRef], at stamp: Int64, _ environment: RuleEnvironment) {
        let current = rules.reduce(into: Set<Labels>()) { $0.formUnion($1.series.keys) }
        var batch = SampleBatch(timestamp: stamp)
        batch.delay = definition.queryOffset
        for (labels, ref) in stale where !current.contains(labels) { batch.append(ref, Staleness.marker) }
        guard batch.count > 0 else { return }
        do {
            _ = try environment.store.commit(batch, in: series, durability: .whenPossible)
        } catch {
            Self.log.warn(
                "Marking series of removed rules failed", ["group": definition.name, "err": "\(error)"])
        }
    }

    /// Marks all series of the group as ended at `stamp`; for a removed group.
    mutating func end(at stamp: Int64, _ environment: RuleEnvironment) {
        for index in rules.indices {
            staleSeries.merge(rules[index].series) { $1 }
            rules[index].series = [:]
        }
        markStale(staleSeries, at: stamp, environment)
        staleSeries = [:]
    }

    /// Restores the times since which alerts were pending or firing before the restart.
    mutating func restore(at now: Int64, _ environment: RuleEnvironment) {
        let began = environment.clock.monotonic()
        for index in rules.indices {
            do {
                try rules[index].alerting?.restore(at: now, in: definition, environment)
            } catch {
                Self.log.error(
                    "Failed to restore 'for' state",
                    [
                        "group": definition.name, "alert": rules[index].definition.name, "err": "\(error)",
                    ])
                // Otherwise its series would not be written until the next start.
                rules[index].alerting?.isRestored = true
            }
        }
        needsRestore = false
        restoreDuration = environment.clock.monotonic() - began
    }
}
