import Synchronization
import Telemetry

/// The metrics of rules, under Prometheus's names.
final class RuleMetrics: Sendable {
    private struct Sums {
        var rules = QuantileWindow()
        var groups = QuantileWindow()
    }
    private let sums = Mutex(Sums())
    private let ruleHistogram: HistogramMetric
    private let groupHistogram: HistogramMetric

    init(_ registry: MetricRegistry) {
        ruleHistogram = registry.histogram(
            "prometheus_rule_evaluation_duration_histogram_seconds", "The duration for a rule to execute.",
            bounds: [0.01, 0.1, 1, 10])
        groupHistogram = registry.histogram(
            "prometheus_rule_group_duration_histogram_seconds", "The duration of rule group evaluations.",
            bounds: [0.01, 0.1, 1, 10])
    }

    /// Counts one evaluation of a group.
    func observe(_ group: RuleGroup) {
        let durations = group.rules.map { Double($0.health.duration) / 1e9 }
        let total = Double(group.lastDuration) / 1e9
        for duration in durations { ruleHistogram.observe(duration) }
        groupHistogram.observe(total)
        sums.withLock {
            for duration in durations { $0.rules.add(duration) }
            $0.groups.add(total)
        }
    }

    /// The metrics of the groups in their current state.
    func families(
        _ groups: [RuleGroupStatus], templates: (expansions: Int, failures: Int) = (0, 0)
    ) -> [MetricFamily] {
        let sums = sums.withLock { $0 }
        func summary(
            _ name: String, _ help: String, _ window: QuantileWindow, _ quantiles: [Double]
        ) -> MetricFamily {
            MetricFamily(name: name, help: help, kind: .summary, samples: window.samples(quantiles: quantiles))
        }
        func counter(_ name: String, _ help: String, _ value: Int) -> MetricFamily {
            MetricFamily(name: name, help: help, kind: .counter, samples: [.init(value: Double(value))])
        }
        return Self.families(ofGroups: groups) + [
            summary(
                "prometheus_rule_evaluation_duration_seconds", "The duration for a rule to execute.", sums.rules,
                QuantileWindow.three),
            summary(
                "prometheus_rule_group_duration_seconds", "The duration of rule group evaluations.", sums.groups,
                QuantileWindow.five),
            counter(
                "prometheus_template_text_expansions_total", "The total number of template text expansions.",
                templates.expansions),
            counter(
                "prometheus_template_text_expansion_failures_total",
                "The total number of template text expansion failures.", templates.failures),
        ]
    }

    private static func families(ofGroups groups: [RuleGroupStatus]) -> [MetricFamily] {
        func perGroup(
            _ name: String, _ help: String, _ kind: MetricFamily.Kind, _ value: (RuleGroupStatus) -> Double
        ) -> MetricFamily {
            MetricFamily(
                name: name, help: help, kind: kind,
                samples: groups.map { .init(labels: [("rule_group", $0.key)], value: value($0)) })
        }
        return [
            perGroup("prometheus_rule_evaluations_total", "The total number of rule evaluations.", .counter) {
                Double($0.counts.evaluations)
            },
            perGroup(
                "prometheus_rule_evaluation_failures_total", "The total number of rule evaluation failures.", .counter
            ) { Double($0.counts.failures) },
            perGroup(
                "prometheus_rule_group_iterations_total",
                "The total number of scheduled rule group evaluations, whether executed or missed.", .counter
            ) { Double($0.counts.iterations) },
            perGroup(
                "prometheus_rule_group_iterations_missed_total",
                "The total number of rule group evaluations missed due to slow rule group evaluation.", .counter
            ) { Double($0.counts.missed) },
            perGroup("prometheus_rule_group_rules", "The number of rules.", .gauge) { Double($0.rules.count) },
            perGroup("prometheus_rule_group_interval_seconds", "The interval of a rule group.", .gauge) {
                Double($0.interval) / 1000
            },
            perGroup(
                "prometheus_rule_group_last_duration_seconds", "The duration of the last rule group evaluation.",
                .gauge
            ) { Double($0.evaluationTime) / 1e9 },
            perGroup(
                "prometheus_rule_group_last_rule_duration_sum_seconds",
                "The sum of time in seconds it took to evaluate each rule in the group.", .gauge
            ) { Double($0.rules.reduce(0) { $0 + $1.health.duration }) / 1e9 },
            perGroup(
                "prometheus_rule_group_last_evaluation_timestamp_seconds",
                "The timestamp of the last rule group evaluation in seconds.", .gauge
            ) { Double($0.lastEvaluation) / 1000 },
            perGroup(
                "prometheus_rule_group_last_evaluation_samples",
                "The number of samples returned during the last rule group evaluation.", .gauge
            ) { Double($0.counts.lastSamples) },
            perGroup(
                "prometheus_rule_group_last_restore_duration_seconds",
                "The duration of the last alert rules alerts restoration using the ALERTS_FOR_STATE series.", .gauge
            ) { Double($0.counts.restoreDuration) / 1e9 },
        ]
    }
}
