import HTTP
import Model
import Platform
import PromQL
import Rules
import Telemetry
import Testing

@testable import API
@testable import HTTP

/// Which bodies each route reads, and which requests of a browser from another site it refuses.
@Suite("Policies of routes")
struct RoutePolicyTests {
    private static let queries = "GET none, OPTIONS none, POST form"
    private static let reads = "GET none, OPTIONS none"
    private static let changes = "OPTIONS none, POST form changes, PUT form changes"

    private static let expected: [String: String] = {
        var all: [String: String] = [:]
        for path in [
            "query", "query_range", "query_exemplars", "format_query", "parse_query", "series", "labels",
            "search/metric_names", "search/label_names", "search/label_values",
        ] { all["/api/v1/" + path] = queries }
        for path in [
            "notifications", "notifications/ledger", "notifications/why", "label/:name/values", "metadata", "targets",
            "targets/metadata", "scrape_pools",
            "alertmanagers", "rules", "alerts", "status/config", "status/flags", "status/buildinfo",
            "status/runtimeinfo", "status/tsdb", "status/rejected_samples", "status/walreplay",
        ] { all["/api/v1/" + path] = reads }
        all["/api/v1/heartbeat/:name"] = queries
        for path in ["snapshot", "delete_series"] { all["/api/v1/admin/tsdb/" + path] = changes }
        all["/api/v1/admin/tsdb/clean_tombstones"] = "OPTIONS none, POST none changes, PUT none changes"
        for path in ["/federate", "/metrics", "/-/healthy", "/-/ready", "/version"] { all[path] = "GET none" }
        for path in ["/-/reload", "/-/quit"] { all[path] = "GET none, POST none changes, PUT none changes" }
        return all
    }()

    @Test("every route has a policy that is written down here, and no other")
    func all() {
        let store = ArrayStore()
        var seen: [String: String] = [:]
        for route in APIContext.test(store).router.routes {
            seen[route.pattern] = route.actions.sorted { $0.key < $1.key }.map { method, action in
                "\(method) \(action.body)\(action.changesState ? " changes" : "")"
            }.joined(separator: ", ")
        }
        for (pattern, policy) in seen { #expect(policy == Self.expected[pattern], "\(pattern)") }
        for pattern in Self.expected.keys { #expect(seen[pattern] != nil, "\(pattern) is no route") }
    }

    /// The limit of the requests that run at once of each route, or the reason why there is none.
    private static let turns: [String: String] = {
        var all: [String: String] = [:]
        for path in [
            "query", "query_range", "query_exemplars", "format_query", "parse_query", "series", "labels",
            "label/:name/values", "search/metric_names", "search/label_names", "search/label_values", "status/tsdb",
        ] { all["/api/v1/" + path] = "queries" }
        all["/federate"] = "queries"
        for path in [
            "metadata", "targets", "targets/metadata", "scrape_pools", "alertmanagers", "rules", "alerts",
            "notifications/ledger", "notifications/why",
        ] { all["/api/v1/" + path] = "overviews" }
        for path in ["notifications", "status/flags", "status/buildinfo", "status/runtimeinfo", "status/walreplay"] {
            all["/api/v1/" + path] = "none: a few facts"
        }
        all["/api/v1/status/config"] = "none: a text that is in memory"
        all["/api/v1/status/rejected_samples"] = "none: the list has a largest length"
        for path in ["snapshot", "delete_series", "clean_tombstones"] {
            all["/api/v1/admin/tsdb/" + path] = "changes"
        }
        all["/api/v1/heartbeat/:name"] = "none: a constant"
        all["/metrics"] = "none: the number of metrics does not depend on samples, and overload must be visible"
        for path in ["/-/healthy", "/-/ready", "/version"] { all[path] = "none: a constant" }
        all["/-/reload"] = "none: needs a flag, and one runs at a time"
        all["/-/quit"] = "none: needs a flag"
        return all
    }()

    @Test("every route that costs more than a constant waits for its turn")
    func turns() throws {
        var options = EngineOptions()
        options.timeout = 5
        var context = APIContext.test(ArrayStore(), engine: options)
        context.settings.maxSearchLimit = 100
        context.settings.enablesAdmin = true
        context.notifications = NotifierStub()
        let (queries, overviews, changes) = (QueryAdmission(1), QueryAdmission(1), QueryAdmission(1))
        var routes = Router.Builder()
        APIRoutes.add(to: &routes, context, queries, overviews, changes)
        let router = Router(routes)
        var seen: [String: String] = [:]
        for (limit, admission) in [("queries", queries), ("overviews", overviews), ("changes", changes)] {
            try admission.run(waiting: 1, isCancelled: { false }) {
                for route in router.routes {
                    for method in route.actions.keys where method != "OPTIONS" {
                        let answer = router.handle(Self.request(method, route.pattern))
                        let isQueued = String(decoding: answer.body, as: UTF8.self).contains("timed out in query queue")
                        #expect(isQueued == (answer.status == 503), "\(method) \(route.pattern)")
                        if isQueued { seen[route.pattern] = limit }
                    }
                }
            }
        }
        for route in router.routes {
            let expected = try #require(Self.turns[route.pattern], "\(route.pattern)")
            #expect(seen[route.pattern] ?? "none" == expected.prefix { $0 != ":" }, "\(route.pattern)")
            // A handler that waits must leave threads for others.
            guard seen[route.pattern] != nil else { continue }
            for (method, action) in route.actions where method != "OPTIONS" {
                #expect(action.takesLong, "\(method) \(route.pattern)")
            }
        }
    }

    private static func request(_ method: String, _ pattern: String) -> HTTPRequest {
        HTTPRequest(
            method: method, path: pattern.replacing(":name", with: "a"),
            query: [
                ("query", "up"), ("match[]", "up"), ("start", "0"), ("end", "10"), ("step", "1"), ("label", "a"),
                ("filter", "a=\"b\""),
            ].map { (name: $0.0, value: $0.1) })
    }
}
