import Model
import Platform
import PromQL
import Synchronization
import Telemetry

/// Runs the rule groups of the configuration, each in its own task.
///
/// ``commit(_:change:)`` may be called any number of times, before and after ``start()``; groups that stay keep their
/// state.
package final class RuleManager: Sendable {
    /// A group and the task that evaluates it.
    private final class Runner: Sendable {
        let key: String
        let group: Mutex<RuleGroup>
        let task = Mutex<Task<Void, Never>?>(nil)

        init(_ group: RuleGroup) {
            key = group.definition.key
            self.group = Mutex(group)
        }

        var current: RuleGroup { group.withLock { $0 } }
    }

    private struct State {
        var environment: RuleEnvironment
        /// The groups in the order of the configuration.
        var runners: [Runner] = []
        var endings: [Task<Void, Never>] = []
        var isStarted = false
        /// Whether no configuration was applied yet; the groups of the first one restore their state.
        var isFirst = true
    }

    private let state: Mutex<State>
    private let metrics: RuleMetrics
    /// Each evaluation has its own thread, so that it never blocks the few threads of Swift's tasks.
    private static let threads = {
        var settings = ThreadPoolSettings(name: "rules")
        settings.stackSize = PromQLParser.stackSize
        return ThreadPool<@Sendable () -> Void>(settings)
    }()

    /// Makes a manager without groups.
    package init(environment: RuleEnvironment, metrics registry: MetricRegistry = MetricRegistry()) {
        state = Mutex(State(environment: environment))
        let metrics = RuleMetrics(registry)
        self.metrics = metrics
        registry.addCollector { [weak self] in
            guard let self else { return [] }
            return metrics.families(self.status(), templates: environment.templateCounts.values)
        }
    }

    /// Groups that are ready for use; making them has changed nothing.
    package struct Prepared: Sendable {
        fileprivate let groups: [RuleGroup.Compiled]
    }

    /// Parses the templates of all groups of all files; the first group is used if keys are equal.
    package static func prepare(_ definitions: [RuleGroupDefinition]) throws(RuleError) -> Prepared {
        var groups: [RuleGroup.Compiled] = []
        var keys = Set<ExactText>()
        for definition in definitions where keys.insert(ExactText(definition.key)).inserted {
            groups.append(try RuleGroup.Compiled(definition))
        }
        return Prepared(groups: groups)
    }

    /// Replaces the groups.
    ///
    /// An unchanged group continues. In a changed group, rules with the same name and labels keep their alerts and
    /// series.
    ///
    /// - Parameter change: Changes the environment of the rules, for example external labels.
    package func commit(_ prepared: Prepared, change: (inout RuleEnvironment) -> Void = { _ in }) {
        let old = state.withLock { $0 }
        var environment = old.environment
        change(&environment)
        var runners: [Runner] = []
        var fresh: [(runner: Runner, predecessor: Runner?)] = []
        for group in prepared.groups {
            let known = old.runners.first { $0.key.isExactly(group.definition.key) }
            if let known, known.current.definition.isSame(as: group.definition) {
                runners.append(known)
                continue
            }
            let runner = Runner(
                RuleGroup(
                    group, needsRestore: old.isFirst && environment.source != nil, store: environment.store))
            runners.append(runner)
            fresh.append((runner, known))
        }
        let vanished = old.runners.filter { old in !runners.contains { $0.key.isExactly(old.key) } }
        state.withLock {
            $0.environment = environment
            $0.runners = runners
            $0.isFirst = false
        }
        for (runner, predecessor) in fresh { launch(runner, after: predecessor, isStarted: old.isStarted) }
        for runner in vanished { dismiss(runner, isStarted: old.isStarted) }
    }

    /// Prepares and commits groups; nothing changes if one cannot be made.
    package func apply(
        _ definitions: [RuleGroupDefinition], change: (inout RuleEnvironment) -> Void = { _ in }
    ) throws(RuleError) {
        commit(try Self.prepare(definitions), change: change)
    }

    /// Starts the evaluations.
    package func start() {
        let runners = state.withLock { state in
            state.isStarted = true
            return state.runners
        }
        for runner in runners { launch(runner, after: nil, isStarted: true) }
    }

    /// Stops all evaluations; returns when the running ones have finished.
    package func stop() async {
        let (runners, endings) = state.withLock { state in
            state.isStarted = false
            defer { state.endings = [] }
            return (state.runners, state.endings)
        }
        let tasks = runners.compactMap { $0.task.withLock { $0 } } + endings
        for task in tasks { task.cancel() }
        for task in tasks { await task.value }
        for runner in runners { runner.task.withLock { $0 = nil } }
    }

    /// All groups after their last evaluations, in the order of their files and names.
    package func status() -> [RuleGroupStatus] {
        state.withLock { $0.runners }.map { $0.current.status }.sorted { a, b in
            a.file.isExactly(b.file)
                ? a.name.isExactlyBefore(b.name)
                : a.file.isExactlyBefore(b.file)
        }
    }

    /// Evaluates every group once for the time `time`, one after another; for tests and for the last evaluation of a
    /// shutdown.
    package func evaluateOnce(at time: Int64) {
        let (runners, environment) = state.withLock { ($0.runners, $0.environment) }
        for runner in runners {
            var group = runner.current
            group.evaluate(at: time, environment)
            runner.group.withLock { $0 = group }
        }
    }

    // MARK: Tasks

    private var environment: RuleEnvironment { state.withLock { $0.environment } }

    /// Starts the task of `runner` after that of `predecessor` has ended and passed its state on.
    private func launch(_ runner: Runner, after predecessor: Runner?, isStarted: Bool) {
        let before = predecessor?.task.withLock { $0 }
        before?.cancel()
        guard isStarted else {
            if let predecessor { runner.group.withLock { $0.takeState(of: predecessor.current) } }
            return
        }
        runner.task.withLock { task in
            guard task == nil else { return }
            task = Task { [weak self] in
                await before?.value
                if let predecessor { runner.group.withLock { $0.takeState(of: predecessor.current) } }
                await self?.run(runner)
            }
        }
    }

    /// Ends a group that was removed from the configuration.
    ///
    /// Its stale markers are written after two intervals. By then a renamed rule that writes the same series has begun.
    private func dismiss(_ runner: Runner, isStarted: Bool) {
        let before = runner.task.withLock { $0 }
        before?.cancel()
        guard isStarted else { return }
        let ending = Task { [weak self] in
            await before?.value
            guard let self else { return }
            let environment = self.environment
            var group = runner.current
            let now = environment.clock.now()
            try? await environment.clock.sleep(until: now + 2 * group.definition.interval)
            if !Task.isCancelled { group.end(at: now, environment) }
            environment.store.closeGroup(group.series)
        }
        state.withLock { $0.endings.append(ending) }
    }

    private func run(_ runner: Runner) async {
        let clock = environment.clock
        let first = runner.current
        var steps = ClockSteps()
        _ = steps.observe(clock)
        var time = first.evaluationTime(atOrBefore: clock.now()) + first.definition.interval
        var evaluations = 0
        var missed: [Int64] = []
        while !Task.isCancelled {
            // If the clock was set back since `time` was computed, the wait is at most one interval.
            let latest = clock.now() + first.definition.interval
            do { try await clock.sleep(until: min(time, latest)) } catch { return }
            let environment = self.environment
            var current = runner.current
            if let step = steps.observe(clock) {
                // The times of evaluations are wall time; the lengths of the alerts' waits stay.
                time = current.evaluationTime(atOrBefore: clock.now())
                current.shift(by: step)
                missed = []
            }
            let (before, behind) = (current, missed)
            evaluations += 1
            // The first evaluation may be before the first scrape; at the second, recording rules have results, too.
            let restores = before.needsRestore && evaluations >= 2
            let nominal = time
            var group = await Self.threads.run {
                var group = before
                group.catchUp(behind, environment)
                group.evaluate(at: nominal, environment)
                if restores { group.restore(at: environment.clock.now(), environment) }
                return group
            }
            metrics.observe(group)
            let now = clock.now()
            let next = group.nextTime(after: time, now: now)
            missed = group.missedTimes(after: time, before: next, now: now)
            let result = group
            runner.group.withLock { $0 = result }
            time = next
        }
    }
}
