import Model
import Testing

@testable import PromQL

@Suite("What Prometheus 3.13 and 3.14 answer otherwise than 3.12")
struct Release314Tests {
    private static func failures(_ script: String) -> [String] {
        let report = PromQLTestRunner.run(script: script, engine: QueryEngine(options: PromQLTestRunner.options))
        #expect(report.passed + report.failed > 0)
        return report.failures.map { "\($0.line): \($0.message)" }
    }

    private static func engine(all: Bool) -> QueryEngine {
        var options = EngineOptions()
        if all { options.parser = .all }
        return QueryEngine(options: options)
    }

    private static let source = ArraySource([
        .init(
            labels: Labels([("__name__", "m"), ("i", "a")]),
            samples: (0...10).map { (time: Int64($0) * 60_000, value: Double($0) * 60) })
    ])

    @Test("a fixed subquery under predict_linear has its samples at every step")
    func predictedSubquery() {
        #expect(
            Self.failures(
                """
                load 1m
                  m 0+60x10

                eval range from 2m to 4m step 1m predict_linear(m[2m:1m] @ 180, 60)
                  {} 180 240 300
                """
            ) == [])
    }

    @Test("a smoothed selector leaves out series that have no point")
    func emptySmoothed() throws {
        let late = ArraySource([
            .init(labels: Labels([("__name__", "m"), ("i", "late")]), samples: [(time: 360_000, value: 1)]),
            .init(labels: Labels([("__name__", "m"), ("i", "there")]), samples: [(0, 1), (600_000, 3)]),
        ])
        let engine = Self.engine(all: true)
        guard case .vector(let columns) = try engine.instant("m smoothed", source: late, at: 299_000).value,
            case .matrix(let rows) = try engine.range(
                "m smoothed", source: late, start: 200_000, end: 299_000, step: 10_000
            ).value
        else { return }
        #expect(columns.map { $0.labels["i"] } == ["there"])
        #expect(rows.map { $0.labels["i"] } == ["there"])
    }

    @Test("annotations about NaN observations point to the histograms")
    func observations() throws {
        let histogram = FloatHistogram(
            schema: 0, count: 10, sum: .nan, positiveSpans: [.init(offset: 0, length: 2)], positiveBuckets: [2, 2])
        var series = ArraySource.Series(labels: Labels([("__name__", "h")]), samples: [])
        series.histograms = [(0, histogram)]
        for (query, place) in [
            ("histogram_quantile(0.9, h)", "(1:25)"), ("1 + histogram_fraction(0, 1, h)", "(1:30)"),
        ] {
            let result = try Self.engine(all: true).instant(query, source: ArraySource([series]), at: 1000)
            #expect(result.infos.count == 1)
            #expect(result.infos.first?.contains("NaN observations") == true, "\(result.infos)")
            #expect(result.infos.first?.hasSuffix(place) == true, "\(result.infos)")
        }
    }

    @Test("what asks for counts and sums only does not tell of buckets that were reconciled")
    func reconciled() throws {
        func custom(_ bounds: [Double]) -> FloatHistogram {
            FloatHistogram(
                schema: FloatHistogram.customSchema, count: 2, sum: 2,
                positiveSpans: [.init(offset: 0, length: UInt32(bounds.count))],
                positiveBuckets: [2] + [Double](repeating: 0, count: bounds.count - 1), customBounds: bounds)
        }
        var series = ArraySource.Series(labels: Labels([("__name__", "h")]), samples: [])
        series.histograms = [(0, custom([1, 2])), (15_000, custom([1, 3]))]
        let source = ArraySource([series])
        let engine = Self.engine(all: true)
        let text = "mismatched custom buckets were reconciled"
        #expect(
            try engine.instant("sum_over_time(h[1m])", source: source, at: 20_000).infos.contains { $0.contains(text) })
        for name in ["histogram_count", "histogram_sum", "histogram_avg"] {
            let result = try engine.instant("\(name)(sum_over_time(h[1m]))", source: source, at: 20_000)
            #expect(result.infos.isEmpty, "\(name)")
        }
    }

    @Test("duration expressions and first_over_time need no flag, mad_over_time does")
    func withoutFlags() throws {
        let engine = Self.engine(all: false)
        for (query, value) in [
            ("count_over_time(m[1m + 1m])", 2.0), ("m offset (30s * 2)", 240), ("m offset -(1m / 2 * 2)", 360),
            ("first_over_time(m[2m])", 240), ("count_over_time(m[2m:(30s + 30s)])", 2),
            ("sum_over_time(m[max_of(1m, 2m)])", 540),
        ] {
            guard case .vector(let columns) = try engine.instant(query, source: Self.source, at: 300_000).value else {
                continue
            }
            #expect(columns.map { $0.values[0] } == [value], "\(query)")
        }
        #expect(throws: QueryError.self) { try engine.parse("mad_over_time(m[5m])") }
    }

    @Test("min_of and max_of choose a number, NaN if one is")
    func choices() throws {
        for (query, value) in [("min_of(1, 2)", 1.0), ("max_of(1, 2)", 2), ("min_of(-Inf, time())", -.infinity)] {
            guard case .scalar(let found) = try Self.engine(all: true).instant(query, source: Self.source, at: 0).value
            else { continue }
            #expect(found == value)
        }
        for query in ["min_of(NaN, 2)", "max_of(2, NaN)"] {
            guard case .scalar(let found) = try Self.engine(all: true).instant(query, source: Self.source, at: 0).value
            else { continue }
            #expect(found.isNaN)
        }
    }

    @Test(
        "matchers that ignore case do so in any letters and at any place",
        arguments: [
            ("(?i)foo", "FOO", true), ("(?i)foo.*", "FoObar", true), (".*(?i)bar", "fooBAR", true),
            ("(?i)foo|bar", "BAR", true), ("foo|(?i)bar", "FOO", false), ("foo|(?i:bar)", "BaR", true),
            ("(?i)äöü", "ÄÖÜ", true), ("(?i)k", "\u{212A}", true), ("(?i)s", "\u{17F}", true),
            ("f(?i)oo", "FOO", false),
            ("f(?i)oo", "fOO", true), ("(?i)(a|b)c", "BC", true), ("(?i)[a-c]+", "ABC", true),
        ])
    func cases(pattern: String, text: String, expected: Bool) throws {
        let labels = Labels([("a", text)])
        #expect(try Matcher("a", .regex, pattern).matches(labels) == expected)
        #expect(try Matcher("a", .notRegex, pattern).matches(labels) == !expected)
    }

    @Test("info() counts the samples of info metrics, at each step that sees one")
    func infoStatistics() throws {
        let identity = [("instance", "a"), ("job", "j")]
        let source = ArraySource([
            .init(labels: Labels([("__name__", "up")] + identity), samples: [(0, 1)]),
            .init(labels: Labels([("__name__", "target_info"), ("v", "1")] + identity), samples: [(0, 1)]),
        ])
        let engine = Self.engine(all: true)
        #expect(try engine.instant("info(up)", source: source, at: 0).statistics.totalSamples == 2)
        let range = try engine.range("info(up)", source: source, start: 0, end: 120_000, step: 60_000)
        #expect(range.statistics.totalSamples == 6)
    }

    @Test("a duration is printed as one")
    func printedDurations() throws {
        for (query, text) in [("5m", "5m"), ("5m + 1", "5m + 1"), ("1h30m", "1h30m"), ("300", "300")] {
            let tree = try Self.engine(all: false).parse(query)
            #expect(
                tree.description == text
                    && tree.prettyDescription.split(whereSeparator: \.isWhitespace).joined(separator: " ") == text)
        }
    }
}
