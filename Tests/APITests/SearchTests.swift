import HTTP
import JSON
import Model
import Platform
import PromQL
import Rules
import Telemetry
import TestSupport
import Testing

@testable import API

/// `/api/v1/search/…`.
@Suite("Search")
struct SearchTests {
    private static let names = [
        "go_gc_duration_seconds", "go_gc_heap_goal_bytes", "go_goroutines", "process_cpu_seconds_total", "up",
    ]

    private static func router(_ maxLimit: Int? = 10_000) throws -> Router {
        let store = ArrayStore()
        let group = store.openGroup("test")
        for name in names {
            let ref = store.resolve(Labels([("__name__", name), ("job", "j<&>")]), in: group)
            var batch = SampleBatch()
            batch.append(ref, 1, at: 60_000)
            _ = try store.commit(batch, in: group, durability: .written)
        }
        var context = APIContext.test(store)
        context.settings.maxSearchLimit = maxLimit
        return context.router
    }

    private static func ask(
        _ kind: String, _ query: [(String, String)] = [], method: String = "GET", maxLimit: Int? = 10_000
    ) throws -> (status: Int, type: String, lines: [String]) {
        let response = try router(maxLimit).handle(
            HTTPRequest(
                method: method, path: "/api/v1/search/" + kind,
                query: [(name: "start", value: "0"), (name: "end", value: "100")]
                    + query.map { (name: $0.0, value: $0.1) }))
        let type = response.headers.first { $0.name == "Content-Type" }?.value ?? ""
        let text = String(decoding: response.body, as: UTF8.self)
        #expect(text.hasSuffix("\n") || response.status != 200)
        return (response.status, type, text.split(separator: "\n").map(String.init))
    }

    /// The names of all lines but the last.
    private static func found(_ kind: String, _ query: [(String, String)]) throws -> [String] {
        let answer = try ask(kind, query)
        #expect(answer.status == 200, "\(answer)")
        return try answer.lines.dropLast().flatMap { line in
            try JSONValue.parse(line)["results"]?.array?.compactMap { $0["name"]?.string } ?? []
        }
    }

