import Config
import GoCompatibility
import GoTemplate
import Model

/// An alerting rule and its alerts.
///
/// It is a value: an evaluation makes the next one.
struct AlertingRule: Sendable {
    /// The time for which a resolved alert is kept, so that its resolution is sent again, ms.
    static let resolvedRetention: Int64 = 15 * 60_000

    let definition: RuleDefinition
    private let labelTemplates: [(name: String, template: AlertTemplate)]
    private let annotationTemplates: [(name: String, template: AlertTemplate)]
    private(set) var active: [Labels: ActiveAlert] = [:]
    /// The selectors of the expression, if the rule asks whether they have series.
    let selectors: [RuleSelector]
    /// The selectors that have had series, by their texts; only for `on_missing: fire`.
    var selectorsWithSeries: Set<ExactText> = []
    /// Whether the state before the start was restored; until then no `ALERTS` are written.
    var isRestored = true
    /// Whether there was an evaluation, successful or not.
    var hasBeenEvaluated = false

    /// Parses the templates.
    ///
    /// - Throws: `label "x": …` or `annotation "x": …`.
    init(_ definition: RuleDefinition) throws(RuleError) {
        self.definition = definition
        selectors = definition.onMissing == .resolve ? [] : RuleSelector.all(of: definition.expression.syntax)
        labelTemplates = try Self.parse(definition.labels, "label", definition.name)
        annotationTemplates = try Self.parse(definition.annotations, "annotation", definition.name)
    }

    private static func parse(
        _ labels: [Label], _ kind: String, _ alert: String
    ) throws(RuleError) -> [(name: String, template: AlertTemplate)] {
        var result: [(name: String, template: AlertTemplate)] = []
        for label in labels {
            do throws(TemplateError) {
                result.append((label.name, try AlertTemplate(label.value, alert: alert)))
            } catch {
                throw RuleError("\(kind) \(GoQuote.quote(label.name)): \(error.description)")
            }
        }
        return result
    }

    /// The rule's state: the highest state of its alerts.
    var state: AlertState {
        guard hasBeenEvaluated else { return .unknown }
        return active.values.map(\.state).max() ?? .inactive
    }

    /// Takes over the state of a replaced rule with the same name and labels.
    mutating func takeState(of old: AlertingRule) {
        active = old.active
        selectorsWithSeries = old.selectorsWithSeries
        isRestored = old.isRestored
        hasBeenEvaluated = old.hasBeenEvaluated
    }

    /// Moves the times of all alerts after the wall clock was set by `step` ms.
    mutating func shift(by step: Int64) { active = active.mapValues { $0.shifted(by: step) } }

    /// The alerts by labels, for a stable order.
    var alerts: [ActiveAlert] { active.values.sorted { $0.labels < $1.labels } }

    mutating func change(_ labels: Labels, _ body: (inout ActiveAlert) -> Void) {
        if var alert = active[labels] {
            body(&alert)
            active[labels] = alert
        }
    }

    /// Adds an alert that was active before a restart.
    mutating func add(_ alert: ActiveAlert) { active[alert.labels] = alert }

    // MARK: Evaluation

    /// Updates every alert to its state at `time` by the expression's result.
    ///
    /// - Returns: `ALERTS` and `ALERTS_FOR_STATE`, if the state was restored.
    mutating func evaluate(
        _ samples: [RuleSample], at time: Int64, in group: RuleGroupDefinition, _ environment: RuleEnvironment,
        warn: (String) -> Void
    ) throws(RuleError) -> [RuleSample] {
        let expansion = Expansion(time: time, queryOffset: group.queryOffset, environment)
        let found = try expand(samples, expansion, warn: warn)
        var missing: [Labels: ActiveAlert] = [:]
        if !selectors.isEmpty {
            missing = try missingAlerts(besides: found, expansion, RuleSelectorResults(group, environment), warn: warn)
        }
        for (labels, alert) in found {
            if var known = active[labels], known.state != .inactive {
                known.value = alert.value
                known.annotations = alert.annotations
                known.element = alert.element
                known.lastSeenAt = time
                known.missing = nil
                active[labels] = known
            } else {
                active[labels] = alert
            }
        }
        for (labels, alert) in missing { active[labels] = alert }
        var result: [RuleSample] = []
        var count = 0
        for alert in alerts {
            guard
                let next = advance(
                    alert, isPresent: found[alert.labels] != nil || missing[alert.labels] != nil, at: time)
            else {
                active[alert.labels] = nil
                continue
            }
            active[alert.labels] = next
            if next.state == .inactive { continue }
            count += 1
            if isRestored { append(next, to: &result) }
        }
        if group.limit > 0, count > group.limit {
            active = [:]
            throw RuleError("exceeded limit of \(group.limit) with \(count) alerts")
        }
        return result
    }

