import HTTP
import Model
import Platform
import PromQL
import Testing

@testable import API
@testable import Rules
@testable import Scrape

/// Targets that a test has made up.
private struct TargetStub: TargetOverview {
    var all: [TargetStatus] = []
    var dropped: [DroppedTarget] = []
    var known: [TargetMetadata] = []

    func pools() -> [String] { ["p"] }
    func targets() -> [TargetStatus] { all }
    func droppedTargets() -> (targets: [DroppedTarget], counts: [ExactText: Int]) { (dropped, [:]) }
    func metadata(metric: String?) -> [TargetMetadata] { known }
}

/// Rules that a test has made up.
private struct RuleStub: RuleOverview {
    var groups: [RuleGroupStatus]

    func status() -> [RuleGroupStatus] { groups }
}

/// Answers that are large end at the memory of a query and at its deadline, and are charged until they are sent.
@Suite("Large answers")
struct LargeAnswerTests {
    private static let count = 64
    /// Texts that are much larger than what is done for them between two checks.
    private static let texts = (0..<count).map { "\($0)" + String(repeating: "x", count: 10_000) }

    private static func context(_ change: (inout EngineOptions) -> Void = { _ in }) throws -> APIContext {
        let clock = SystemClock()
        let store = ArrayStore()
        let group = store.openGroup("test")
        var batch = SampleBatch()
        for text in texts {
            batch.append(store.resolve(Labels([("__name__", "m"), ("long", text)]), in: group), 1, at: clock.now())
        }
        let bounds = (0..<8_000).map { Double($0) }
        batch.append(
            store.resolve(Labels([("__name__", "custom")]), in: group),
            FloatHistogram(
                schema: FloatHistogram.customSchema, count: 8_000, sum: 1,
                positiveSpans: [.init(offset: 0, length: 8_000)],
                positiveBuckets: [Double](repeating: 1, count: 8_000), customBounds: bounds), at: clock.now())
        batch.append(
            store.resolve(Labels([("__name__", "native")]), in: group),
            FloatHistogram(
                schema: 8, count: 20_000, sum: 1, positiveSpans: [.init(offset: 0, length: 20_000)],
                positiveBuckets: [Double](repeating: 1, count: 20_000)), at: clock.now())
        _ = try store.commit(batch, in: group, durability: .written)

        var stub = StoreStub()
        stub.found = texts.map {
            (Labels([("a", $0)]), [Exemplar(labels: Labels([("b", "c")]), value: 1, timestamp: 1)])
        }
        stub.lastRejected = texts.map {
            RejectedSample(
                labels: Labels([("a", $0)]), job: "j", reason: .outOfOrder, time: 1, value: 1, newestTime: nil,
                newestValue: nil)
        }
        var options = EngineOptions()
        change(&options)
        var context = APIContext.test(
            store, engine: options, store: stub,
            control: DaemonStub(configurationText: texts.joined()), clock: clock)
        context.settings.maxSearchLimit = 0
        context.scrape = TargetStub(
            all: texts.map {
                TargetStatus(
                    pool: "p", discoveredLabels: Labels([("a", $0)]), labels: .empty, url: "http://a/", interval: 1,
                    timeout: 1)
            },
            dropped: texts.map { DroppedTarget(pool: "p", discoveredLabels: Labels([("a", $0)])) },
            known: texts.map {
                TargetMetadata(target: .empty, metric: "m", metadata: MetricMetadata(type: .gauge, help: $0))
            })
        context.rules = RuleStub(groups: [try groups()])
        return context
    }

    private static func groups() throws -> RuleGroupStatus {
        let alerts = texts.map { text in
            let labels = Labels([("a", text)])
            return (labels, ActiveAlert(labels: labels, annotations: .empty, value: 1, activeAt: 1))
        }
        let rule = RuleStatus(
            kind: .alerting, name: "r", query: "1", labels: .empty, annotations: .empty, holdDuration: 0,
            keepFiringFor: 0, health: RuleHealth(), state: .firing,
            active: Dictionary(uniqueKeysWithValues: alerts))
        return RuleGroupStatus(
            file: "f", name: "g", interval: 1, limit: 0, queryOffset: 0, rules: [rule], lastEvaluation: 0,
            evaluationTime: 0,
            counts: .init(evaluations: 0, failures: 0, iterations: 0, missed: 0, lastSamples: 0, restoreDuration: 0))
    }

    /// The answer to a path with a query as in a URL, without escapes.
    private static func ask(_ path: String, accept: String = "", _ change: (inout EngineOptions) -> Void = { _ in })
        throws -> (status: Int, text: String, response: HTTPResponse)
    {
        let parts = path.split(separator: "?", maxSplits: 1)
        let query = (parts.count > 1 ? parts[1].split(separator: "&") : []).map { parameter in
            let pair = parameter.split(separator: "=", maxSplits: 1)
            return (name: String(pair[0]), value: pair.count > 1 ? String(pair[1]) : "")
        }
        let response = try context(change).router.handle(
            HTTPRequest(
                method: "GET", path: String(parts[0]), query: query, headers: [(name: "Accept", value: accept)]))
        return (response.status, String(decoding: response.body, as: UTF8.self), response)
    }

