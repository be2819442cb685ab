import API
import HTTP
import JSON
import Model
import Platform
import PromQL
import Rules
import Telemetry
import Testing

/// A request and its answer.
struct RequestCase: Sendable, CustomTestStringConvertible {
    var path: String
    var query: [(String, String)]
    var status: Int
    /// The whole error; nil if there is none.
    var error: String?

    init(_ path: String, _ query: [(String, String)], _ status: Int, _ error: String? = nil) {
        self.path = "/api/v1/" + path
        self.query = query
        self.status = status
        self.error = error
    }

    var testDescription: String { "\(path) \(query)" }
}

/// Requests, and what Prometheus answers to them: the status and the text of the error.
@Suite("Error texts")
struct ErrorTextTests {
    private static func unreadable(_ name: String, _ text: String = "x") -> String {
        #"invalid parameter "\#(name)": invalid time value for '\#(name)': cannot parse "\#(text)" to a valid timestamp"#
    }

    static let timeCases: [RequestCase] =
        ["0x10", "2020-02-30T00:00:00Z", "2020-01-01T23:59:60Z", "2020-01-01t00:00:00Z", "2020-01-01T00:00:00z"].map {
            RequestCase("query", [("query", "1"), ("time", $0)], 400, unreadable("time", $0))
        }
        + ["0x1p4", "1_000", "2023-01-01T00:00:00,5Z", "2020-01-01T5:00:00Z", "+5", ".5", "5."].map {
            RequestCase("query", [("query", "1"), ("time", $0)], 200)
        }
        + ["series", "labels", "label/i/values"].flatMap { path in
            ["start", "end"].map { RequestCase(path, [("match[]", "m"), ($0, "x")], 400, unreadable($0)) }
        } + [
            RequestCase("query_exemplars", [("query", "m"), ("start", "x")], 400, unreadable("start")),
            RequestCase("admin/tsdb/delete_series", [("match[]", "m"), ("end", "x")], 400, unreadable("end")),
            RequestCase(
                "query_range", [("query", "m"), ("start", "x"), ("end", "1"), ("step", "1")], 400,
                #"invalid parameter "start": cannot parse "x" to a valid timestamp"#),
            RequestCase(
                "query_range", [("query", "m"), ("start", "0"), ("step", "1")], 400,
                #"invalid parameter "end": cannot parse "" to a valid timestamp"#),
            RequestCase("series", [("match[]", "m"), ("start", "5"), ("end", "1")], 200),
            RequestCase(
                "query_exemplars", [("query", "m"), ("start", "2"), ("end", "1")], 400,
                "end timestamp must not be before start timestamp"),
        ]

    static let numberCases: [RequestCase] = [
        RequestCase(
            "query", [("query", "1"), ("lookback_delta", "x")], 400,
            #"error parsing lookback delta duration: cannot parse "x" to a valid duration"#),
        RequestCase(
            "query", [("query", "1"), ("timeout", "x")], 400,
            #"invalid parameter "timeout": cannot parse "x" to a valid duration"#),
        RequestCase(
            "query", [("query", "1"), ("timeout", "1e30")], 400,
            #"invalid parameter "timeout": cannot parse "1e30" to a valid duration. It overflows int64"#),
        RequestCase("query", [("query", "1"), ("timeout", "0")], 503, "query timed out in query execution"),
        RequestCase("query", [("query", "1"), ("timeout", "-1")], 503, "query timed out in query execution"),
        RequestCase(
            "query", [("query", "1"), ("limit", "x")], 400,
            #"invalid parameter "limit": strconv.Atoi: parsing "x": invalid syntax"#),
        RequestCase(
            "series", [("match[]", "m"), ("limit", "9223372036854775808")], 400,
            #"invalid parameter "limit": strconv.Atoi: parsing "9223372036854775808": value out of range"#),
        RequestCase(
            "rules", [("group_limit", "2147483648")], 400,
            #"invalid parameter "group_limit": group_limit needs to be a valid number: "#
                + #"strconv.ParseInt: parsing "2147483648": value out of range"#),
        RequestCase(
            "rules", [("group_limit", "x")], 400,
            #"invalid parameter "group_limit": group_limit needs to be a valid number: "#
                + #"strconv.ParseInt: parsing "x": invalid syntax"#),
        RequestCase("rules", [("group_limit", "2147483647")], 200),
        RequestCase("labels", [("limit", "-1")], 400, #"invalid parameter "limit": limit must be non-negative"#),
        RequestCase("labels", [("limit", "9223372036854775807")], 200),
        RequestCase("metadata", [("limit", "x")], 400, "limit must be a number"),
        RequestCase("metadata", [("limit_per_metric", "x")], 400, "limit_per_metric must be a number"),
        RequestCase("targets/metadata", [("limit", "x")], 400, "limit must be a number"),
        RequestCase("targets/metadata", [("limit", "-1")], 200),
        RequestCase("status/tsdb", [("limit", "0")], 400, "limit must be a positive number"),
        RequestCase("status/tsdb", [("limit", "x")], 400, "limit must be a positive number"),
        RequestCase("status/tsdb", [("limit", "10001")], 400, "limit must not exceed 10000"),
        RequestCase(
            "rules", [("exclude_alerts", "x")], 400,
            #"invalid parameter "exclude_alerts": error converting exclude_alerts: strconv.ParseBool: parsing "x": invalid syntax"#
        ),
        RequestCase(
            "admin/tsdb/snapshot", [("skip_head", "x")], 400,
            #"invalid parameter "skip_head": unable to parse boolean 'skip_head' argument: strconv.ParseBool: parsing "x": invalid syntax"#
        ),
    ]

    private static let broken = "1:2: parse error: unexpected end of input inside braces"
    private static let empty = "match[] must contain at least one non-empty matcher"

    static let selectorCases: [RequestCase] = [
        RequestCase("series", [("match[]", "{")], 400, #"invalid parameter "match[]": "# + broken),
        RequestCase("series", [("match[]", "{}")], 400, #"invalid parameter "match[]": "# + empty),
        RequestCase("admin/tsdb/delete_series", [("match[]", "{")], 400, #"invalid parameter "match[]": "# + broken),
        RequestCase("labels", [("match[]", "{")], 400, broken),
        RequestCase("labels", [("match[]", "{}")], 400, empty),
        RequestCase("label/i/values", [("match[]", "{")], 400, broken),
        RequestCase("rules", [("match[]", "{")], 400, broken),
        RequestCase("targets/metadata", [("match_target", "{")], 400, #"invalid parameter "match_target": "# + broken),
        RequestCase("targets/metadata", [("match_target", "{}")], 200),
        RequestCase("series", [("match[]", #"m{__name__="m"}"#)], 200),
        RequestCase("labels", [("match[]", #"m{__name__="m"}"#)], 200),
        RequestCase("query_exemplars", [("query", "1+")], 400, "1:3: parse error: unexpected end of input"),
        RequestCase("query_exemplars", [("query", "1")], 204),
        RequestCase("label/\u{FFFD}/values", [], 400, "invalid label name: \"\u{FFFD}\""),
    ]

    private let router: Router

    init() throws {
        let store = ArrayStore()
        let group = store.openGroup("test")
        let ref = store.resolve(Labels([("__name__", "m"), ("i", "1")]), in: group)
        var batch = SampleBatch()
        batch.append(ref, 1, at: 1000)
        _ = try store.commit(batch, in: group, durability: .written)
        let exemplar = Exemplar(labels: .empty, value: 1, timestamp: 1)
        var context = APIContext.test(store, store: StoreStub(found: [(Labels([("__name__", "m")]), [exemplar])]))
        context.settings.enablesAdmin = true
        router = context.router
    }

    private func ask(_ path: String, _ query: [(String, String)]) -> (status: Int, text: String) {
        let response = router.handle(
            HTTPRequest(
                method: path.contains("/admin/") ? "POST" : "GET", path: path,
                query: query.map { (name: $0.0, value: $0.1) }))
        return (response.status, String(decoding: response.body, as: UTF8.self))
    }

    @Test("requests get Prometheus's status and text", arguments: timeCases + numberCases + selectorCases)
    func texts(_ one: RequestCase) throws {
        let answer = ask(one.path, one.query)
        #expect(answer.status == one.status, "\(answer.text)")
        guard let error = one.error else { return }
        #expect(try JSONValue.parse(answer.text)["error"]?.string == error)
    }

    @Test("times are rounded as Prometheus rounds them, and scalars show as few places as they need")
    func roundedTimes() {
        for (time, shown) in [("1.0005", "1.000"), ("-1.0005", "-1"), ("1.5", "1.5"), ("1.001", "1.001"), ("2", "2")] {
            let answer = ask("/api/v1/query", [("query", "1"), ("time", time)]).text
            #expect(
                answer.contains(#""result":[\#(shown == "1.000" ? "1" : shown),"1"]"#), "\(time): \(answer)")
        }
        let statistics = ask("/api/v1/query", [("query", "1"), ("time", "1"), ("stats", "all")]).text
        #expect(statistics.contains(#""peakSamples":1"#))
    }

    @Test("long expressions are printed and searched on a stack that has room for them")
    func longExpressions() {
        let query = [String](repeating: "x", count: 5900).joined(separator: " + ")
        for path in ["/api/v1/format_query", "/api/v1/parse_query"] {
            #expect(ask(path, [("query", query)]).text.hasPrefix(#"{"status":"success""#), "\(path)")
        }
        #expect(ask("/api/v1/query_exemplars", [("query", query)]).text.hasPrefix(#"{"status":"success""#))
    }

    @Test("exemplars of a series that several selectors match are shown once")
    func exemplars() throws {
        let answer = try JSONValue.parse(ask("/api/v1/query_exemplars", [("query", "m + m")]).text)
        #expect(answer["data"]?.array?.count == 1)
    }

    @Test("targets on this machine are shown under the address that others reach")
    func globalURLs() {
        let address = PublicAddress(externalURL: "https://mon.example.org:8443/p", ownPort: "9090")
        #expect(address.globalURL("http://localhost:9100/metrics") == "http://mon.example.org:9100/metrics")
        #expect(
            address.globalURL("http://127.0.0.1:9090/p/metrics?a=b") == "https://mon.example.org:8443/p/metrics?a=b")
        #expect(address.globalURL("http://[::1]:9100/metrics") == "http://mon.example.org:9100/metrics")
        #expect(address.globalURL("http://10.0.0.1:9090/metrics") == "http://10.0.0.1:9090/metrics")
        #expect(address.globalURL("http://localhost/metrics") == "http://localhost/metrics")
        let known = PublicAddress(externalURL: "https://u:SECRET@[::5]:84", ownPort: "9090")
        #expect(known.globalURL("http://127.0.0.1:9090/x") == "https://[::5]:84/x")
        #expect(known.globalURL("http://127.0.0.1:1/x") == "http://[::5]:1/x")
        let bare = PublicAddress(externalURL: "http://example.org", ownPort: "9090")
        #expect(bare.globalURL("http://localhost:9100/m") == "http://example.org:9100/m")
    }
}
