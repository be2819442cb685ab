import GoCompatibility
import Model

extension AlertingRule {
    /// Restores the start times of the alerts from the `ALERTS_FOR_STATE` of the time before a restart.
    ///
    /// Time without evaluations does not count towards `for`. An alert that was about to fire still waits for the grace
    /// period, so that an effect of the restart itself does not cause a notification.
    mutating func restore(
        at now: Int64, in group: RuleGroupDefinition, _ environment: RuleEnvironment
    ) throws {
        guard !isRestored else { return }
        try restoreMissing(at: now, in: group, environment)
        let hold = definition.holdDuration
        guard hold >= environment.forGracePeriod, !active.isEmpty, let source = environment.source else {
            isRestored = true
            return
        }
        let matchers = restoreMatchers("ALERTS_FOR_STATE", definition.name)
        let series = try source.select(
            SelectRequest(matchers: matchers, minTime: now - environment.outageTolerance, maxTime: now))
        var columns = SampleColumns()
        for index in 0..<series.count {
            let labels = series.labels(index).withoutName
            guard let known = active[labels], known.missing == nil else { continue }
            try series.read(index, into: &columns)
            guard columns.count > 0 else { continue }
            let value = columns.values[columns.count - 1]
            // Values beyond 2^53 ms are not times.
            guard !Staleness.isMarker(value), value.magnitude < 9e12 else { continue }
            let downAt = CivilTime.floorDivide(columns.timestamps[columns.count - 1], 1000) * 1000
            let activeBefore = Int64(value) * 1000
            let remaining = hold - (downAt - activeBefore)
            let activeAt: Int64 =
                if remaining <= 0 {
                    activeBefore
                } else if remaining < environment.forGracePeriod {
                    now + environment.forGracePeriod - hold
                } else {
                    activeBefore + (now - downAt)
                }
            change(labels) { $0.activeAt = activeAt }
        }
        isRestored = true
    }

    /// The matchers of the series that the rule has written for its alerts.
    func restoreMatchers(_ metric: String, _ name: String) -> [Matcher] {
        var matchers = [
            Matcher(name: Labels.nameLabel, equals: metric), Matcher(name: "alertname", equals: name),
        ]
        // A label with a template has a different value in every series.
        for label in definition.labels where !label.value.contains("{{") {
            matchers.append(Matcher(name: label.name, equals: label.value))
        }
        return matchers
    }
}