    private static let protobuf =
        "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited"

    static let lists = [
        "metadata", "targets?state=active", "targets?state=dropped", "targets/metadata", "rules", "alerts",
        "query_exemplars?query=m", "status/rejected_samples", "series?match[]=m", "label/long/values",
        "search/label_values?label=long", "search/label_values?label=long&search[]=xx&batch_size=1",
    ]

    @Test("a list is charged while it grows and until it is sent, and ends at its deadline", arguments: lists)
    func list(_ path: String) throws {
        let whole = try Self.ask("/api/v1/" + path)
        #expect(whole.status == 200 && whole.text.utf8.count > 500_000)
        let account = try #require(whole.response.keeps as? MemoryAccount)
        #expect(account.used >= whole.response.body.count)
        let small = try Self.ask("/api/v1/" + path) { $0.maxMemoryPerQuery = 300_000 }
        #expect(small.status == 422)
        #expect(small.text.contains("query uses too much memory to list what matches"), "\(small.text.prefix(200))")
        let late = try Self.ask("/api/v1/" + path) { $0.timeout = 0 }
        #expect(late.status == 503 && late.text.contains("query timed out"), "\(late.text.prefix(200))")
    }

    @Test("what no handler charges is charged as a whole")
    func others() throws {
        let whole = try Self.ask("/api/v1/status/config")
        let account = try #require(whole.response.keeps as? MemoryAccount)
        #expect(whole.status == 200 && account.used >= whole.response.body.count)
        let small = try Self.ask("/api/v1/status/config") { $0.maxMemoryPerQuery = 300_000 }
        #expect(small.status == 422 && small.text.contains("query uses too much memory to write its answer"))
        #expect(try Self.ask("/api/v1/status/flags").response.keeps == nil)
    }

    @Test(
        "federation charges labels, histograms and the page, and ends at its deadline",
        arguments: ["m", "custom", "native"],
        ["", protobuf])
    func federation(_ name: String, _ accept: String) throws {
        let path = "/federate?match[]=" + name
        let whole = try Self.ask(path, accept: accept)
        #expect(whole.status == 200)
        let account = try #require(whole.response.keeps as? MemoryAccount)
        #expect(account.used >= whole.response.body.count)
        #expect(account.peak >= 2 * whole.response.body.count)
        if name == "native" { #expect(account.peak >= 160_000) }
        let small = try Self.ask(path, accept: accept) { $0.maxMemoryPerQuery = 150_000 }
        #expect(small.status == 503 && small.text.contains("query uses too much memory to list"))
        // The text has no place for exponential histograms.
        if name == "native", accept.isEmpty { return }
        let late = try Self.ask(path, accept: accept) { $0.timeout = 0 }
        #expect(late.status == 503 && late.text.contains("query timed out"), "\(late.text.prefix(200))")
    }

    @Test("a search counts the work for each pair of a term and a value, and can be ended between them")
    func work() throws {
        struct Ended: Error {}
        for algorithm in SearchAlgorithm.allCases {
            let terms = (0..<32).map { (name: "search[]", value: String(repeating: "a", count: 200) + "\($0)b") }
            let request = HTTPRequest(
                method: "GET", path: "/",
                query: terms + [(name: "fuzz_alg", value: algorithm.rawValue), (name: "fuzz_threshold", value: "1")])
            let engine = QueryEngine(options: EngineOptions())
            let search = try SearchRequest(request, engine, kind: "label_values", now: 0, maxLimit: 0)
            let values = [String](repeating: String(repeating: "ac", count: 1000), count: 1000)
            var (steps, largest) = (0, 0)
            #expect(throws: Ended.self) {
                _ = try search.found(in: values) { work in
                    (steps, largest) = (steps + work, max(largest, work))
                    if steps > 4_000_000 { throw Ended() }
                }
            }
            // It ends within the first value, which costs 32 terms x 200 x 2000.
            #expect(steps < 5_000_000 && largest >= 400_000)
        }
    }

    @Test("a search waits for its turn among the queries")
    func turn() throws {
        let context = try Self.context { $0.timeout = 1 }
        let admission = QueryAdmission(1, context.metrics)
        let search = SearchHandlers(
            context: context, admission: admission,
            lists: MetadataHandlers(context: context, admission: admission, overviews: QueryAdmission(1)))
        try admission.run(waiting: 1, isCancelled: { false }) {
            let error = #expect(throws: QueryError.self) {
                _ = try search.labelNames(HTTPRequest(method: "GET", path: "/"))
            }
            #expect(error?.description == "query timed out in query queue")
        }
    }

    @Test("terms that nobody types are refused")
    func longTerms() throws {
        for (length, status) in [(256, 200), (257, 400)] {
            let answer = try Self.ask(
                "/api/v1/search/label_values?label=none&search[]=" + String(repeating: "é", count: length))
            #expect(answer.status == status)
            if status == 400 {
                #expect(answer.text.contains("search[] term is too long: got 257 characters, maximum is 256"))
            }
        }
    }
}
