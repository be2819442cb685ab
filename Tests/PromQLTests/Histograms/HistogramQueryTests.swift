import Model
import Testing

@testable import PromQL

@Suite("Queries over native histograms")
struct HistogramQueryTests {
    /// Schema 0, two buckets, everything times `n`.
    private static func histogram(_ n: Double, hint: FloatHistogram.ResetHint = .unknown) -> FloatHistogram {
        FloatHistogram(
            resetHint: hint, schema: 0, count: 3 * n, sum: 5 * n, positiveSpans: [.init(offset: 0, length: 2)],
            positiveBuckets: [n, 2 * n])
    }

    private static func custom(_ n: Double) -> FloatHistogram {
        FloatHistogram(
            schema: FloatHistogram.customSchema, count: n, sum: n, positiveSpans: [.init(offset: 0, length: 1)],
            positiveBuckets: [n], customBounds: [1, 2])
    }

    private static func run(
        _ query: String, _ series: [ArraySource.Series], at time: Int64 = 60_000, _ options: EngineOptions = .init()
    ) throws -> (columns: [Column], result: QueryResult) {
        let result = try QueryEngine(options: options).instant(query, source: ArraySource(series), at: time)
        guard case .vector(let columns) = result.value else { return ([], result) }
        return (columns, result)
    }

    private static func series(
        _ name: String, _ histograms: [FloatHistogram], floats: [Double] = [], labels: [(String, String)] = []
    ) -> ArraySource.Series {
        var series = ArraySource.Series(labels: Labels([("__name__", name)] + labels), samples: [])
        for (i, histogram) in histograms.enumerated() {
            series.histograms.append((Int64(i) * 15_000 + 1000, histogram))
        }
        for (i, float) in floats.enumerated() { series.samples.append((Int64(i) * 15_000 + 2000, float)) }
        return series
    }

    private static func only(_ columns: [Column]) throws -> FloatHistogram {
        try #require(columns.count == 1)
        guard case .histogram(let histogram) = columns[0].sample(0) else {
            throw QueryError.execution("not a histogram: \(columns)")
        }
        return histogram
    }

    @Test(
        "A classic bucket's bound is any number that Go's ParseFloat reads",
        arguments: [
            ("10", 9), ("1_0", 9), ("0x_1p3", 7.2), ("+1e1", 9), (".5e1", 4.5), ("1_0.0_0", 9), ("0x10", nil),
            ("1__0", nil), ("_10", nil), ("10_", nil), ("1e400", nil), (" 10", nil), ("nan(1)", nil), ("0b11", nil),
            ("1_e1", nil), ("", nil),
        ] as [(String, Double?)])
    func bounds(_ text: String, _ quantile: Double?) throws {
        let series = [(text, 10.0), ("+Inf", 10)].map { bound, count in
            ArraySource.Series(
                labels: Labels([("__name__", "h"), ("le", bound)]), samples: [(2000, count)])
        }
        let columns = try Self.run("histogram_quantile(0.9, h)", series).columns
        // With the highest bucket alone there is no quantile.
        let value = columns.first?.values.first ?? .nan
        #expect(quantile.map { abs($0 - value) < 1e-9 } ?? value.isNaN)
    }

