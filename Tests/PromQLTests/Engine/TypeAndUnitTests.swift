import Model
import Testing

@testable import PromQL

@Suite("Type and unit as labels")
struct TypeAndUnitTests {
    private static func labels(_ name: String, _ type: String?, _ pairs: (String, String)...) -> Labels {
        var all = [("__name__", name), ("__unit__", "bytes")] + pairs
        if let type { all.append(("__type__", type)) }
        return Labels(all)
    }

    private static func series(_ labels: Labels, _ value: Double) -> ArraySource.Series {
        .init(labels: labels, samples: [0, 1, 2].map { (time: Int64($0) * 30_000, value: Double($0) * value) })
    }

    private static let source = ArraySource([
        series(labels("m_total", "counter", ("a", "1")), 10),
        series(labels("g", "gauge", ("a", "1")), 5),
        series(labels("plain", nil, ("a", "1")), 7),
        .init(
            labels: labels("h", "histogram", ("a", "1")), samples: [],
            histograms: [(time: Int64(60_000), value: FloatHistogram(zeroCount: 2, count: 2, sum: 3))]),
    ])

    private static func engine(delayed: Bool = false, feature: Bool = true) -> QueryEngine {
        var options = EngineOptions()
        options.parser = .all
        options.delayedNameRemoval = delayed
        options.typeAndUnitLabels = feature
        return QueryEngine(options: options)
    }

    /// The label sets of an instant query's result.
    private static func result(_ query: String, _ engine: QueryEngine, _ source: ArraySource = source) throws
        -> [String]
    {
        guard case .vector(let columns) = try engine.instant(query, source: source, at: 60_000).value else { return [] }
        return columns.map { $0.labels.description }.sorted()
    }

    @Test(
        "type and unit go wherever the name goes",
        arguments: [
            "-m_total", "m_total * 2", "2 + m_total", "m_total == bool 1", "m_total + m_total",
            "m_total == bool m_total",
            "abs(m_total)", "clamp(m_total, 0, 1)", "round(m_total)", "timestamp(m_total)", "timestamp(m_total + 0)",
            "rate(m_total[1m])", "max_over_time(m_total[1m])", "max_over_time(rate(m_total[1m])[1m:30s])",
            "hour(m_total)",
            "histogram_quantile(0.5, h)", "histogram_fraction(0, 1, h)", "m_total * on (a) group_left g",
        ], [false, true])
    func dropped(query: String, delayed: Bool) throws {
        for feature in [false, true] {
            #expect(try Self.result(query, Self.engine(delayed: delayed, feature: feature)) == [#"{a="1"}"#])
        }
    }

