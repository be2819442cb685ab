import Model
import Testing

@testable import PromQL

@Suite("Texts that count and order series")
struct AnnotationTests {
    @Test(
        "the number of repaired samples doubles with each step, as in 3.12",
        arguments: [
            ([1], 1), ([2], 2), ([1, 1], 4), ([1, 0], 2), ([0, 1, 1, 1], 10), ([2, 2], 8), ([], 0), ([0, 0], 0),
            ([Int](repeating: 1, count: 41), 3_298_534_883_326),
            ([Int](repeating: 1, count: 60), 1_729_382_256_910_270_462),
            ([Int](repeating: 1, count: 100), -2),
        ])
    func repairedSamples(byStep: [Int], expected: Int) {
        #expect(BucketRepair.samples(byStep: byStep) == expected)
    }

    private static func series(_ name: String, _ labels: [(String, String)], _ value: Double) -> ArraySource.Series {
        .init(labels: Labels([("__name__", name)] + labels), samples: [(time: Int64(0), value: value)])
    }

    @Test("the same annotation about two places is made about the last of them, another one about its own")
    func places() throws {
        let source = ArraySource([
            .init(labels: Labels([("__name__", "a")]), samples: [(0, 1), (15_000, 2)]),
            .init(labels: Labels([("__name__", "b")]), samples: [(0, 1), (15_000, 2)]),
        ])
        let result = try QueryEngine(options: EngineOptions()).instant(
            "rate(a[1m]) + rate(b[1m]) + rate(a[2m])", source: source, at: 20_000)
        let text = "PromQL info: metric might not be a counter, name does not end in _total/_sum/_count/_bucket: "
        #expect(result.infos == [text + "\"b\" (1:20)", text + "\"a\" (1:34)"])
    }

    @Test("an annotation about the samples of a subquery is made at the beginning of the query, wherever that stands")
    func subqueries() throws {
        let source = ArraySource([.init(labels: Labels([("__name__", "a")]), samples: [(0, 1), (15_000, 2)])])
        for query in ["sum(rate(a[1m:15s]))", "0 + (rate((a[1m:15s])) + rate((a[1m:15s])))"] {
            let result = try QueryEngine(options: EngineOptions()).instant(query, source: source, at: 20_000)
            #expect(result.infos.map { $0.hasSuffix("_total/_sum/_count/_bucket: \"a\" (1:1)") } == [true], "\(query)")
        }
    }

    @Test("buckets that were repaired at several places of a query are one annotation")
    func mendedTwice() throws {
        func buckets(_ name: String, _ counts: [Double]) -> [ArraySource.Series] {
            zip(["1", "2", "+Inf"], counts).map { Self.series(name, [("le", $0)], $1) }
        }
        let source = ArraySource(buckets("a", [5, 4, 6]) + buckets("b", [5, 9, 8]))
        let result = try QueryEngine(options: EngineOptions()).instant(
            "histogram_quantile(0.9, a) - histogram_quantile(0.5, b)", source: source, at: 20_000)
        #expect(result.infos.count == 1)
        let text = result.infos.first ?? ""
        #expect(text.contains("from buckets 2 to +Inf, with a max diff of 1, over 2 samples from 1970-01-01T00:00:20Z"))
        #expect(text.hasSuffix("(1:54)"))
    }

    @Test("duplicates are named in the order of their labels, whichever is met first")
    func duplicates() {
        let source = ArraySource([
            Self.series("x", [("a", "2"), ("i", "9")], 1), Self.series("x", [("a", "1"), ("i", "2")], 1),
            Self.series("x", [("a", "1"), ("i", "1")], 1), Self.series("x", [("a", "2"), ("i", "1")], 1),
        ])
        let error = #expect(throws: QueryError.self) {
            try QueryEngine(options: EngineOptions()).instant("x + on (a) x", source: source, at: 0)
        }
        #expect(
            error?.description.hasPrefix(
                #"found duplicate series for the match group {a="1"} on the right hand-side of the operation: [{__name__="x", a="1", i="1"}, {__name__="x", a="1", i="2"}];"#
            ) == true)
    }
}
