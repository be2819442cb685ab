import Model
import Platform
import PromQL
import Synchronization
import Telemetry

/// Expects heartbeats from others, and raises an alert for one that does not come in time.
///
/// The store has the times of the last heartbeats, so that they survive a restart. The time without the daemon does not
/// count, because nobody could reach it.
package final class Heartbeats: Sendable {
    /// A heartbeat that must come at least once in an interval.
    package struct Expected: Sendable, Equatable {
        @Exact package var name: String
        /// ms.
        package var interval: Int64
        /// Further labels of the alert.
        package var labels: [Label]

        package init(name: String, interval: Int64, labels: [Label] = []) {
            self.name = name
            self.interval = interval
            self.labels = labels
        }
    }

    private struct Entry {
        var expected: Expected
        /// ms.
        var last: Int64
        /// The time of the last stored call, ms.
        var stored: Int64 = 0
    }

    static let lastMetric = "martlet:heartbeat_last_timestamp_seconds"
    static let intervalMetric = "martlet:heartbeat_interval_seconds"
    static let callMetric = "martlet:heartbeat_call_timestamp_seconds"
    static let alertName = "MartletHeartbeatMissed"
    /// The age of the oldest state that is read at a start, ms.
    private static let memory: Int64 = 32 * 86_400_000
    private static let log = Log("rules")

    private let clock: any Clock
    private let store: any SampleStore
    private let source: any SeriesSource
    private let group: SeriesGroup
    private let state = Mutex<[ExactText: Entry]>([:])

    package init(store: any SampleStore, source: any SeriesSource, clock: any Clock) {
        self.store = store
        self.source = source
        self.clock = clock
        group = store.openGroup("heartbeats")
    }

    /// Replaces the expected heartbeats; those with the same name keep the time of their last call.
    package func apply(_ expected: [Expected]) {
        let now = clock.now()
        let isKnown = state.withLock { state in expected.allSatisfy { state[ExactText($0.name)] != nil } }
        let stored = isKnown ? [:] : storedTimes(now)
        state.withLock { state in
            let old = state
            state = [:]
            for one in expected {
                let name = ExactText(one.name)
                var entry = old[name] ?? Entry(expected: one, last: stored[name].map { $0(one.interval) } ?? now)
                entry.expected = one
                state[name] = entry
            }
        }
    }

    /// The last calls before the start, by name, as functions of the interval.
    private func storedTimes(_ now: Int64) -> [ExactText: (_ interval: Int64) -> Int64] {
        var calls: [ExactText: Int64] = [:]
        for metric in [Self.lastMetric, Self.callMetric] {
            for entry in BuiltInRules.newest(metric, in: source, from: now - Self.memory, to: now) {
                guard let name = entry.labels["heartbeat"] else { continue }
                calls[ExactText(name)] = max(calls[ExactText(name)] ?? .min, Int64(entry.value * 1000))
            }
        }
        var ends: [ExactText: Int64] = [:]
        for entry in BuiltInRules.newest(Self.intervalMetric, in: source, from: now - Self.memory, to: now) {
            guard let name = entry.labels["heartbeat"] else { continue }
            ends[ExactText(name)] = max(ends[ExactText(name)] ?? .min, entry.time)
        }
        return Dictionary(
            uniqueKeysWithValues: calls.map { name, last in
                let end = max(ends[name] ?? last, last)
                return (
                    name,
                    { interval in
                        // One that was late when the daemon ended stays late.
                        last + interval < end ? last : min(now, last + max(0, now - end))
                    }
                )
            })
    }

    /// Notes a heartbeat; returns its interval in ms, or nil if nobody expects one of this name.
    package func call(_ name: String) throws -> Int64? {
        let now = clock.now()
        let key = ExactText(name)
        let known: (expected: Expected, isStored: Bool)? = state.withLock { state in
            guard var entry = state[key] else { return nil }
            entry.last = now
            // Very frequent calls need not be stored each.
            let isStored = now >= entry.stored && now - entry.stored < 1000
            if !isStored { entry.stored = now }
            state[key] = entry
            return (entry.expected, isStored)
        }
        guard let known else { return nil }
        if !known.isStored {
            var batch = SampleBatch(timestamp: now)
            batch.delay = 0
            let labels = Labels([(Labels.nameLabel, Self.callMetric), ("heartbeat", name)])
            batch.append(try store.resolve(labels, in: group), Double(now) / 1000)
            _ = try store.commit(batch, in: group, durability: .whenPossible)
        }
        return known.expected.interval
    }

    private func samples(_ value: (Entry) -> Int64, labels isLabelled: Bool) -> [RuleSample] {
        state.withLock { state in
            state.values.map { entry in
                var builder = LabelsBuilder()
                if isLabelled { for label in entry.expected.labels { builder.set(label.name, label.value) } }
                builder.set("heartbeat", entry.expected.name)
                return RuleSample(labels: builder.labels(), value: Double(value(entry)) / 1000)
            }
        }
    }

    /// The rules of the alert.
    package func rules(evaluationInterval: Int64) throws -> RuleGroupDefinition {
        BuiltInRules.group(
            "heartbeats",
            [
                try BuiltInRules.record(Self.lastMetric) { [self] _ in samples(\.last, labels: true) },
                try BuiltInRules.record(Self.intervalMetric) { [self] _ in
                    samples(\.expected.interval, labels: false)
                },
                try BuiltInRules.alert(
                    Self.alertName, "time() - \(Self.lastMetric) > on (heartbeat) group_left () \(Self.intervalMetric)",
                    annotations: [
                        Label(
                            name: "summary",
                            value: "Heartbeat {{ $labels.heartbeat }} has not come for {{ $value | humanizeDuration }}")
                    ]),
            ], evaluationInterval: evaluationInterval)
    }
}