    @Test(
        "type and unit stay wherever the name stays",
        arguments: [
            "m_total", "+m_total", "m_total > 1", "m_total and m_total", "topk(1, m_total)", "sort(m_total)",
            "last_over_time(m_total[1m])", "m_total > on (a) group_left g",
        ], [false, true])
    func kept(query: String, delayed: Bool) throws {
        #expect(
            try Self.result(query, Self.engine(delayed: delayed))
                == [#"{__name__="m_total", __type__="counter", __unit__="bytes", a="1"}"#])
    }

    @Test("numbers of native histograms lose only the name, unless its removal is delayed")
    func histogramNumbers() throws {
        for function in ["count", "sum", "avg", "stddev", "stdvar"] {
            let query = "histogram_\(function)(h)"
            #expect(try Self.result(query, Self.engine()) == [#"{__type__="histogram", __unit__="bytes", a="1"}"#])
            #expect(try Self.result(query, Self.engine(delayed: true)) == [#"{a="1"}"#])
            #expect(try Self.result("-" + query, Self.engine()) == [#"{a="1"}"#])
        }
    }

    @Test(
        "aggregations group by type and unit as long as they are there",
        arguments: [
            ("sum by (__type__) (m_total)", [#"{__type__="counter"}"#]),
            (
                "sum by (__type__) ({a=\"1\", __name__!=\"h\"})",
                [#"{__type__="counter"}"#, #"{__type__="gauge"}"#, "{}"]
            ),
            ("sum by (__type__) (abs(m_total))", ["{}"]), ("sum by (__unit__, a) (rate(m_total[1m]))", [#"{a="1"}"#]),
            ("sum without (a) (m_total)", [#"{__type__="counter", __unit__="bytes"}"#]),
            ("sum without (b) (abs(m_total))", [#"{a="1"}"#]), ("sum without (b) (rate(m_total[1m]))", [#"{a="1"}"#]),
            (
                "sum without (b) (histogram_count(h))", [#"{__type__="histogram", __unit__="bytes", a="1"}"#]
            ),
            ("count_values without (b) (\"v\", abs(m_total))", [#"{a="1", v="20"}"#]),
            ("quantile without (b) (0.5, abs(m_total))", [#"{a="1"}"#]),
        ])
    func grouped(query: String, expected: [String]) throws {
        #expect(try Self.result(query, Self.engine()) == expected)
    }

    @Test("what a delayed removal takes away can be read until then")
    func delayed() throws {
        let query = #"label_replace(rate(m_total[1m]), "t", "$1", "__type__", "(.+)")"#
        #expect(try Self.result(query, Self.engine()) == [#"{a="1"}"#])
        #expect(try Self.result(query, Self.engine(delayed: true)) == [#"{a="1", t="counter"}"#])
        // Who sets the name keeps the rest.
        let named = #"label_replace(rate(m_total[1m]), "__name__", "r", "", "")"#
        #expect(
            try Self.result(named, Self.engine(delayed: true))
                == [#"{__name__="r", __type__="counter", __unit__="bytes", a="1"}"#])
    }

    @Test(
        "operands match by type and unit; arithmetic has neither, even where removal is delayed",
        arguments: [false, true])
    func matching(delayed: Bool) throws {
        let engine = Self.engine(delayed: delayed)
        #expect(try Self.result("m_total / g", engine) == [])
        #expect(try Self.result("m_total / ignoring (__type__) g", engine) == [#"{a="1"}"#])
        #expect(try Self.result("(m_total - m_total) / m_total", engine) == [])
        #expect(
            try Self.result(#"label_replace(m_total + m_total, "t", "$1", "__type__", "(.+)")"#, engine) == [
                #"{a="1"}"#
            ])
        #expect(
            try Self.result("m_total + on (a) group_left (__type__) g", engine) == [#"{__type__="gauge", a="1"}"#])
    }

    @Test("series that differ in the type only are the same to rate")
    func clash() throws {
        let source = ArraySource([
            Self.series(Self.labels("m", "counter"), 1), Self.series(Self.labels("m", "gauge"), 1),
        ])
        for query in ["rate(m[1m])", "sum(rate(m[1m]))", "abs(m)"] {
            let error = #expect(throws: QueryError.self) { try Self.result(query, Self.engine(), source) }
            #expect(error?.description == "vector cannot contain metrics with the same labelset")
        }
    }

    @Test(
        "the type says whether a metric is a counter",
        arguments: [
            ("rate(m_total[1m])", nil), ("increase(h[2m])", nil), ("irate(g[1m])", nil),
            ("rate(g[1m])", #"got "gauge": "g" (1:6)"#), ("increase(plain[1m])", #"got "": "plain" (1:10)"#),
            ("rate(g[1m:30s])", #"got "gauge": "g" (1:1)"#), ("rate(abs(g)[1m:30s])", nil),
        ] as [(String, String?)])
    func remarks(query: String, expected: String?) throws {
        let text =
            #"PromQL info: metric might not be a counter, __type__ label is not set to "counter" or "histogram", "#
        let result = try Self.engine().instant(query, source: Self.source, at: 60_000)
        #expect(result.infos == (expected.map { [text + $0] } ?? []))
        let byName = try Self.engine(feature: false).instant("rate(g[1m])", source: Self.source, at: 60_000)
        #expect(
            byName.infos == [
                "PromQL info: metric might not be a counter, name does not end in _total/_sum/_count/_bucket: \"g\" (1:6)"
            ])
    }
}
