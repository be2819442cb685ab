import Config
import GoCompatibility
import Model

/// A selector without series, because of which an alert is active.
package struct MissingSeries: Sendable, Hashable {
    @Exact package var selector: String
    /// The time of the last sample, ms.
    package var since: Int64

    /// The annotation that has the evidence.
    static let annotation = "martlet_evidence"

    /// The text of the annotation.
    var evidence: String { "no series of \(selector) since \(RFC3339.text(since))" }
}

extension AlertingRule {
    /// The alerts that are active although the expression has no result for them, because their series are missing:
    /// a selector had series of the alert when the alert was last in the result, and has none now.
    ///
    /// - Parameter results: What the selectors have; only asked if an alert is not in the result, or for `fire`.
    mutating func missingAlerts(
        besides found: [Labels: ActiveAlert], _ expansion: Expansion, _ results: RuleSelectorResults,
        warn: (String) -> Void
    ) throws(RuleError) -> [Labels: ActiveAlert] {
        var results = results
        let time = expansion.time
        var kept: [Labels: ActiveAlert] = [:]
        for (labels, alert) in active where found[labels] == nil && mayStay(alert) {
            guard let missing = try missing(alert, &results, at: time) else { continue }
            kept[labels] = alert.missing(missing)
        }
        guard definition.onMissing == .fire else { return kept }
        for selector in selectors {
            if try results.hasSeries(selector, at: time) {
                selectorsWithSeries.insert(ExactText(selector.text))
            } else if selectorsWithSeries.contains(ExactText(selector.text)),
                !kept.values.contains(where: { $0.missing?.selector.isExactly(selector.text) ?? false })
            {
                let alert = fresh(selector, expansion, results, warn: warn)
                if found[alert.labels] == nil, kept[alert.labels] == nil { kept[alert.labels] = alert }
            }
        }
        return kept
    }

    /// Whether an alert can be active without a result: its condition was true in the evaluation before.
    private func mayStay(_ alert: ActiveAlert) -> Bool {
        switch alert.state {
        case .firing: alert.keepFiringSince == 0
        case .pending: definition.onMissing == .fire
        case .inactive, .unknown: false
        }
    }

    /// The selector whose series of `alert` are missing; nil if none are.
    private func missing(
        _ alert: ActiveAlert, _ results: inout RuleSelectorResults, at time: Int64
    ) throws(RuleError) -> MissingSeries? {
        if let known = alert.missing {
            // After a reload the rule may not have this selector any more.
            guard let selector = selectors.first(where: { $0.text.isExactly(known.selector) }) else { return nil }
            return try results.has(alert.element, selector, at: time) ? nil : known
        }
        for selector in selectors {
            guard try !results.has(alert.element, selector, at: time),
                try results.used(alert.element, selector, at: alert.lastSeenAt)
            else { continue }
            let since = results.lastSample(
                of: alert.element, selector, from: alert.lastSeenAt - Self.lookback, to: time)
            return MissingSeries(selector: selector.text, since: since ?? time)
        }
        return nil
    }

    /// The longest time from the last sample of a series to the last result with it, ms.
    private static let lookback: Int64 = 3_600_000

    /// An alert for a selector that has lost all of its series while the rule had no alert.
    ///
    /// It has the labels that the selector demands, and no value.
    private func fresh(
        _ selector: RuleSelector, _ expansion: Expansion, _ results: RuleSelectorResults, warn: (String) -> Void
    ) -> ActiveAlert {
        let time = expansion.time
        let alert = expand(RuleSample(labels: selector.labels, value: .nan), expansion, warn: warn)
        let since = results.lastSample(of: .empty, selector, from: time - Self.lookback, to: time)
        return alert.missing(MissingSeries(selector: selector.text, since: since ?? time))
    }

    // MARK: Restart