    @Test("A factor that is not finite makes NaN of the buckets that later samples of the chunk bring in")
    func emptyBucketsOfChunks() throws {
        func histogram(_ buckets: [Double]) -> FloatHistogram {
            FloatHistogram(
                count: buckets.reduce(0, +), sum: 1,
                positiveSpans: [.init(offset: 0, length: UInt32(buckets.count))], positiveBuckets: buckets)
        }
        var series = Self.series("h", [[1], [2], [2, 0, 3]].map(histogram))
        // A range of two hours later, the chunk is another.
        series.histograms.append((7_200_000, histogram([2, 0, 3, 4])))
        for query in [
            "h * NaN", "h / NaN", "NaN * h", "-h * (0 / 0)", "h * on () group_left f", "last_over_time(h[30s]) * Inf",
        ] {
            let nan = ArraySource.Series(labels: Labels([("__name__", "f")]), samples: [(0, .nan)])
            let found = try Self.only(try Self.run(query, [series, nan], at: 20_000).columns)
            #expect(found.positiveBuckets.count == 3, "\(query): \(found)")
        }
        #expect(try Self.only(try Self.run("h * 2", [series], at: 20_000).columns).positiveBuckets == [4])
        // The counter began again, with a chunk that has one bucket.
        series = Self.series("h", [[2], [2, 0, 3], [2]].map(histogram))
        #expect(try Self.run("h == h offset 30s", [series], at: 31_500).columns.isEmpty)
    }

    @Test("Statistics count a histogram as the samples that take as much memory")
    func statistics() throws {
        let series = Self.series("h", [1, 2, 3].map { Self.histogram($0) }, floats: [])
        // 168 bytes, a span, two buckets and the time, in samples of 16 bytes.
        #expect(try Self.run("h", [series]).result.statistics.totalSamples == 12)
        #expect(try Self.run("rate(h[1m])", [series]).result.statistics.totalSamples == 36)
    }

    @Test("rate takes every bucket's increase and adds what a reset took away")
    func rate() throws {
        let steady = Self.series("h", [1, 2, 3, 4].map { Self.histogram($0) })
        let increase = try Self.only(try Self.run("increase(h[45s])", [steady], at: 46_000).columns)
        #expect(increase.resetHint == .gauge)
        #expect(increase.count == 9)
        #expect(increase.positiveBuckets == [3, 6])
        let reset = Self.series("h", [2, 4, 1, 3].map { Self.histogram($0) })
        // The first sample is outside; 3 behind the reset, stretched from 30 s to 45 s.
        #expect(try Self.only(try Self.run("increase(h[45s])", [reset], at: 46_000).columns).count == 13.5)
        let (columns, result) = try Self.run("delta(h[45s])", [reset], at: 46_000)
        #expect(try Self.only(columns).count == -4.5)
        #expect(result.warnings == ["PromQL warning: this native histogram metric is not a gauge: \"h\" (1:7)"])
    }