    @Test("lines of records and a last line are answered, to GET and POST", arguments: ["GET", "POST"])
    func form(_ method: String) throws {
        let answer = try Self.ask("metric_names", [("search[]", "go_gc")], method: method)
        #expect(answer.status == 200)
        #expect(answer.type == "application/x-ndjson; charset=utf-8")
        #expect(
            answer.lines == [
                #"{"results":[{"name":"go_gc_duration_seconds"},{"name":"go_gc_heap_goal_bytes"}]}"#,
                #"{"status":"success","has_more":false}"#,
            ])
        #expect(
            try Self.ask("metric_names", [("search[]", "nosuch")]).lines == [
                #"{"results":[]}"#, #"{"status":"success","has_more":false}"#,
            ])
        #expect(try Self.found("label_names", []) == ["__name__", "job"])
        #expect(try Self.found("label_values", [("label", "job")]) == ["j<&>"])
        #expect(try Self.found("label_values", [("label", "nosuch")]).isEmpty)
    }

    @Test("limits and batches cut the lines, and the last one says that there is more")
    func limits() throws {
        #expect(
            try Self.ask("metric_names", [("limit", "3"), ("batch_size", "2")]).lines == [
                #"{"results":[{"name":"go_gc_duration_seconds"},{"name":"go_gc_heap_goal_bytes"}]}"#,
                #"{"results":[{"name":"go_goroutines"}]}"#, #"{"status":"success","has_more":true}"#,
            ])
        for limit in ["5", "6", "0", "9223372036854775807"] {
            #expect(
                try Self.ask("metric_names", [("limit", limit)], maxLimit: 0).lines.last
                    == #"{"status":"success","has_more":false}"#, "limit=\(limit)")
        }
        // A smaller cap lowers the limit that is not given.
        let capped = try Self.ask("metric_names", maxLimit: 2)
        #expect(capped.lines.last == #"{"status":"success","has_more":true}"#)
        #expect(capped.lines.first?.contains("go_goroutines") == false)
    }

    @Test("names come by alphabet up and down, and by score")
    func orders() throws {
        #expect(try Self.found("metric_names", []) == Self.names)
        #expect(try Self.found("metric_names", [("sort_by", "alpha")]) == Self.names)
        #expect(
            try Self.found("metric_names", [("sort_by", "alpha"), ("sort_dir", "dsc"), ("limit", "2")])
                == ["up", "process_cpu_seconds_total"])
        #expect(
            try Self.found("metric_names", [("search[]", "seconds"), ("sort_by", "score")])
                == ["process_cpu_seconds_total", "go_gc_duration_seconds"])
        // Several terms: any of them.
        #expect(
            try Self.found("metric_names", [("search[]", "up"), ("search[]", "goal"), ("sort_by", "score")])
                == ["up", "go_gc_heap_goal_bytes"])
        #expect(
            try Self.ask("metric_names", [("search[]", "up"), ("include_score", "true")]).lines.first
                == #"{"results":[{"name":"up","score":1}]}"#)
    }

    @Test("selectors, times and letters' case narrow what is found")
    func narrow() throws {
        #expect(try Self.found("metric_names", [("match[]", #"{__name__=~"go.*"}"#), ("search[]", "goal")]).count == 1)
        #expect(try Self.found("metric_names", [("match[]", "up"), ("match[]", "go_goroutines")]).count == 2)
        #expect(try Self.found("metric_names", [("search[]", "UP")]).isEmpty)
        #expect(try Self.found("metric_names", [("search[]", "UP"), ("case_sensitive", "false")]) == ["up"])
        // Without times the last hour counts.
        let recent = try Self.router().handle(
            HTTPRequest(method: "GET", path: "/api/v1/search/metric_names", query: []))
        #expect(String(decoding: recent.body, as: UTF8.self).hasPrefix(#"{"results":[]}"#))
    }

    @Test(
        "parameters that cannot be used are 400 with Prometheus's texts",
        arguments: [
            ([("start", "x")], "invalid time value for 'start': cannot parse \"x\" to a valid timestamp"),
            ([("fuzz_threshold", "101")], "invalid fuzz_threshold \"101\": must be 0-100"),
            ([("fuzz_threshold", "-1")], "invalid fuzz_threshold \"-1\": must be 0-100"),
            ([("fuzz_alg", "x")], "unsupported fuzz_alg \"x\": must be one of [subsequence jarowinkler]"),
            ([("case_sensitive", "x")], "invalid case_sensitive \"x\": must be boolean"),
            ([("include_score", "x")], "invalid include_score \"x\": must be boolean"),
            ([("sort_dir", "asc")], "sort_dir is only valid when sort_by is set"),
            ([("sort_by", "score"), ("sort_dir", "asc")], "sort_dir is not supported for sort_by=score"),
            ([("sort_by", "alpha"), ("sort_dir", "x")], "invalid sort_dir \"x\": must be \"asc\" or \"dsc\""),
            ([("sort_by", "score")], "sort_by=score requires search[] to be set"),
            ([("sort_by", "x")], "invalid sort_by \"x\" for label_values: must be \"alpha\" or \"score\""),
            ([("limit", "-1")], "invalid limit \"-1\": must be non-negative integer"),
            ([("limit", "x")], "invalid limit \"x\": must be non-negative integer"),
            ([("limit", "10001")], "limit 10001 exceeds the configured maximum (10000, see --web.search.max-limit)"),
            ([("batch_size", "-1")], "invalid batch_size \"-1\": must be non-negative integer"),
            ([("match[]", "{}")], "match[] must contain at least one non-empty matcher"),
            ([("label", "")], "missing required parameter \"label\""),
        ] as [([(String, String)], String)])
    func mistakes(_ query: [(String, String)], _ text: String) throws {
        // A parameter that stands twice counts with its first value.
        let response = try Self.router().handle(
            HTTPRequest(
                method: "GET", path: "/api/v1/search/label_values", query: query.map { (name: $0.0, value: $0.1) }))
        #expect(response.status == 400)
        let body = try JSONValue.parse(String(decoding: response.body, as: UTF8.self))
        #expect(body["errorType"]?.string == "bad_data")
        #expect(body["error"]?.string == text)
    }

    @Test("an end before the start, and too many terms, are refused; without the feature all is")
    func refusals() throws {
        #expect(try Self.ask("metric_names", [], maxLimit: nil).status == 500)
        #expect(
            try Self.ask("metric_names", [], maxLimit: nil).lines
                == [#"{"status":"error","errorType":"unavailable","error":"search API disabled"}"#])
        let terms = (0..<33).map { ("search[]", "\($0)") }
        #expect(try Self.ask("metric_names", terms).lines[0].contains("too many search[] terms: got 33, maximum is 32"))
        #expect(try Self.ask("metric_names", Array(terms.dropLast())).status == 200)
        let backwards = try Self.router().handle(
            HTTPRequest(
                method: "GET", path: "/api/v1/search/label_names",
                query: [(name: "start", value: "2"), (name: "end", value: "1")]))
        #expect(backwards.status == 400)
    }

    private static func score(
        _ term: String, _ value: String, _ algorithm: SearchAlgorithm = .subsequence, _ threshold: Double = 0
    ) -> Double? {
        SearchTerm(term, algorithm, threshold: threshold, isCaseSensitive: true).score(value)
    }

    @Test("scores of subsequences reward runs and count gaps")
    func subsequences() {
        #expect(Self.score("abc", "abc") == 1)
        #expect(Self.score("abc", "abcd") == 1)
        #expect(Self.score("", "x") == 1)
        #expect(Self.score("abc", "ab") == nil)
        #expect(Self.score("abc", "acb") == nil)
        #expect(Self.score("é", "e") == nil)
        // Two before, a run of three, one behind: (9 - 2/6 - 1/12) / 9.
        #expect(abs((Self.score("abc", "xxabcx") ?? 0) - (9 - 2.0 / 6 - 1.0 / 12) / 9) < 1e-12)
        // Two runs with one between: (4 + 1 - 1/5 - 1/5) / 9, the first letter costs its share.
        #expect(abs((Self.score("abc", "xabxc") ?? 0) - (5 - 2.0 / 5) / 9) < 1e-12)
        // The later beginning is the better one.
        #expect((Self.score("ab", "axxab") ?? 0) > 0.8)
        #expect(Self.score("abc", "xabxc", .subsequence, 0.6) == nil)
    }

    @Test("scores of Jaro and Winkler are those of the literature")
    func jaroWinkler() {
        let cases: [(String, String, Double)] = [
            ("MARTHA", "MARHTA", 0.9611), ("DWAYNE", "DUANE", 0.84), ("DIXON", "DICKSONX", 0.8133), ("abc", "xyz", 0),
        ]
        for (a, b, expected) in cases {
            let (a, b) = (Array(a.unicodeScalars), Array(b.unicodeScalars))
            #expect(abs(JaroWinkler.similarity(a, b) - expected) < 1e-4)
            #expect(abs(JaroWinkler.similarity(b, a) - expected) < 1e-4)
        }
        #expect(Self.score("oo", "foo", .jaroWinkler) == 0.9)
        #expect(Self.score("fo", "foo", .jaroWinkler) == 1)
        #expect(Self.score("MARTHA", "MARHTA", .jaroWinkler) == nil)
        #expect((Self.score("MARTHA", "MARHTA", .jaroWinkler, 0.9) ?? 0) > 0.96)
        #expect(Self.score("MARTHA", "MARHTA", .jaroWinkler, 0.97) == nil)
    }

    @Test("a series' name finds the metadata of its family, where the type has such series")
    func metadata() {
        func of(_ name: String, _ entries: [(String, MetricType)]) -> MetricType? {
            SearchMetadata(entries.map { (family: $0.0, metadata: MetricMetadata(type: $0.1)) }, work: { _ in })
                .of(name)?.type
        }
        #expect(of("a_total", [("a", .counter)]) == .counter)
        #expect(of("a_total", [("a_total", .counter)]) == .counter)
        #expect(of("a_total", [("a", .gauge), ("a", .counter)]) == .counter)
        #expect(of("a_sum", [("a", .counter)]) == nil)
        #expect(of("a_count", [("a_count", .gauge), ("a", .histogram)]) == .gauge)
        for suffix in ["bucket", "sum", "count"] { #expect(of("a_" + suffix, [("a", .histogram)]) == .histogram) }
        for suffix in ["bucket", "total"] { #expect(of("a_" + suffix, [("a", .summary)]) == nil) }
        for suffix in ["gsum", "gcount"] { #expect(of("a_" + suffix, [("a", .gaugeHistogram)]) == .gaugeHistogram) }
        #expect(of("a_info", [("a", .info)]) == .info)
        #expect(of("up", [("a", .info)]) == nil)
    }

    @Test("the work for a value grows with its length, not with the square of it")
    func work() {
        func scalars(_ text: String, _ count: Int) -> [Unicode.Scalar] {
            Array(String(repeating: text, count: count).unicodeScalars)
        }
        // What is looked for begins everywhere, and is completed at the end only.
        for count in [1000, 20_000] {
            for (pattern, value) in [("ab", scalars("ac", count) + ["b"]), ("aab", scalars("a", count) + ["b"])] {
                var steps = 0
                let score = Subsequence.score(Array(pattern.unicodeScalars), in: value, steps: &steps)
                #expect((0...1).contains(score))
                #expect(steps <= value.count * (Subsequence.stepsPerCharacter + 2), "\(pattern): \(steps)")
            }
        }
        // A short value is looked at everywhere.
        var steps = 0
        #expect(Subsequence.score(["a", "b"], in: scalars("ac", 20) + ["a", "b"], steps: &steps) > 0.5)
        // Neither is compared with what is far too long to be typed.
        #expect(JaroWinkler.similarity(scalars("ab", 2000), scalars("ba", 2000)) == 0)
        #expect(JaroWinkler.similarity(scalars("ab", 500), scalars("ba", 500)) > 0.8)
    }

    @Test("a part is found wherever it is")
    func parts() {
        for seed in UInt64(1)...3000 {
            var random = SeededRandom(seed: seed)
            func next(_ bound: Int) -> Int { Int.random(in: 0..<bound, using: &random) }
            let text = (0...next(5)).map { _ in ["a", "b"][next(2)] as Unicode.Scalar }
            let value = (0..<next(20)).map { _ in ["a", "b", "c"][next(3)] as Unicode.Scalar }
            let isPart = value.indices.contains { value[$0...].starts(with: text) }
            #expect(SearchTerm.contains(text, in: value) == isPart, "seed \(seed)")
        }
    }

    @Test("random terms and values neither crash nor score out of range")
    func random() {
        for seed in UInt64(1)...5000 {
            var random = SeededRandom(seed: seed)
            func next(_ bound: Int) -> Int { Int.random(in: 0..<bound, using: &random) }
            func word(_ most: Int) -> [Unicode.Scalar] { (0..<next(most)).map { _ in ["a", "b", "_", "é"][next(4)] } }
            let (a, b) = (word(6), word(12))
            #expect((0...1).contains(Subsequence.score(a, in: b)), "seed \(seed)")
            #expect((-1e-9...1 + 1e-9).contains(JaroWinkler.similarity(a, b)), "seed \(seed)")
        }
    }
}
