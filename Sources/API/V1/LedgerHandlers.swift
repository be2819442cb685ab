import GoCompatibility
import HTTP
import JSON
import Model
import Rules

/// `notifications/ledger` and `notifications/why`.
struct LedgerHandlers: Sendable {
    let context: APIContext
    let overviews: QueryAdmission

    /// The most deliveries of an answer.
    private static let mostDeliveries = 5000
    private static let usualDeliveries = 100
    /// The most alerts of an answer.
    private static let mostAlerts = 200
    private static let usualAlerts = 20

    private func notifier() throws(APIError) -> any NotificationOverview {
        guard let notifier = context.notifications else {
            throw .unavailable("the built-in notifier does not run: it needs --alerting.config.file")
        }
        return notifier
    }

    func deliveries(_ request: HTTPRequest) throws -> HTTPResponse {
        try Parameters.check(request)
        let notifier = try notifier()
        var query = NotificationQuery()
        query.matchers = try matchers(request, notifier)
        query.receiver = text(request, "receiver")
        query.fingerprint = text(request, "fingerprint")
        query.outcome = text(request, "outcome")
        query.since = try Parameters.time(request, "since") ?? .min
        query.until = try Parameters.time(request, "until") ?? .max
        let limit = try Parameters.limit(request)
        query.limit = min(limit == 0 ? Self.usualDeliveries : limit, Self.mostDeliveries)
        return try context.answer(request, overviews, .overview) { answer in
            let deliveries = try Self.refusing { () throws(NotificationQueryError) in try notifier.deliveries(query) }
            return try Envelope.success(capacity: 8192) { writer in
                try writer.object { writer in
                    writer.key("deliveries")
                    try writer.array(deliveries, answer) { delivery, writer in writer.value(delivery) }
                }
            }
        }
    }

    func explanations(_ request: HTTPRequest) throws -> HTTPResponse {
        try Parameters.check(request)
        let notifier = try notifier()
        let matchers = try matchers(request, notifier)
        if matchers.isEmpty { throw APIError.parameter("filter", "at least one matcher is required") }
        let asked = try Parameters.limit(request)
        let limit = min(asked == 0 ? Self.usualAlerts : asked, Self.mostAlerts)
        return try context.answer(request, overviews, .overview) { answer in
            let rules = NamedRules(context.rules?.status() ?? [], matchers)
            // One more shows that there are more.
            let alerts = notifier.explanations(of: matchers, limit: limit + 1)
            let steps = alerts.isEmpty ? rules.steps : []
            let infos = alerts.count > limit ? ["only the first \(limit) alerts are explained"] : []
            return try Envelope.success(infos: infos, capacity: 4096) { writer in
                try writer.object { writer in
                    writer.key("alerts")
                    try writer.array(alerts.prefix(limit), answer) { alert, writer in
                        writer.object { writer in
                            writer.key("labels")
                            ResultWriter.labels(alert.labels, &writer)
                            for (key, value) in alert.members {
                                writer.key(key)
                                writer.value(value)
                            }
                            let rule = rules.rule(of: alert.labels)
                            write((rule.map { [$0] } ?? []) + alert.steps, &writer)
                        }
                    }
                    write(steps, &writer)
                }
            }
        }
    }

    private func write(_ steps: [ExplainedAlert.Step], _ writer: inout JSONWriter) {
        writer.key("steps")
        writer.array { writer in
            for step in steps {
                writer.object { writer in
                    writer.key("kind")
                    writer.string(step.kind)
                    writer.key("sentence")
                    writer.string(step.sentence)
                    for (key, value) in step.details {
                        writer.key(key)
                        writer.value(value)
                    }
                }
            }
        }
    }

    private func text(_ request: HTTPRequest, _ name: String) -> String? {
        request.parameter(name).flatMap { $0.isEmpty ? nil : $0 }
    }

    private func matchers(
        _ request: HTTPRequest, _ notifier: any NotificationOverview
    ) throws(APIError) -> [Matcher] {
        try Self.refusing { () throws(NotificationQueryError) in try notifier.matchers(request.parameters("filter")) }
    }

