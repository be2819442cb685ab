import API
import Glibc
import HTTP
import JSON
import Model
import Platform
import PromQL
import Rules
import Telemetry
import Testing

@Suite("HTTP API")
struct APITests {
    private let store = ArrayStore()
    private let router: Router

    init() throws {
        let group = store.openGroup("test")
        for series in 0..<3 {
            let labels = Labels([("__name__", "m"), ("i", "\(series)"), ("q", "a\"b\n")])
            let ref = store.resolve(labels, in: group)
            var batch = SampleBatch()
            for step in 0..<10 { batch.append(ref, Double(series * 100 + step), at: Int64(step) * 15_000) }
            _ = try store.commit(batch, in: group, durability: .written)
        }
        var context = APIContext.test(
            store, store: StoreStub(known: ["gone": MetricMetadata(type: .gauge, help: "Was here.")]))
        context.settings.flags = [("a.flag", "x")]
        router = context.router
    }

    private func get(
        _ path: String, _ query: [(String, String)] = [], method: String = "GET"
    ) -> (status: Int, text: String) {
        let response = router.handle(
            HTTPRequest(method: method, path: path, query: query.map { (name: $0.0, value: $0.1) }))
        return (response.status, String(decoding: response.body, as: UTF8.self))
    }

    @Test("lists of series and labels end at the memory of a query")
    func listsOverBudget() throws {
        var options = EngineOptions()
        options.maxMemoryPerQuery = 16
        let small = APIContext.test(store, engine: options).router
        for path in ["series", "labels", "label/i/values"] {
            let response = small.handle(
                HTTPRequest(method: "GET", path: "/api/v1/" + path, query: [(name: "match[]", value: "m")]))
            #expect(response.status == 422, "\(path)")
            let text = String(decoding: response.body, as: UTF8.self)
            #expect(text.contains("query uses too much memory to list what matches"), "\(text)")
        }
    }

    @Test("texts that a query makes of long labels end at its memory")
    func longTexts() throws {
        let store = ArrayStore()
        let group = store.openGroup("test")
        let long = String(repeating: "x", count: 1 << 20)
        let ref = store.resolve(Labels([("__name__", "m"), ("long", long)]), in: group)
        var batch = SampleBatch()
        batch.append(ref, 1, at: 60_000)
        _ = try store.commit(batch, in: group, durability: .written)
        var options = EngineOptions()
        options.maxMemoryPerQuery = 64 << 20
        let engine = QueryEngine(options: options)
        let groups = String(repeating: "$1", count: 100)
        let sources = [String](repeating: "\"long\"", count: 100).joined(separator: ", ")
        for query in [
            "label_replace(m, \"a\", \"\(groups)\", \"long\", \"(.*)\")", "label_join(m, \"a\", \"-\", \(sources))",
        ] {
            #expect(throws: QueryError.self) { try engine.instant(query, source: store, at: 60_000) }
        }
        for query in [
            "label_replace(m, \"a\", \"$1$1\", \"long\", \"(.*)\")", "label_join(m, \"a\", \"-\", \"long\", \"long\")",
            "count_values(\"v\", m)", "topk(1, m)",
        ] {
            _ = try engine.instant(query, source: store, at: 60_000)
        }
    }

    @Test("the largest and smallest numbers in any parameter are answered")
    func extremeParameters() {
        let numbers = [
            "0", "1", "-1", "9223372036854775807", "9223372036854775806", "-9223372036854775808", "9223372036854775808",
            "1e19", "-1e19", "1e308", "NaN", "Inf", "-Inf", "9223372036854775.807", "-9223372036854775.808", "1e-320",
        ]
        let paths: [(path: String, names: [String], query: [(String, String)])] = [
            ("series", ["limit", "start", "end"], [("match[]", "m")]),
            ("series", ["limit", "start", "end"], [("match[]", "nosuch")]),
            ("labels", ["limit", "start", "end"], []), ("label/i/values", ["limit", "start", "end"], []),
            ("query", ["limit", "time", "timeout", "lookback_delta"], [("query", "rate(m[1m] offset 1s)")]),
            (
                "query_range", ["limit", "start", "end", "step", "timeout", "lookback_delta"],
                [("query", "m"), ("start", "0"), ("end", "60"), ("step", "15")]
            ),
            ("query_exemplars", ["start", "end"], [("query", "m")]), ("metadata", ["limit", "limit_per_metric"], []),
            ("targets/metadata", ["limit"], []), ("status/tsdb", ["limit"], []), ("rules", ["group_limit"], []),
        ]
        for (path, names, query) in paths {
            for name in names {
                for number in numbers {
                    let rest = query.filter { $0.0 != name }
                    let answer = get("/api/v1/" + path, rest + [(name, number)])
                    #expect([200, 204, 400, 404, 422, 503].contains(answer.status), "\(path) \(name)=\(number)")
                    #expect(!answer.text.isEmpty || answer.status == 204)
                }
            }
        }
        #expect(get("/api/v1/series", [("match[]", "m"), ("limit", "9223372036854775807")]).status == 200)
    }

