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
            "notifications", "label/:name/values", "metadata", "targets", "targets/metadata", "scrape_pools",
            "alertmanagers", "rules", "alerts", "status/config", "status/flags", "status/buildinfo",
            "status/runtimeinfo", "status/tsdb", "status/rejected_samples", "status/walreplay",
        ] { all["/api/v1/" + path] = reads }
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
}
