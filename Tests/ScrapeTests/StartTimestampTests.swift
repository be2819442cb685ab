import Model
import Platform
import Scrape
import Synchronization
import TestSupport
import Testing

@Suite("Start timestamps of what is scraped")
struct StartTimestampTests {
    private static func rig(_ text: String, isEnabled: Bool = true) throws -> ScrapeManagerTests.Rig {
        var options = ScrapeOptions()
        options.features.startTimes = isEnabled
        return try ScrapeManagerTests.Rig(
            text, contentType: "application/openmetrics-text; version=1.0.0", options: options)
    }

    private static let page = """
        # TYPE c counter
        c_total{x="1",y="2"} 1
        c_created{y="2",x="1"} 1700000000.25
        c_total{x="2"} 5
        # TYPE h histogram
        h_bucket{x="1",le="1"} 1
        h_bucket{x="1",le="+Inf"} 2
        h_count{x="1"} 2
        h_sum{x="1"} 3
        h_created{x="1"} 1.7e9
        # TYPE s summary
        s_created 1600000000
        s{quantile="0.5"} 1
        s_count 4
        # TYPE g gauge
        g 1
        g_created 1700000000

        """

    private static func starts(_ rig: ScrapeManagerTests.Rig) -> [String: [Int64]] {
        let names = ["c_total", "h_bucket", "h_count", "h_sum", "s", "s_count", "g", "g_created", "c_created"]
        var found: [String: [Int64]] = [:]
        for (series, samples) in rig.store.samples where names.contains(where: { series.hasPrefix($0 + "{") }) {
            let plain = series.replacing(#"instance="here", job="test", "#, with: "")
                .replacing(#"instance="here", job="test""#, with: "")
            found[plain] = samples.map(\.start)
        }
        return found
    }

    @Test("created lines say when the samples of their labels began, and are no samples")
    func openMetrics() throws {
        let rig = try Self.rig(Self.page + "# EOF\n")
        rig.scrape()
        // Known lines, other values, one line more and one less.
        rig.page.set(
            .init(
                contentType: "application/openmetrics-text; version=1.0.0",
                text: Self.page.replacing("1700000000.25", with: "1700000009.5").replacing(
                    #"c_total{x="2"} 5"#, with: "c_total{x=\"2\"} 5\nc_created{x=\"2\"} 1700000001"
                ).replacing("s_created 1600000000\n", with: "") + "# EOF\n"))
        rig.scrape()
        #expect(rig.manager.targets().first?.lastError == "")
        #expect(
            Self.starts(rig) == [
                #"c_total{x="1", y="2"}"#: [1_700_000_000_250, 1_700_000_009_500],
                #"c_total{x="2"}"#: [0, 1_700_000_001_000],
                #"h_bucket{le="1.0", x="1"}"#: [1_700_000_000_000, 1_700_000_000_000],
                #"h_bucket{le="+Inf", x="1"}"#: [1_700_000_000_000, 1_700_000_000_000],
                #"h_count{x="1"}"#: [1_700_000_000_000, 1_700_000_000_000],
                #"h_sum{x="1"}"#: [1_700_000_000_000, 1_700_000_000_000],
                #"s{quantile="0.5"}"#: [1_600_000_000_000, 0], "s_count{}": [1_600_000_000_000, 0], "g{}": [0, 0],
                "g_created{}": [0, 0],
            ])
    }

    @Test("a counter gets a zero where it began, once, and none before what is known of it")
    func zeros() throws {
        var options = ScrapeOptions()
        options.features.zerosAtStart = true
        let type = "application/openmetrics-text; version=1.0.0"
        let rig = try ScrapeManagerTests.Rig("", contentType: type, options: options)
        let now = SystemClock().now()
        func scrape(_ value: Int, _ start: Int64) {
            rig.page.set(
                .init(
                    contentType: type,
                    text: "# TYPE c counter\nc_total \(value)\nc_created \(Double(start) / 1000)\n# EOF\n"))
            rig.scrape()
        }
        scrape(5, now - 10_000)
        scrape(6, now - 10_000)
        // Later than a sample that is there, so that there is nothing to add.
        scrape(7, now - 5000)
        let last = SystemClock().now()
        while SystemClock().now() == last {}
        scrape(8, SystemClock().now())
        #expect(rig.values(#"c_total{instance="here", job="test"}"#) == [0, 5, 6, 7, 0, 8])
        #expect(rig.store.samples[#"c_total{instance="here", job="test"}"#]?.first?.time == now - 10_000)
        #expect(rig.manager.targets().first?.lastError == "")
        // Days ago is not where a new series begins.
        let other = try ScrapeManagerTests.Rig("", contentType: type, options: options)
        other.page.set(
            .init(contentType: type, text: "# TYPE c counter\nc_total 5\nc_created 1600000000\n# EOF\n"))
        other.scrape()
        #expect(other.values(#"c_total{instance="here", job="test"}"#) == [5])
    }

    @Test("a zero that was not stored comes with the next scrape", arguments: [false, true])
    func zeroAfterFailure(isBadPage: Bool) throws {
        var options = ScrapeOptions()
        options.features.zerosAtStart = true
        let type = "application/openmetrics-text; version=1.0.0"
        let rig = try ScrapeManagerTests.Rig("", contentType: type, options: options)
        let start = SystemClock().now() - 10_000
        let text = "# TYPE c counter\nc_total 5\nc_created \(Double(start) / 1000)\n"
        rig.page.set(.init(contentType: type, text: text + (isBadPage ? "d abc\n" : "# EOF\n")))
        rig.store.state.withLock { $0.isBroken = !isBadPage }
        rig.scrape()
        rig.store.state.withLock { $0.isBroken = false }
        rig.page.set(.init(contentType: type, text: text + "# EOF\n"))
        rig.scrape()
        let series = #"c_total{instance="here", job="test"}"#
        // The bad page may have left a stale marker.
        #expect(rig.store.samples[series]?.first == .init(time: start, value: 0))
        #expect(rig.store.samples[series]?.last?.value == 5)
    }

    @Test("without the feature they are samples like others")
    func disabled() throws {
        let rig = try Self.rig(Self.page + "# EOF\n", isEnabled: false)
        rig.scrape()
        let found = Self.starts(rig)
        #expect(found[#"c_created{x="1", y="2"}"#] == [0])
        #expect(found[#"c_total{x="1", y="2"}"#] == [0])
    }

    @Test("protobuf has them beside the samples")
    func protobuf() throws {
        // MetricFamily{name a, type COUNTER, metric{counter{2.0, start_timestamp{seconds 5, nanos 7000000}}}}
        let start: [UInt8] = [26, 7, 8, 5, 16, 0xC0, 0x9F, 0xAB, 3]
        let counter: [UInt8] = [9, 0, 0, 0, 0, 0, 0, 0, 64] + start
        let metric: [UInt8] = [26, UInt8(counter.count)] + counter
        let family: [UInt8] = [10, 1, 97, 24, 0, 34, UInt8(metric.count)] + metric
        let rig = try Self.rig("")
        let content = "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited"
        rig.page.set(.init(headers: ["Content-Type": content], body: [UInt8(family.count)] + family))
        rig.scrape()
        #expect(rig.manager.targets().first?.lastError == "")
        #expect(rig.store.starts(#"a{instance="here", job="test"}"#) == [5007])
    }
}
