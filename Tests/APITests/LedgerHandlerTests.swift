import HTTP
import JSON
import Model
import Synchronization
import TestSupport
import Testing

@testable import API
@testable import Rules

/// A notifier that knows what a test says.
final class NotifierStub: NotificationOverview {
    let alerts: [ExplainedAlert]
    let asked = Mutex<[NotificationQuery]>([])

    init(_ alerts: [ExplainedAlert] = []) { self.alerts = alerts }

    func matchers(_ filters: [String]) throws(NotificationQueryError) -> [Matcher] {
        var matchers: [Matcher] = []
        for filter in filters {
            let pair = filter.split(separator: "=", maxSplits: 1)
            guard pair.count == 2 else { throw NotificationQueryError("filter", "bad matcher format: \(filter)") }
            matchers.append(Matcher(name: String(pair[0]), equals: String(pair[1])))
        }
        return matchers
    }

    func deliveries(_ query: NotificationQuery) throws(NotificationQueryError) -> [JSONValue] {
        asked.withLock { $0.append(query) }
        if query.outcome == "x" { throw NotificationQueryError("outcome", "it must be delivered or failed") }
        return [.object([(key: "receiver", value: .string("team"))])]
    }

    func explanations(of matchers: [Matcher], limit: Int) -> [ExplainedAlert] { Array(alerts.prefix(limit)) }
}

private struct RulesOfTest: RuleOverview {
    var rules: [RuleStatus]

    func status() -> [RuleGroupStatus] {
        [
            RuleGroupStatus(
                file: "f", name: "g", interval: 1, limit: 0, queryOffset: 0, rules: rules, lastEvaluation: 0,
                evaluationTime: 0,
                counts: .init(
                    evaluations: 0, failures: 0, iterations: 0, missed: 0, lastSamples: 0, restoreDuration: 0))
        ]
    }
}

@Suite("Ledger in the API")
struct LedgerHandlerTests {
    private static func rule(
        _ name: String, _ state: AlertState, _ alerts: [(Labels, AlertState)] = [], error: String? = nil
    ) -> RuleStatus {
        var health = RuleHealth()
        if let error { health.lastError = error }
        let active = alerts.map { labels, state in
            var alert = ActiveAlert(labels: labels, annotations: .empty, value: 1.5, activeAt: 1_700_000_000_000)
            alert.state = state
            return (labels, alert)
        }
        return RuleStatus(
            kind: .alerting, name: name, query: "1", labels: .empty, annotations: .empty, holdDuration: 60_000,
            keepFiringFor: 0, health: health, state: state, active: Dictionary(uniqueKeysWithValues: active))
    }

    private static func ask(
        _ path: String, _ query: [(String, String)], _ notifier: NotifierStub?, _ rules: [RuleStatus] = []
    ) throws -> (status: Int, value: JSONValue) {
        var context = APIContext.test(ArrayStore())
        context.notifications = notifier
        context.rules = RulesOfTest(rules: rules)
        let response = context.router.handle(
            HTTPRequest(
                method: "GET", path: "/api/v1/notifications/" + path,
                query: query.map { (name: $0.0, value: $0.1) }))
        return (response.status, try JSONValue.parse(response.body))
    }

    @Test("the filters of the ledger reach the notifier")
    func filters() throws {
        let notifier = NotifierStub()
        let query = [
            ("filter", "a=1"), ("filter", "b=2"), ("receiver", "team"), ("fingerprint", "00000000000000ff"),
            ("outcome", "failed"), ("since", "10"), ("until", "20.5"), ("limit", "7"),
        ]
        let answer = try Self.ask("ledger", query, notifier)
        #expect(answer.status == 200)
        #expect(answer.value["data"]?["deliveries"]?.array?.first?["receiver"]?.string == "team")
        let asked = try #require(notifier.asked.withLock { $0.first })
        #expect(asked.matchers.map(\.description) == [#"a="1""#, #"b="2""#])
        #expect(asked.receiver == "team" && asked.fingerprint == "00000000000000ff" && asked.outcome == "failed")
        #expect(asked.since == 10_000 && asked.until == 20_500 && asked.limit == 7)
        _ = try Self.ask("ledger", [("limit", "1000000")], notifier)
        _ = try Self.ask("ledger", [], notifier)
        #expect(notifier.asked.withLock { $0.map(\.limit) } == [7, 5000, 100])
    }