    /// Restores the alerts that were active before a restart, and whose series are missing since before or meanwhile.
    ///
    /// It needs what the alerts have written: `ALERTS` not older than the tolerated outage, and `ALERTS_FOR_STATE`.
    mutating func restoreMissing(
        at now: Int64, in group: RuleGroupDefinition, _ environment: RuleEnvironment
    ) throws {
        guard !selectors.isEmpty, let source = environment.source else { return }
        var results = RuleSelectorResults(group, environment)
        if definition.onMissing == .fire {
            for selector in selectors {
                let had = results.lastSample(of: .empty, selector, from: now - environment.outageTolerance, to: now)
                if had != nil { selectorsWithSeries.insert(ExactText(selector.text)) }
            }
        }
        for (labels, activeAt, state) in try written(before: now, source, environment)
        where active[labels].map({ $0.state == .inactive }) ?? true {
            guard state == .firing || definition.onMissing == .fire else { continue }
            var names = definition.labels.map(\.name)
            names.append("alertname")
            let element = labels.removing(names)
            for selector in selectors where try !results.has(element, selector, at: now) {
                let last = results.lastSample(of: element, selector, from: activeAt - Self.lookback, to: now)
                guard let last else { continue }
                var alert = try restored(labels, element, activeAt, last, group, environment)
                if state == .firing {
                    alert.state = .firing
                    alert.firedAt = min(now, activeAt + definition.holdDuration)
                }
                add(alert.missing(MissingSeries(selector: selector.text, since: last)))
                break
            }
        }
    }

    /// The alerts that the last `ALERTS` series have, with the times since which they were active.
    private func written(
        before now: Int64, _ source: any SeriesSource, _ environment: RuleEnvironment
    ) throws -> [(labels: Labels, activeAt: Int64, state: AlertState)] {
        let (start, name) = (now - environment.outageTolerance, definition.name)
        func read(_ metric: String) throws -> [(labels: Labels, value: Double)] {
            let series = try source.select(
                SelectRequest(
                    matchers: restoreMatchers(metric, name), minTime: start, maxTime: now))
            var columns = SampleColumns()
            var found: [(labels: Labels, value: Double)] = []
            for index in 0..<series.count {
                try series.read(index, into: &columns)
                guard let value = columns.last?.value, !Staleness.isMarker(value), value.magnitude < 9e12 else {
                    continue
                }
                found.append((series.labels(index).withoutName, value))
            }
            return found
        }
        let starts = [Labels: Double](try read("ALERTS_FOR_STATE").map { ($0.labels, $0.value) }) { $1 }
        return try read("ALERTS").compactMap { alert in
            let labels = alert.labels.removing(["alertstate"])
            guard let activeAt = starts[labels] else { return nil }
            let state = alert.labels["alertstate"] == AlertState.firing.name ? AlertState.firing : .pending
            return (labels, Int64(activeAt) * 1000, state)
        }
    }

    /// The alert as it was at the last sample of its series, if the expression had a result for it then.
    private func restored(
        _ labels: Labels, _ element: Labels, _ activeAt: Int64, _ last: Int64, _ group: RuleGroupDefinition,
        _ environment: RuleEnvironment
    ) throws -> ActiveAlert {
        let expansion = Expansion(time: last, queryOffset: group.queryOffset, environment)
        let samples = try environment.query(definition.expression, last, group.place).samples()
        let known = samples.lazy.map { expand($0, expansion) { _ in } }.first { $0.labels == labels }
        var alert = known ?? expand(RuleSample(labels: element, value: .nan), expansion) { _ in }
        alert.labels = labels
        alert.activeAt = activeAt
        if known == nil { alert.element = element }
        return alert
    }
}

extension ActiveAlert {
    /// The alert, active because its series are missing.
    fileprivate func missing(_ missing: MissingSeries) -> ActiveAlert {
        var alert = self
        alert.missing = missing
        var pairs = annotations.pairs.map { ($0.name, $0.value) }
        pairs.append((MissingSeries.annotation, missing.evidence))
        alert.annotations = Labels(keepingEmpty: pairs)
        return alert
    }
}