    @Test("a range of floats and histograms has no rate but a warning")
    func mixedRange() throws {
        let mixed = Self.series("h", [1, 2].map { Self.histogram($0) }, floats: [1, 2])
        let (columns, result) = try Self.run("rate(h[1m])", [mixed])
        #expect(columns.isEmpty)
        #expect(
            result.warnings == [
                "PromQL warning: encountered a mix of histograms and floats for metric name \"h\" (1:6)"
            ])
        #expect(try Self.run("count_over_time(h[1m])", [mixed]).columns.first?.values == [4])
        let (most, remarks) = try Self.run("max_over_time(h[1m])", [mixed])
        #expect(most.first?.values == [2])
        #expect(
            remarks.infos == [
                "PromQL info: ignored histograms in a range containing both floats and histograms for metric name \"h\" (1:15)"
            ])
    }

    @Test("sum and avg add bucket by bucket, and refuse floats beside histograms")
    func aggregations() throws {
        let all = [
            Self.series("h", [Self.histogram(1)], labels: [("i", "1")]),
            Self.series("h", [Self.histogram(3)], labels: [("i", "2")]),
            Self.series("f", [], floats: [7]),
        ]
        #expect(try Self.only(try Self.run("sum(h)", all).columns).positiveBuckets == [4, 8])
        #expect(try Self.only(try Self.run("avg(h)", all).columns).positiveBuckets == [2, 4])
        #expect(try Self.run("count(h)", all).columns.first?.values == [2])
        let (columns, result) = try Self.run("sum({__name__=~\"h|f\"})", all)
        #expect(columns.isEmpty)
        #expect(
            result.warnings == ["PromQL warning: encountered a mix of histograms and floats for aggregation (1:5)"])
        let layouts = all + [Self.series("h", [Self.custom(1)], labels: [("i", "3")])]
        let (none, warned) = try Self.run("sum(h)", layouts)
        #expect(none.isEmpty)
        #expect(warned.warnings.count == 1)
    }

    @Test("operators scale, add, compare and trim")
    func operators() throws {
        let all = [Self.series("h", [Self.histogram(2)]), Self.series("g", [Self.histogram(2, hint: .gauge)])]
        #expect(try Self.only(try Self.run("2 * h", all).columns).count == 12)
        #expect(try Self.only(try Self.run("h / 2", all).columns).count == 3)
        #expect(try Self.only(try Self.run("-h", all).columns).count == -6)
        #expect(try Self.only(try Self.run("h + on () g", all).columns).count == 12)
        #expect(try Self.only(try Self.run("h - on () g", all).columns).resetHint == .gauge)
        #expect(try Self.only(try Self.run("h == on () g", all).columns).count == 6)
        #expect(try Self.run("h != bool on () g", all).columns.first?.values == [0])
        #expect(try Self.only(try Self.run("h </ 1", all).columns).count == 2)
        let (columns, result) = try Self.run("h > 1", all)
        #expect(columns.isEmpty)
        #expect(
            result.infos == [
                "PromQL info: incompatible sample types encountered for binary operator \">\": histogram > float (1:1)"
            ])
    }

    @Test("quantiles, shares, counts and sums")
    func estimates() throws {
        let all = [Self.series("h", [Self.histogram(2)])]
        #expect(try Self.run("histogram_quantile(1, h)", all).columns.first?.values == [2])
        #expect(try Self.run("histogram_fraction(0, 1, h)", all).columns.first?.values == [1.0 / 3])
        #expect(try Self.run("histogram_count(h)", all).columns.first?.values == [6])
        #expect(try Self.run("histogram_avg(h)", all).columns.first?.values == [10.0 / 6])
        var options = EngineOptions()
        options.parser = .all
        let several = try Self.run("histogram_quantiles(h, \"q\", 0, 1)", all, options).columns
        #expect(several.map { $0.labels["q"] } == ["0.0", "1.0"])
        #expect(several.map(\.values) == [[0.5], [2]])
    }

    @Test("anchored and smoothed windows count histograms, a smoothed selector interpolates them")
    func extended() throws {
        let all = [Self.series("h", [1, 2, 3, 4].map { Self.histogram($0) })]
        var options = EngineOptions()
        options.parser = .all
        // Samples at 1 s, 16 s, 31 s and 46 s.
        for (query, count) in [
            ("increase(h[20s] anchored)", 3.0), ("increase(h[15s] smoothed)", 3), ("delta(h[20s] anchored)", 3),
        ] {
            let (columns, result) = try Self.run(query, all, at: 40_000, options)
            #expect(abs(try Self.only(columns).count - count) < 1e-9, "\(query)")
            #expect(try Self.only(columns).resetHint == .gauge)
            #expect(result.warnings.isEmpty == !query.hasPrefix("delta"))
        }
        #expect(try Self.run("changes(h[30s] anchored)", all, at: 40_000, options).columns.first?.values == [2])
        #expect(try Self.only(try Self.run("h smoothed", all, at: 23_500, options).columns).count == 7.5)
    }

    @Test("histogram_count looks for resets that the store does not know of")
    func detectsResets() throws {
        let all = [Self.series("h", [4, 5, 2].map { Self.histogram($0) })]
        let (columns, result) = try Self.run("histogram_count(sum_over_time(h[1m]))", all)
        #expect(columns.first?.values == [33])
        #expect(
            result.warnings == [
                "PromQL warning: conflicting counter resets during histogram aggregation (1:31)"
            ])
        #expect(try Self.run("sum_over_time(h[1m])", all).result.warnings.isEmpty)
    }
}