    private static func refusing<Result>(
        _ body: () throws(NotificationQueryError) -> Result
    ) throws(APIError) -> Result {
        do throws(NotificationQueryError) { return try body() } catch {
            throw .parameter(error.parameter, error.reason)
        }
    }
}

/// The alerting rules whose names matchers of `alertname` accept.
struct NamedRules {
    private let rules: [(group: RuleGroupStatus, rule: RuleStatus)]
    private let isNamed: Bool
    private let matchers: [Matcher]

    init(_ groups: [RuleGroupStatus], _ matchers: [Matcher]) {
        self.matchers = matchers
        let names = matchers.filter { $0.name == "alertname" }
        isNamed = names.contains { !$0.matches("") }
        rules = groups.flatMap { group in
            group.rules.lazy.filter { rule in
                rule.kind == .alerting && names.allSatisfy { $0.matches(rule.name) }
            }.map { (group, $0) }
        }
    }

    /// The rule that has made an alert: it has the name, and an active alert whose labels are all in those of the alert.
    ///
    /// External labels and relabelling may have added labels.
    func rule(of labels: Labels) -> ExplainedAlert.Step? {
        let name = labels["alertname"] ?? ""
        for (group, rule) in rules where rule.name.isExactly(name) {
            let alert = rule.active.values.first { alert in
                alert.state != .inactive
                    && alert.labels.pairs.allSatisfy { labels[$0.name]?.isExactly($0.value) ?? false }
            }
            guard let alert else { continue }
            let value = FloatText.exponent(alert.value)
            return ExplainedAlert.Step(
                "rule", "The rule \(name) of the group \(group.name) is \(alert.state.name) with the value \(value).",
                Self.details(group, rule) + [(key: "value", value: .string(value))])
        }
        return nil
    }

    private static func details(
        _ group: RuleGroupStatus, _ rule: RuleStatus
    ) -> [(key: String, value: JSONValue)] {
        [
            (key: "rule", value: .string(rule.name)), (key: "group", value: .string(group.name)),
            (key: "file", value: .string(group.file)), (key: "state", value: .string(rule.state?.name ?? "unknown")),
        ]
    }

    /// The steps if no alert matches.
    var steps: [ExplainedAlert.Step] {
        var steps = [ExplainedAlert.Step("no_match", "No alert matches, and the ledger knows none.")]
        guard isNamed else { return steps }
        if rules.isEmpty {
            steps.append(ExplainedAlert.Step("no_rule", "No alerting rule has this name."))
        }
        for (group, rule) in rules.prefix(Self.shown) { steps.append(step(group, rule)) }
        return steps
    }

    /// The most rules of a list.
    private static let shown = 20

    private func step(_ group: RuleGroupStatus, _ rule: RuleStatus) -> ExplainedAlert.Step {
        let subject = "The rule \(rule.name) of the group \(group.name)"
        let details = Self.details(group, rule)
        if let error = rule.health.lastError {
            return ExplainedAlert.Step(
                "rule_failed", "\(subject) cannot be evaluated: \(error).",
                details + [(key: "error", value: .string(error))])
        }
        let matching = rule.active.values.filter { alert in
            alert.state != .inactive && matchers.allSatisfy { $0.matches(alert.labels) }
        }
        if matching.contains(where: { $0.state == .firing }) {
            return ExplainedAlert.Step(
                "rule_firing",
                "\(subject) fires, but its alert has not reached the notifier, or was dropped or changed by "
                    + "alert_relabel_configs.", details)
        }
        if let first = matching.map(\.activeAt).min() {
            let fires = RFC3339.text(first.addingReportingOverflow(rule.holdDuration).partialValue)
            return ExplainedAlert.Step(
                "rule_pending",
                "\(subject) is pending since \(RFC3339.text(first)) and fires at \(fires) at the earliest.",
                details + [(key: "time", value: .string(fires))])
        }
        switch rule.state {
        case .pending, .firing:
            return ExplainedAlert.Step(
                "rule_inactive", "\(subject) is \(rule.state?.name ?? "active") with other labels only.", details)
        case .inactive:
            return ExplainedAlert.Step(
                "rule_inactive", "\(subject) is inactive: its expression has no result.", details)
        default: return ExplainedAlert.Step("rule_unknown", "\(subject) has not been evaluated yet.", details)
        }
    }
}
