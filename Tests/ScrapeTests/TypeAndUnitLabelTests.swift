import Model
import Scrape
import Synchronization
import TestSupport
import Testing

@Suite("Type and unit as labels of what is scraped")
struct TypeAndUnitLabelTests {
    private static let openMetrics = "application/openmetrics-text; version=1.0.0"

    private static func rig(
        _ text: String, job: String = "", contentType: String = "text/plain; version=0.0.4"
    ) throws -> ScrapeManagerTests.Rig {
        var options = ScrapeOptions()
        options.features.typeAndUnitLabels = true
        return try ScrapeManagerTests.Rig(text, job: job, contentType: contentType, options: options)
    }

    /// What the page itself has, without the target's labels.
    private static func series(_ rig: ScrapeManagerTests.Rig) -> [String] {
        rig.store.state.withLock { state in
            state.series.map { $0.labels.removing(["instance", "job"]).metricDescription }
                .filter { !$0.hasPrefix("scrape_") && $0 != "up" }.sorted()
        }
    }

    @Test("series of a family get its type")
    func text() throws {
        let rig = try Self.rig(
            """
            before 1
            # HELP c_total Things.
            # TYPE c_total counter
            c_total{x="1"} 1
            # TYPE h histogram
            h_bucket{le="1"} 1
            h_bucket{le="+Inf"} 2
            h_sum 3
            h_count 2
            # UNIT h seconds
            # TYPE s summary
            s{quantile="0.5"} 1
            s_sum 1
            s_count 1
            # TYPE g gauge
            g 4
            gx 1
            g_sum 2
            # TYPE u untyped
            u 1
            # HELP only Help.
            only 1

            """)
        rig.scrape()
        #expect(rig.manager.targets().first?.lastError == "")
        #expect(
            Self.series(rig) == [
                "before", #"c_total{__type__="counter", x="1"}"#, "g_sum", "gx", #"g{__type__="gauge"}"#,
                #"h_bucket{__type__="histogram", le="+Inf"}"#, #"h_bucket{__type__="histogram", le="1.0"}"#,
                #"h_count{__type__="histogram"}"#, #"h_sum{__type__="histogram"}"#, "only",
                #"s_count{__type__="summary"}"#, #"s_sum{__type__="summary"}"#,
                #"s{__type__="summary", quantile="0.5"}"#, "u",
            ])
    }

    @Test("OpenMetrics gives units, too, and names in quotes")
    func units() throws {
        let rig = try Self.rig(
            """
            # TYPE c_seconds counter
            # UNIT c_seconds seconds
            c_seconds_total 1
            c_seconds_created 1
            # UNIT size_bytes bytes
            size_bytes 1
            # TYPE st stateset
            st{st="a"} 1
            # TYPE gh gaugehistogram
            gh_bucket{le="1"} 1
            gh_gcount 1
            # TYPE in info
            in_info{v="1"} 1
            # TYPE "a.b" gauge
            {"a.b",x="1"} 1
            # EOF

            """, contentType: Self.openMetrics)
        rig.scrape()
        #expect(rig.manager.targets().first?.lastError == "")
        #expect(
            Self.series(rig) == [
                #"c_seconds_created{__type__="counter", __unit__="seconds"}"#,
                #"c_seconds_total{__type__="counter", __unit__="seconds"}"#,
                #"gh_bucket{__type__="gaugehistogram", le="1"}"#, #"gh_gcount{__type__="gaugehistogram"}"#,
                #"in_info{__type__="info", v="1"}"#, #"size_bytes{__unit__="bytes"}"#,
                #"st{__type__="stateset", st="a"}"#, #"{"a.b", __type__="gauge", x="1"}"#,
            ])
    }

    @Test("protobuf families give type and unit")
    func protobuf() throws {
        // MetricFamily{name a, type GAUGE, unit "s", metric{label{x 1}, label{__type__ mine}, gauge{2.0}}}
        let type: [UInt8] = [10, 8] + Array("__type__".utf8) + [18, 4] + Array("mine".utf8)
        let metric: [UInt8] =
            [10, 6, 10, 1, 120, 18, 1, 49, 10, UInt8(type.count)] + type + [18, 9, 9, 0, 0, 0, 0, 0, 0, 0, 64]
        func family(_ type: UInt8) -> [UInt8] {
            let family: [UInt8] = [10, 1, 97, 24, type, 34, UInt8(metric.count)] + metric + [42, 1, 115]
            return [UInt8(family.count)] + family
        }
        func response(_ type: UInt8) -> HTTPStub.Response {
            let content = "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited"
            return .init(headers: ["Content-Type": content], body: family(type))
        }
        let rig = try Self.rig("", job: "    scrape_protocols: [PrometheusProto, PrometheusText0.0.4]")
        for type: UInt8 in [1, 1, 3] {
            rig.page.set(response(type))
            rig.scrape()
        }
        #expect(rig.manager.targets().first?.lastError == "")
        // A family without a known type leaves the page's label alone.
        #expect(
            Self.series(rig) == [
                #"a{__type__="gauge", __unit__="s", x="1"}"#, #"a{__type__="mine", __unit__="s", x="1"}"#,
            ])
        let gauge = #"a{__type__="gauge", __unit__="s", instance="here", job="test", x="1"}"#
        #expect(rig.values(gauge) == [2, 2, nil])
    }

    @Test(
        "labels of these names that the page has are overridden by what is known",
        arguments: ["", "    honor_labels: true"])
    func overridden(job: String) throws {
        let rig = try Self.rig(
            """
            # TYPE c counter
            c_total{__type__="mine",__unit__="kept"} 1
            # TYPE u unknown
            u{__type__="mine"} 1
            # EOF

            """, job: job, contentType: Self.openMetrics)
        rig.scrape()
        #expect(
            Self.series(rig) == [#"c_total{__type__="counter", __unit__="kept"}"#, #"u{__type__="mine"}"#])
    }

    @Test("relabelling sees them")
    func relabelled() throws {
        let job = """
                metric_relabel_configs:
                  - {action: drop, source_labels: [__type__], regex: gauge}
                  - {action: replace, source_labels: [__type__], target_label: kind}
            """
        let rig = try Self.rig("# TYPE a counter\na 1\n# TYPE b gauge\nb 1\n", job: job)
        rig.scrape()
        rig.scrape("# TYPE a gauge\na 2\n# TYPE b counter\nb 2\n")
        #expect(
            Self.series(rig) == [#"a{__type__="counter", kind="counter"}"#, #"b{__type__="counter", kind="counter"}"#])
        #expect(rig.values(#"a{__type__="counter", instance="here", job="test", kind="counter"}"#) == [1, nil])
        #expect(rig.values(#"b{__type__="counter", instance="here", job="test", kind="counter"}"#) == [2])
    }

    @Test("a type that changes ends one series and begins another; an unchanged page resolves nothing")
    func changes() throws {
        let rig = try Self.rig("# TYPE a counter\na 1\n# TYPE b gauge\nb 1\n")
        rig.scrape()
        let before = rig.store.state.withLock { $0.resolved }
        rig.scrape("# TYPE a counter\na 2\n# TYPE b gauge\nb 2\n")
        rig.scrape("# TYPE b gauge\nb 3\n# TYPE a counter\na 3\n")
        #expect(rig.store.state.withLock { $0.resolved } == before)
        rig.scrape("# TYPE a gauge\na 4\n# TYPE b gauge\nb 4\n")
        rig.scrape("# TYPE a counter\na 5\n# TYPE b gauge\nb 5\n")
        rig.scrape("a 6\n# TYPE b gauge\nb 6\n")
        #expect(rig.values(#"a{__type__="counter", instance="here", job="test"}"#) == [1, 2, 3, nil, 5, nil])
        #expect(rig.values(#"a{__type__="gauge", instance="here", job="test"}"#) == [4, nil])
        #expect(rig.values(#"a{instance="here", job="test"}"#) == [6])
        #expect(rig.values(#"b{__type__="gauge", instance="here", job="test"}"#) == [1, 2, 3, 4, 5, 6])
    }

    @Test("a series of no family goes on when the family before it changes")
    func strangers() throws {
        // With times of their own, a marker would come after the sample.
        let rig = try Self.rig(
            "# TYPE a counter\na 1\nfree 1 1000\n", job: "    track_timestamps_staleness: true")
        rig.scrape()
        rig.scrape("# TYPE a gauge\na 2\nfree 2 2000\n")
        rig.scrape("# TYPE a gauge\na 3\n")
        #expect(rig.values(#"free{instance="here", job="test"}"#) == [1, 2, nil])
    }

    @Test("series that the store has forgotten are resolved again with their type")
    func forgotten() throws {
        let rig = try Self.rig("# TYPE a counter\na 1\n")
        rig.scrape()
        rig.store.forgetAll()
        rig.scrape("# TYPE a counter\na 2\n")
        #expect(rig.values(#"a{__type__="counter", instance="here", job="test"}"#) == [1, 2])
    }

    @Test("nothing is added without the feature")
    func off() throws {
        let rig = try ScrapeManagerTests.Rig("# TYPE a counter\na{__type__=\"mine\"} 1\n")
        rig.scrape()
        let before = rig.store.state.withLock { $0.resolved }
        rig.scrape("# TYPE a gauge\na{__type__=\"mine\"} 2\n")
        #expect(rig.store.state.withLock { $0.resolved } == before)
        #expect(rig.values(#"a{__type__="mine", instance="here", job="test"}"#) == [1, 2])
    }
}