    @Test(
        "wrong parameters are refused with their names",
        arguments: [
            ("ledger", "filter", "x"), ("ledger", "outcome", "x"), ("ledger", "since", "x"), ("ledger", "until", "x"),
            ("ledger", "limit", "x"), ("why", "filter", "x"), ("why", "limit", "x"), ("why", "filter", ""),
        ])
    func refused(_ path: String, _ name: String, _ value: String) throws {
        let query = name == "filter" ? (value.isEmpty ? [] : [(name, value)]) : [("filter", "a=1"), (name, value)]
        let answer = try Self.ask(path, query, NotifierStub())
        #expect(answer.status == 400)
        #expect(answer.value["error"]?.string?.contains("\"\(name)\"") ?? false)
    }

    @Test("without a notifier both are unavailable", arguments: ["ledger", "why"])
    func unavailable(_ path: String) throws {
        let answer = try Self.ask(path, [("filter", "a=1")], nil)
        #expect(answer.status == 500 && answer.value["errorType"]?.string == "unavailable")
    }

    private static func kinds(_ name: String, _ rules: [RuleStatus], _ more: [(String, String)] = []) throws -> [String]
    {
        let query = [("filter", "alertname=\(name)")] + more
        let answer = try ask("why", query, NotifierStub(), rules)
        #expect(answer.value["data"]?["alerts"]?.array?.isEmpty == true)
        return (answer.value["data"]?["steps"]?.array ?? []).map { $0["kind"]?.string ?? "" }
    }

    @Test("if no alert matches, the state of the rules with the name is the reason")
    func noMatch() throws {
        let web = Labels([("alertname", "Down"), ("job", "web")])
        #expect(try Self.kinds("Down", []) == ["no_match", "no_rule"])
        #expect(try Self.kinds("Down", [Self.rule("Up", .firing)]) == ["no_match", "no_rule"])
        #expect(try Self.kinds("Down", [Self.rule("Down", .inactive)]) == ["no_match", "rule_inactive"])
        #expect(try Self.kinds("Down", [Self.rule("Down", .unknown)]) == ["no_match", "rule_unknown"])
        #expect(
            try Self.kinds("Down", [Self.rule("Down", .pending, [(web, .pending)])]) == ["no_match", "rule_pending"])
        #expect(try Self.kinds("Down", [Self.rule("Down", .firing, [(web, .firing)])]) == ["no_match", "rule_firing"])
        #expect(
            try Self.kinds("Down", [Self.rule("Down", .firing, [(web, .firing)])], [("filter", "job=db")])
                == ["no_match", "rule_inactive"])
        #expect(
            try Self.kinds("Down", [Self.rule("Down", .unknown, error: "no such function")])
                == ["no_match", "rule_failed"])
        let pending = try Self.ask(
            "why", [("filter", "alertname=Down")], NotifierStub(), [Self.rule("Down", .pending, [(web, .pending)])])
        #expect(
            pending.value["data"]?["steps"]?.array?.last?["sentence"]?.string
                == "The rule Down of the group g is pending since 2023-11-14T22:13:20Z and fires at 2023-11-14T22:14:20Z at the "
                + "earliest.")
    }

    @Test("an alert of a rule names it and its value, also with labels that were added later")
    func rule() throws {
        let labels = Labels([("alertname", "Down"), ("job", "web"), ("site", "lab")])
        let step = ExplainedAlert.Step("waiting", "It waits.", [(key: "time", value: .string("t"))])
        let alert = ExplainedAlert(labels: labels, members: [(key: "state", value: .string("firing"))], steps: [step])
        let own = Labels([("alertname", "Down"), ("job", "web")])
        let answer = try Self.ask(
            "why", [("filter", "alertname=Down"), ("limit", "1")], NotifierStub([alert, alert]),
            [Self.rule("Down", .firing, [(own, .firing)])])
        let shown = try #require(answer.value["data"]?["alerts"]?.array?.first)
        #expect(shown["labels"]?["site"]?.string == "lab" && shown["state"]?.string == "firing")
        let steps = shown["steps"]?.array ?? []
        #expect(steps.map { $0["kind"]?.string } == ["rule", "waiting"])
        #expect(steps.first?["group"]?.string == "g" && steps.first?["value"]?.string == "1.5e+00")
        #expect(steps.last?["time"]?.string == "t" && steps.last?["sentence"]?.string == "It waits.")
        #expect(answer.value["data"]?["alerts"]?.array?.count == 1)
        #expect(answer.value["infos"]?.array?.first?.string == "only the first 1 alerts are explained")
    }
}
