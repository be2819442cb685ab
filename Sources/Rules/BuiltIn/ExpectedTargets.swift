import Model
import PromQL
import Synchronization
import Telemetry

/// Remembers the targets that discovery has had for long, and raises an alert for one that vanishes unannounced.
///
/// A target vanishes unannounced if discovery does not have it any more although the configuration of its job has not
/// changed. The alert ends when the target is back, when its job changes, or when it has lasted as long as the target
/// had to be seen.
package final class ExpectedTargets: Sendable {
    /// A target that has been scraped.
    package struct Target: Sendable {
        package var job: String
        /// The labels of its samples.
        package var labels: Labels

        package init(job: String, labels: Labels) {
            self.job = job
            self.labels = labels
        }

        var key: Key { Key(job: ExactText(job), labels: labels) }
        /// The parts that stay the same when other labels of a target change.
        var place: Place { Place(job: ExactText(job), instance: labels["instance"].map { ExactText($0) }) }
    }

    struct Key: Hashable {
        var job: ExactText
        var labels: Labels
    }

    struct Place: Hashable {
        var job: ExactText
        var instance: ExactText?
    }

    private struct Vanished {
        var target: Target
        /// The time since which discovery had the target, ms.
        var since: Int64
        /// ms.
        var at: Int64
    }

    private struct Job {
        var fingerprint: String
        /// The time of the last change, ms.
        var changedAt: Int64
    }

    private struct State {
        var jobs: [ExactText: Job] = [:]
        /// The targets of the last look, with the times since which discovery has them.
        var known: [Key: (target: Target, since: Int64)] = [:]
        var vanished: [Key: Vanished] = [:]
        /// The times since which there are samples of targets from before the start.
        var ages: [Labels: Int64] = [:]
        var agesUntil: Int64 = 0
    }

    /// The most vanished targets that are remembered.
    static let most = 1000
    static let metric = "martlet:target_vanished_timestamp_seconds"
    static let alertName = "MartletTargetVanished"
    private static let log = Log("rules")

    private let after: Int64
    /// The time after a change of a job in which targets may vanish, ms: discovery starts again.
    private let settling: Int64
    private let targets: @Sendable () -> [Target]
    private let state = Mutex(State())

    /// - Parameters:
    ///   - after: How long a target must have been there to be expected, ms.
    ///   - targets: The targets that discovery has and that have been scraped.
    package init(after: Int64, targets: @escaping @Sendable () -> [Target]) {
        self.after = after
        settling = min(300_000, after)
        self.targets = targets
    }

    /// Reads what was known before a restart: for how long targets have samples, and which have vanished.
    package func restore(from source: any SeriesSource, at now: Int64, outageTolerance: Int64) {
        var ages: [Labels: Int64] = [:]
        // The oldest first; a quarter of the time is exact enough, and no sample has to be read.
        for quarter in (1...4).reversed() {
            let start = now - after / 4 * Int64(quarter)
            var request = SelectRequest(
                matchers: [Matcher(name: Labels.nameLabel, equals: "up")],
                minTime: quarter == 4 ? start - after : start - after / 4, maxTime: start)
            request.labelsOnly = true
            request.isSorted = false
            guard let series = try? source.select(request) else { continue }
            for index in 0..<series.count {
                let labels = series.labels(index).withoutName
                if ages[labels] == nil { ages[labels] = start }
            }
        }
        let vanished = BuiltInRules.newest(Self.metric, in: source, from: now - outageTolerance, to: now)
        state.withLock { state in
            state.ages = ages
            state.agesUntil = now + settling
            for entry in vanished.prefix(Self.most) {
                let at = Int64(entry.value * 1000)
                let target = Target(job: entry.labels["job"] ?? "", labels: entry.labels)
                state.vanished[target.key] = Vanished(target: target, since: at - after, at: at)
            }
        }
    }

    /// Notes the jobs of a configuration that is used from `now` on, with texts that differ if their settings do.
    package func apply(_ jobs: [(name: String, fingerprint: String)], at now: Int64) {
        state.withLock { state in
            let old = state.jobs
            state.jobs = [:]
            for job in jobs {
                let name = ExactText(job.name)
                let known = old[name]
                if let known, known.fingerprint.isExactly(job.fingerprint) {
                    state.jobs[name] = known
                    continue
                }
                state.jobs[name] = Job(fingerprint: job.fingerprint, changedAt: now)
                if known != nil { state.vanished = state.vanished.filter { $0.key.job != name } }
            }
            let jobs = state.jobs
            // After a start the vanished targets are known before the first configuration.
            state.vanished = state.vanished.filter { jobs[$0.key.job] != nil }
            state.known = state.known.filter { jobs[$0.key.job] != nil }
        }
    }

    /// Looks at the targets, and returns the vanished ones with the times at which they were missed first.
    func look(at now: Int64) -> [RuleSample] {
        let targets = targets()
        let (vanished, left) = state.withLock { state in
            var known: [Key: (target: Target, since: Int64)] = [:]
            known.reserveCapacity(targets.count)
            let places = Set(targets.map(\.place))
            for target in targets where state.jobs[ExactText(target.job)] != nil {
                let key = target.key
                let back = state.vanished.removeValue(forKey: key)
                let since = state.known[key]?.since ?? back?.since ?? state.ages[target.labels] ?? now
                known[key] = (target, min(since, now))
            }
            var left = 0
            for (key, old) in state.known where known[key] == nil {
                guard let job = state.jobs[key.job], now - job.changedAt > settling,
                    now - old.since >= after, !places.contains(old.target.place)
                else { continue }
                if state.vanished.count >= Self.most {
                    left += 1
                } else {
                    state.vanished[key] = Vanished(target: old.target, since: old.since, at: now)
                }
            }
            state.known = known
            state.vanished = state.vanished.filter {
                now - $0.value.at < after && !places.contains($0.value.target.place)
            }
            if now >= state.agesUntil { state.ages = [:] }
            return (state.vanished, left)
        }
        if left > 0 {
            Self.log.warn(
                "Too many targets have vanished; some of them raise no alert", about: [Self.alertName],
                ["targets": "\(left)"])
        }
        return vanished.values.map {
            RuleSample(labels: $0.target.labels, value: Double($0.at) / 1000)
        }
    }

    /// The rules of the alert.
    package func group(evaluationInterval: Int64) throws -> RuleGroupDefinition {
        let time = DurationText.format(after)
        return BuiltInRules.group(
            "expected-targets",
            [
                try BuiltInRules.record(Self.metric) { [self] time in look(at: time) },
                try BuiltInRules.alert(
                    Self.alertName, "\(Self.metric) > 0",
                    annotations: [
                        Label(
                            name: "summary",
                            value: "Target {{ $labels.instance }} of job {{ $labels.job }} has vanished from discovery"),
                        Label(
                            name: "description",
                            value: "It had been discovered for \(time) or longer, and has been missing since "
                                + "{{ $value | humanizeTimestamp }} although its job did not change. This ends when the "
                                + "target is back, when its job is changed, or after \(time)."),
                    ]),
            ], evaluationInterval: evaluationInterval)
    }
}