    @Test("an instant query")
    func instant() {
        let answer = get("/api/v1/query", [("query", "m{i=\"1\"}"), ("time", "60.5")])
        #expect(answer.status == 200)
        #expect(
            answer.text.contains(
                #""resultType":"vector","result":[{"metric":{"__name__":"m","i":"1","q":"a\"b\n"},"value":[60.500,"104"]}]"#
            ))
    }

    @Test("a range query")
    func range() {
        let answer = get("/api/v1/query_range", [("query", "sum(m)"), ("start", "0"), ("end", "30"), ("step", "15")])
        #expect(
            answer.text.contains(
                #""resultType":"matrix","result":[{"metric":{},"values":[[0,"300"],[15,"303"],[30,"306"]]}]"#))
    }

    @Test("scalars, strings and range vectors")
    func otherTypes() {
        #expect(get("/api/v1/query", [("query", "1.5"), ("time", "1")]).text.contains(#""scalar","result":[1,"1.5"]"#))
        #expect(get("/api/v1/query", [("query", "\"x\""), ("time", "1")]).text.contains(#""string","result":[1,"x"]"#))
        let ranges = get("/api/v1/query", [("query", "m{i=\"0\"}[20s]"), ("time", "30")]).text
        #expect(ranges.contains(#""values":[[15,"1"],[30,"2"]]"#))
    }

    struct Mistake: Sendable {
        var path: String
        var query: [(String, String)]
        var status: Int
        var type: String
        var text: String
    }

    static let badRequests = [
        Mistake(
            path: "/api/v1/query", query: [("query", "1+")], status: 400, type: "bad_data",
            text: "1:3: parse error: unexpected end of input"),
        Mistake(
            path: "/api/v1/query", query: [("query", "m"), ("time", "x")], status: 400, type: "bad_data",
            text: "to a valid timestamp"),
        Mistake(
            path: "/api/v1/query_range", query: [("query", "m"), ("start", "1"), ("end", "0"), ("step", "1")],
            status: 400, type: "bad_data", text: "end timestamp must not be before start time"),
        Mistake(
            path: "/api/v1/query_range", query: [("query", "m"), ("start", "0"), ("end", "1"), ("step", "0")],
            status: 400, type: "bad_data", text: "zero or negative query resolution"),
        Mistake(
            path: "/api/v1/query_range", query: [("query", "m"), ("start", "0"), ("end", "1"), ("step", "1e-9")],
            status: 400, type: "bad_data", text: "resolution step widths below 1 ms are not supported"),
        Mistake(
            path: "/api/v1/query_range", query: [("query", "m"), ("start", "0"), ("end", "99999"), ("step", "1")],
            status: 400, type: "bad_data", text: "exceeded maximum resolution"),
        Mistake(
            path: "/api/v1/query", query: [("query", "m + on() m")], status: 422, type: "execution",
            text: "found duplicate series for the match group"),
        Mistake(
            path: "/api/v1/series", query: [], status: 400, type: "bad_data", text: "no match[] parameter provided"),
        Mistake(
            path: "/api/v1/series", query: [("match[]", "{a=\"\"}")], status: 400, type: "bad_data",
            text: "match[] must contain at least one non-empty matcher"),
        Mistake(
            path: "/api/v1/admin/tsdb/snapshot", query: [], status: 500, type: "unavailable",
            text: "admin APIs disabled"),
    ]

    @Test("mistakes have Prometheus's status, type and words", arguments: badRequests)
    func mistakes(_ mistake: Mistake) {
        var query = mistake.query
        if mistake.path == "/api/v1/query", !query.contains(where: { $0.0 == "time" }) { query.append(("time", "60")) }
        let answer = get(mistake.path, query, method: mistake.path.contains("admin") ? "POST" : "GET")
        #expect(answer.status == mistake.status)
        #expect(answer.text.contains("\"errorType\":\"\(mistake.type)\""))
        #expect(answer.text.contains(mistake.text), "\(answer.text)")
    }

    @Test("a change of a store without space is a 503 that says when to come again; other failures are a 500")
    func changesWithoutSpace() throws {
        let busy = StoreBusy(description: "samples cannot be stored: no space")
        let failures: [(failure: any Error, status: Int)] = [
            (FileError("write", "wal/1", code: ENOSPC), 503), (FileError("mkdir", "s", code: EDQUOT), 503), (busy, 503),
            (FileError("write", "wal/1", code: EIO), 500),
        ]
        for (failure, status) in failures {
            var context = APIContext.test(store, store: StoreStub(failure: failure))
            context.settings.enablesAdmin = true
            for name in ["snapshot", "delete_series", "clean_tombstones"] {
                let answer = context.router.handle(
                    HTTPRequest(
                        method: "POST", path: "/api/v1/admin/tsdb/" + name, query: [(name: "match[]", value: "m")]))
                #expect(answer.status == status, "\(name): \(failure)")
                #expect(answer.headers.contains { $0.name == "Retry-After" } == (status == 503))
                let text = String(decoding: answer.body, as: UTF8.self)
                #expect(text.contains("\(failure)"), "\(text)")
            }
        }
    }

    @Test("metadata of metrics that no target shows comes from the store")
    func storedMetadata() {
        #expect(get("/api/v1/metadata").text.contains(#""gone":[{"type":"gauge","help":"Was here.","unit":""}]"#))
        #expect(get("/api/v1/metadata", [("metric", "other")]).text == #"{"status":"success","data":{}}"#)
    }

    @Test("statistics and explanations stand beside the result")
    func explained() throws {
        let stats = get("/api/v1/query", [("query", "m"), ("time", "60"), ("stats", "all")]).text
        #expect(stats.contains(#"],"stats":{"timings":{"evalTotalTime":"#))
        #expect(stats.contains(#""samples":{"totalQueryableSamples":3,"samplesRead":3,"peakSamples":"#))
        // The engine has the feature off.
        #expect(!stats.contains("PerStep"))
        #expect(!get("/api/v1/query", [("query", "m")]).text.contains("stats"))
        let analysis = try JSONValue.parse(
            get("/api/v1/query", [("query", "sum(m)"), ("time", "60"), ("explain", "analyze")]).text)
        #expect(analysis["data"]?["result"]?.array?.count == 1)
        let root = try #require(analysis["data"]?["explain"])
        #expect(root["node"]?.string == "aggregation")
        #expect(root["analysis"]?["series"]?.number == 1)
        #expect(root["children"]?.array?.first?["text"]?.string == "m")
        #expect(root["children"]?.array?.first?["analysis"]?["series"]?.number == 3)
        let plan = try JSONValue.parse(
            get(
                "/api/v1/query_range",
                [
                    ("query", "m"), ("start", "0"), ("end", "60"), ("step", "15"), ("explain", "plan"),
                ]
            ).text)
        #expect(plan["data"]?["resultType"]?.string == "matrix")
        #expect(plan["data"]?["result"]?.array?.isEmpty == true)
        #expect(plan["data"]?["explain"]?["analysis"] == nil)
        let wrong = get("/api/v1/query", [("query", "m"), ("explain", "x")])
        #expect(wrong.status == 400)
        #expect(wrong.text.contains("expected plan or analyze"))
    }

    @Test("labels, values and series")
    func metadata() {
        #expect(get("/api/v1/labels").text == #"{"status":"success","data":["__name__","i","q"]}"#)
        #expect(get("/api/v1/label/i/values").text == #"{"status":"success","data":["0","1","2"]}"#)
        let series = get("/api/v1/series", [("match[]", "m{i!=\"0\"}"), ("limit", "1")]).text
        #expect(series.contains(#"[{"__name__":"m","i":"1""#) && series.contains("results truncated due to limit"))
    }

    static let plain = [
        "/api/v1/targets", "/api/v1/rules", "/api/v1/alerts", "/api/v1/status/flags", "/api/v1/status/buildinfo",
        "/api/v1/status/runtimeinfo", "/api/v1/status/tsdb", "/api/v1/status/config", "/api/v1/metadata",
        "/api/v1/scrape_pools", "/api/v1/alertmanagers", "/api/v1/status/walreplay",
    ]

    @Test("routes without parameters answer with JSON", arguments: plain)
    func shapes(_ path: String) throws {
        let answer = get(path)
        #expect(answer.status == 200)
        #expect(try JSONValue.parse(answer.text)["status"]?.string == "success")
    }

    @Test("federation without selectors is empty, with a broken one a mistake")
    func federation() {
        #expect(get("/federate").text == "")
        #expect(get("/federate", [("match[]", "{")]).status == 400)
    }

    @Test("formatting and the syntax tree")
    func syntax() throws {
        let formatted = get("/api/v1/format_query", [("query", "sum ( m )by(a)")]).text
        #expect(formatted == #"{"status":"success","data":"sum by (a) (m)"}"#)
        let tree = try JSONValue.parse(get("/api/v1/parse_query", [("query", "m")]).text)
        #expect(tree["data"]?["type"]?.string == "vectorSelector")
    }
}
