import GoCompatibility
import HTTP
import JSON
import Model
import Rules

/// `rules`, `alerts` and `heartbeat`.
struct RuleHandlers: Sendable {
    let context: APIContext
    let overviews: QueryAdmission

    func rules(_ request: HTTPRequest) throws -> HTTPResponse {
        try Parameters.check(request)
        let type = GoCase.lower(request.parameter("type") ?? "")
        guard ["", "alert", "record"].contains(type) else {
            throw APIError.parameter("type", "not supported value \(GoQuote.quote(type))")
        }
        let page = try RulePage(request)
        let names = Set(request.parameters("rule_name[]").map { ExactText($0) })
        let groups = Set(request.parameters("rule_group[]").map { ExactText($0) })
        let files = Set(request.parameters("file[]").map { ExactText($0) })
        let selectors = try Parameters.selectors(request, context.engine, .plain)
        let hidesAlerts = try Parameters.boolean(request, "exclude_alerts", "error converting exclude_alerts") ?? false
        return try context.answer(request, overviews, .overview) { answer in
            let shown = try page.select(context.rules?.status() ?? []) { group -> RuleGroupStatus? in
                guard groups.isEmpty || groups.contains(ExactText(group.name)),
                    files.isEmpty || files.contains(ExactText(group.file))
                else {
                    return nil
                }
                var group = group
                group.rules = group.rules.filter { rule in
                    (type.isEmpty || (type == "alert") == (rule.kind == .alerting))
                        && (names.isEmpty || names.contains(ExactText(rule.name)))
                        && (selectors.isEmpty || selectors.contains { $0.allSatisfy { $0.matches(rule.labels) } })
                }
                let isFiltered = !type.isEmpty || !names.isEmpty || !selectors.isEmpty
                return group.rules.isEmpty && isFiltered ? nil : group
            }
            return try Envelope.success(capacity: 8192) { writer in
                try writer.object { writer in
                    writer.key("groups")
                    try writer.array(shown.page, answer) { group, writer in
                        try write(group, hidesAlerts, answer, &writer)
                    }
                    if let next = shown.next {
                        writer.key("groupNextToken")
                        writer.string(next)
                    }
                }
            }
        }
    }

    private static func time(_ milliseconds: Int64) -> String {
        milliseconds == 0 ? "0001-01-01T00:00:00Z" : RFC3339.text(milliseconds)
    }

    private func write(
        _ group: RuleGroupStatus, _ hidesAlerts: Bool, _ answer: AnswerAccount, _ writer: inout JSONWriter
    ) throws {
        try writer.object { writer in
            writer.key("name")
            writer.string(group.name)
            writer.key("file")
            writer.string(group.file)
            writer.key("rules")
            try writer.array(group.rules, answer) { rule, writer in try write(rule, hidesAlerts, answer, &writer) }
            writer.key("interval")
            writer.number(Double(group.interval) / 1000)
            writer.key("limit")
            writer.integer(group.limit)
            writer.key("evaluationTime")
            writer.number(Double(group.evaluationTime) / 1e9)
            writer.key("lastEvaluation")
            writer.string(Self.time(group.lastEvaluation))
        }
    }

    private func write(
        _ rule: RuleStatus, _ hidesAlerts: Bool, _ answer: AnswerAccount, _ writer: inout JSONWriter
    ) throws {
        try writer.object { writer in
            if rule.kind == .alerting {
                writer.key("state")
                writer.string(rule.state?.name ?? "unknown")
            }
            writer.key("name")
            writer.string(rule.name)
            writer.key("query")
            writer.string(rule.query)
            if rule.kind == .alerting {
                writer.key("duration")
                writer.number(Double(rule.holdDuration) / 1000)
                writer.key("keepFiringFor")
                writer.number(Double(rule.keepFiringFor) / 1000)
            }
            writer.key("labels")
            ResultWriter.labels(rule.labels, &writer)
            if rule.kind == .alerting {
                writer.key("annotations")
                ResultWriter.labels(rule.annotations, &writer)
                writer.key("alerts")
                if hidesAlerts {
                    writer.null()
                } else {
                    try writer.array(rule.alerts, answer) { alert, writer in write(alert, &writer) }
                }
            }
            writer.key("health")
            writer.string(rule.health.state.rawValue)
            if let error = rule.health.lastError {
                writer.key("lastError")
                writer.string(error)
            }
            writer.key("evaluationTime")
            writer.number(Double(rule.health.duration) / 1e9)
            writer.key("lastEvaluation")
            writer.string(Self.time(rule.health.lastEvaluation))
            writer.key("type")
            writer.string(rule.kind == .alerting ? "alerting" : "recording")
        }
    }

    private func write(_ alert: ActiveAlert, _ writer: inout JSONWriter) {
        writer.object { writer in
            writer.key("labels")
            ResultWriter.labels(alert.labels, &writer)
            writer.key("annotations")
            ResultWriter.labels(alert.annotations, &writer)
            writer.key("state")
            writer.string(alert.state.name)
            writer.key("activeAt")
            writer.string(Self.time(alert.activeAt))
            if alert.keepFiringSince != 0 {
                writer.key("keepFiringSince")
                writer.string(Self.time(alert.keepFiringSince))
            }
            writer.key("value")
            writer.string(FloatText.exponent(alert.value))
        }
    }

    /// Notes the heartbeat that the path names.
    func heartbeat(_ request: HTTPRequest) throws -> HTTPResponse {
        let name = request.pathParameters["name"] ?? ""
        guard let interval = try context.heartbeats?.call(name) else {
            throw APIError(
                status: 404, type: "not_found", message: "no heartbeat has the name \(GoQuote.quote(name))")
        }
        return Envelope.success { writer in
            writer.object { writer in
                writer.key("name")
                writer.string(name)
                writer.key("interval")
                writer.number(Double(interval) / 1000)
            }
        }
    }

    func alerts(_ request: HTTPRequest) throws -> HTTPResponse {
        try context.answer(request, overviews, .overview) { answer in
            let alerts = (context.rules?.status() ?? []).lazy.flatMap(\.rules).flatMap(\.alerts)
            return try Envelope.success { writer in
                try writer.object { writer in
                    writer.key("alerts")
                    try writer.array(alerts, answer) { alert, writer in write(alert, &writer) }
                }
            }
        }
    }
}