    /// The alert's next state; nil if it can be removed.
    private func advance(_ alert: ActiveAlert, isPresent: Bool, at time: Int64) -> ActiveAlert? {
        var alert = alert
        if !isPresent {
            var staysFiring = false
            if alert.state == .firing, definition.keepFiringFor > 0 {
                if alert.keepFiringSince == 0 { alert.keepFiringSince = time }
                staysFiring = time - alert.keepFiringSince < definition.keepFiringFor
            }
            if alert.state == .pending
                || (alert.resolvedAt != 0 && time - alert.resolvedAt > Self.resolvedRetention)
            {
                return nil
            }
            if alert.state != .inactive, !staysFiring {
                alert.state = .inactive
                alert.resolvedAt = time
            }
            if !staysFiring { return alert }
        } else {
            alert.keepFiringSince = 0
        }
        if alert.state == .pending, time - alert.activeAt >= definition.holdDuration {
            alert.state = .firing
            alert.firedAt = time
        } else if alert.state == .firing, alert.keepFiringSince == 0, time - alert.activeAt < definition.holdDuration {
            // The rule was reloaded with a longer `for`.
            alert.state = .pending
            alert.firedAt = 0
        }
        return alert
    }

    /// The facts and functions with which the templates of one evaluation are expanded.
    struct Expansion {
        let time: Int64
        let queryOffset: Int64
        let environment: RuleEnvironment
        fileprivate let functions: AlertTemplateFunctions

        init(time: Int64, queryOffset: Int64, _ environment: RuleEnvironment) {
            self.time = time
            self.queryOffset = queryOffset
            self.environment = environment
            let queryText = environment.queryText
            functions = AlertTemplateFunctions(now: time, externalURL: environment.externalURL) { text in
                try queryText(text, time - queryOffset).map { TemplateSample(labels: $0.labels, value: $0.value) }
            }
        }
    }

    /// The label sets and annotations of a result.
    func expand(
        _ samples: [RuleSample], _ expansion: Expansion, warn: (String) -> Void
    ) throws(RuleError) -> [Labels: ActiveAlert] {
        var found: [Labels: ActiveAlert] = [:]
        for sample in samples {
            let alert = expand(sample, expansion, warn: warn)
            guard found.updateValue(alert, forKey: alert.labels) == nil else {
                throw RuleError("vector contains metrics with the same labelset after applying alert labels")
            }
        }
        return found
    }

    /// The alert of one element of a result.
    func expand(_ sample: RuleSample, _ expansion: Expansion, warn: (String) -> Void) -> ActiveAlert {
        let environment = expansion.environment
        let data = TemplateData(
            labels: sample.labels, externalLabels: environment.externalLabels, externalURL: environment.externalURL,
            value: sample.histogram.map { .histogram($0, environment.histogramText($0)) } ?? .float(sample.value))
        func text(_ template: AlertTemplate) -> String {
            do throws(TemplateError) {
                let result = try template.expand(data, expansion.functions)
                environment.templateCounts.expanded(failed: false)
                return result
            } catch {
                environment.templateCounts.expanded(failed: true)
                warn(error.description)
                return "<error expanding template: \(error.description)>"
            }
        }
        var builder = LabelsBuilder(sample.labels)
        builder.remove(Labels.nameLabel)
        let element = selectors.isEmpty ? .empty : builder.labels()
        for (name, template) in labelTemplates { builder.set(name, text(template)) }
        builder.set("alertname", definition.name)
        // An annotation that expands to an empty text stays.
        let annotations = Labels(keepingEmpty: annotationTemplates.map { ($0.0, text($0.1)) })
        var alert = ActiveAlert(
            labels: builder.labels(), annotations: annotations, value: sample.value, activeAt: expansion.time)
        alert.element = element
        return alert
    }

    private func append(_ alert: ActiveAlert, to result: inout [RuleSample]) {
        // The alert's labels have precedence over the rule's, so that a label whose template is empty shows its text.
        var builder = LabelsBuilder(Labels(definition.labels.map { ($0.name, $0.value) }))
        for label in alert.labels.pairs { builder.set(label.name, label.value) }
        builder.set("alertname", definition.name)
        builder.set(Labels.nameLabel, "ALERTS_FOR_STATE")
        let forState = builder.labels()
        builder.set(Labels.nameLabel, "ALERTS")
        builder.set("alertstate", alert.state.name)
        result.append(RuleSample(labels: builder.labels(), value: 1))
        result.append(
            RuleSample(labels: forState, value: Double(CivilTime.floorDivide(alert.activeAt, 1000))))
    }

    // MARK: Sending

    /// The alerts that have to be sent at `time`; they are marked as sent.
    mutating func takeAlertsToSend(
        at time: Int64, interval: Int64, resendDelay: Int64, externalURL: String
    ) -> [Alert] {
        let due = active.values.filter { $0.needsSending(at: time, resendDelay: resendDelay) }
        if due.isEmpty { return [] }
        let validity = 4 * max(interval, resendDelay)
        let url = "\(externalURL)/graph?g0.expr=\(GoURL.queryEscape(definition.expression.text))&g0.tab=1"
        var result: [Alert] = []
        for alert in due.sorted(by: { $0.labels < $1.labels }) {
            change(alert.labels) {
                $0.lastSentAt = time
                $0.validUntil = time + validity
            }
            result.append(
                Alert(
                    labels: alert.labels, annotations: alert.annotations, startsAt: alert.firedAt,
                    endsAt: alert.resolvedAt != 0 ? alert.resolvedAt : time + validity, generatorURL: url,
                    updatedAt: time))
        }
        return result
    }
}
