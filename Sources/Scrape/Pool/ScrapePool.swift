import Config
import Discovery
import Model
import Synchronization
import Telemetry

/// The targets of one job.
///
/// It is used under the lock of its ``PoolPlace``.
struct ScrapePool {
    private(set) var settings: ScrapeSettings
    private(set) var targets: [UInt64: Target] = [:]
    private(set) var dropped: [DroppedTarget] = []
    private(set) var droppedCount = 0
    private var groups: [TargetGroup] = []
    /// The targets that were removed recently and whose series have not ended yet.
    private var leaving: [UInt64: Target] = [:]
    private let store: any SampleStore
    private let metrics: ScrapeMetrics
    private let log = Log("scrape manager")

    init(_ settings: ScrapeSettings, store: any SampleStore, metrics: ScrapeMetrics) {
        self.settings = settings
        self.store = store
        self.metrics = metrics
    }

    private var name: String { settings.config.jobName }

    /// Continues with another configuration.
    mutating func reconfigure(_ next: ScrapeSettings, now: Int64) -> [ScrapeLoop.Command] {
        let old = settings
        settings = next
        metrics.poolReloads.increment()
        let keepsMeanings = Self.labelling(old.config) == Self.labelling(next.config)
        var commands: [ScrapeLoop.Command] = []
        for (identity, target) in targets {
            let replacement = replace(target, target.definition)
            if !keepsMeanings { target.series.appender.withLock { $0.reconfigure(next.config) } }
            targets[identity] = replacement
            commands.append(.start(replacement))
        }
        return commands + sync(groups, now: now)
    }

    /// The settings for making series from lines.
    private static func labelling(_ config: ScrapeConfig) -> String {
        let rules = config.metricRelabelRules.map {
            "\($0.action) \($0.sourceLabels) \($0.separator) \($0.targetLabel) \($0.pattern.source) \($0.modulus) \($0.replacement)"
        }
        return "\(config.honorLabels) \(config.honorTimestamps) \(config.trackTimestampsStaleness) "
            + "\(config.limits) \(config.metricNameValidation) \(rules)"
    }

    /// A target that continues the series of an older one, if they have not ended.
    private func replace(_ old: Target, _ definition: TargetDefinition) -> Target {
        guard old.giveUpSeries() else { return make(definition) }
        return Target(definition, settings, old.series, old.state.withLock { $0 })
    }

    /// Applies all groups of the job.
    ///
    /// - Returns: The commands for the loop.
    mutating func sync(_ groups: [TargetGroup], now: Int64) -> [ScrapeLoop.Command] {
        self.groups = groups
        let wanted = definitions(groups)
        var commands: [ScrapeLoop.Command] = []
        for (identity, target) in targets where wanted[identity] == nil {
            commands.append(remove(identity, target, now: now))
        }
        for (identity, definition) in wanted {
            if let target = targets[identity] {
                if Self.isSame(target.definition, definition) { continue }
                targets[identity] = replace(target, definition)
            } else if let old = leaving.removeValue(forKey: identity) {
                targets[identity] = replace(old, definition)
            } else {
                targets[identity] = make(definition)
            }
            if let target = targets[identity] { commands.append(.start(target)) }
        }
        leaving = leaving.filter { !$0.value.isEnded.load(ordering: .relaxed) }
        checkTargetLimit()
        syncFailed.increment(by: 0)
        metrics.registry.counter(
            "prometheus_target_scrape_pool_sync_total", "Total number of syncs that were executed on a scrape pool.",
            ["scrape_job": name]
        ).increment()
        metrics.registry.gauge(
            "prometheus_target_scrape_pool_targets", "Current number of targets in this scrape pool.",
            ["scrape_job": name]
        ).set(Double(targets.count))
        metrics.registry.gauge(
            "prometheus_target_scrape_pool_target_limit", "Maximum number of targets allowed in this scrape pool.",
            ["scrape_job": name]
        ).set(Double(settings.config.limits.targets))
        return commands
    }

