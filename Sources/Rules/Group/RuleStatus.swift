import Model

/// A group in the API.
package struct RuleGroupStatus: Sendable {
    package var file: String
    package var name: String
    /// Milliseconds.
    package var interval: Int64
    package var limit: Int
    /// Milliseconds.
    package var queryOffset: Int64
    package var rules: [RuleStatus]
    /// The time when the last evaluation began, ms; 0 for never.
    package var lastEvaluation: Int64
    /// Nanoseconds.
    package var evaluationTime: Int64
    package var counts: Counts

    /// The numbers for the group's metrics.
    package struct Counts: Sendable {
        package var evaluations: Int
        package var failures: Int
        package var iterations: Int
        package var missed: Int
        package var lastSamples: Int
        /// Nanoseconds.
        package var restoreDuration: Int64
    }

    /// `file;name`.
    package var key: String { file + ";" + name }
}

/// A rule in the API.
package struct RuleStatus: Sendable {
    package var kind: RuleDefinition.Kind
    package var name: String
    /// The expression in canonical form.
    package var query: String
    /// The labels with those of the group, and with an empty value the labels that the rule removes.
    package var labels: Labels
    package var annotations: Labels
    /// Milliseconds.
    package var holdDuration: Int64
    /// Milliseconds.
    package var keepFiringFor: Int64
    package var health: RuleHealth
    /// Set for alerting rules.
    package var state: AlertState?
    /// The alerts by labels, also the resolved ones that are kept.
    package var active: [Labels: ActiveAlert]

    /// The alerts that are pending or firing, in the order of their labels.
    ///
    /// Only readers that want them sort them: metrics are read often.
    package var alerts: [ActiveAlert] {
        active.values.filter { $0.state != .inactive }.sorted { $0.labels < $1.labels }
    }
}

extension RuleGroup {
    /// The group after its last evaluation.
    var status: RuleGroupStatus {
        RuleGroupStatus(
            file: definition.file, name: definition.name, interval: definition.interval, limit: definition.limit,
            queryOffset: definition.queryOffset, rules: rules.map(\.status), lastEvaluation: lastEvaluation,
            evaluationTime: lastDuration,
            counts: .init(
                evaluations: counts.evaluations, failures: counts.failures, iterations: counts.iterations,
                missed: counts.missed, lastSamples: counts.samples, restoreDuration: restoreDuration))
    }
}

extension RuleGroup.Rule {
    fileprivate var status: RuleStatus {
        RuleStatus(
            kind: definition.kind, name: definition.name, query: definition.expression.text,
            labels: Labels(keepingEmpty: definition.labels.map { ($0.name, $0.value) }),
            annotations: Labels(keepingEmpty: definition.annotations.map { ($0.name, $0.value) }),
            holdDuration: definition.holdDuration, keepFiringFor: definition.keepFiringFor, health: health,
            state: alerting?.state, active: alerting?.active ?? [:])
    }
}