    /// Builds the targets of all groups, and counts those that are dropped or fail.
    private mutating func definitions(_ groups: [TargetGroup]) -> [UInt64: TargetDefinition] {
        let builder = TargetBuilder(config: settings.config)
        var wanted: [UInt64: TargetDefinition] = [:]
        dropped = []
        droppedCount = 0
        var failed = 0
        let keep = settings.config.limits.keepDroppedTargets
        for group in groups {
            for (index, target) in group.targets.enumerated() {
                switch builder.build(target, group) {
                case .active(let definition):
                    wanted[definition.identity] = definition
                case .dropped(let labels):
                    droppedCount += 1
                    if keep == 0 || dropped.count < keep {
                        dropped.append(DroppedTarget(pool: name, discoveredLabels: labels))
                    }
                case .failed(let reason):
                    syncFailed.increment()
                    failed += 1
                    if failed <= Self.mostShown {
                        report("instance \(index) in group \(group.source): \(reason)")
                    }
                }
            }
        }
        if failed > Self.mostShown { report("\(failed - Self.mostShown) more targets") }
        return wanted
    }

    /// The most failures of one list that are logged, so that a list of very many targets does not fill the log.
    private static let mostShown = 20

    private func report(_ failure: String) {
        log.error("Creating target failed", about: [name, failure], ["scrape_pool": name, "err": failure])
    }

    private var syncFailed: Counter {
        metrics.registry.counter(
            "prometheus_target_sync_failed_total", "Total number of target sync failures.", ["scrape_job": name])
    }

    private static func isSame(_ a: TargetDefinition, _ b: TargetDefinition) -> Bool {
        a.interval == b.interval && a.timeout == b.timeout && a.discovered == b.discovered
            && a.scrapeNativeHistograms == b.scrapeNativeHistograms
            && a.alwaysScrapeClassicHistograms == b.alwaysScrapeClassicHistograms
            && a.convertClassicHistograms == b.convertClassicHistograms
    }

    private func make(_ definition: TargetDefinition) -> Target {
        let group = store.openGroup("\(name) \(definition.url) \(String(definition.identity, radix: 16))")
        let appender = ScrapeAppender(
            labels: definition.labels, config: settings.config, store: store, group: group,
            features: settings.features)
        return Target(definition, settings, TargetSeries(appender))
    }

    private mutating func remove(_ identity: UInt64, _ target: Target, now: Int64) -> ScrapeLoop.Command {
        targets[identity] = nil
        target.isRemoved.store(true, ordering: .relaxed)
        metrics.intervals.forget(target)
        if target.hasBegun { leaving[identity] = target }
        if leaving.count > 10_000 { leaving.removeAll() }
        let last = target.state.withLock { $0.lastScrape }
        let interval = target.definition.interval
        // The time of the first scrape that does not happen.
        let at = last == 0 ? now &+ interval : last &+ (max(0, now &- last) / interval &+ 1) &* interval
        return .end(target, at: at)
    }

    /// Removes all targets.
    mutating func removeAll(now: Int64) -> [ScrapeLoop.Command] {
        for (metric, _) in [
            ("prometheus_target_scrape_pool_sync_total", 0), ("prometheus_target_scrape_pool_targets", 0),
            ("prometheus_target_scrape_pool_target_limit", 0), ("prometheus_target_sync_failed_total", 0),
            ("prometheus_target_sync_length_histogram_seconds", 0),
        ] { metrics.registry.remove(metric, ["scrape_job": name]) }
        return targets.map { remove($0.key, $0.value, now: now) }
    }

    private func checkTargetLimit() {
        let limit = settings.config.limits.targets
        let isExceeded = limit > 0 && targets.count > limit
        if isExceeded { metrics.targetLimit.increment() }
        let text =
            isExceeded ? "target_limit exceeded (number of targets: \(targets.count), limit: \(limit))" : ""
        for target in targets.values { target.state.withLock { $0.refusal = text } }
    }
}
