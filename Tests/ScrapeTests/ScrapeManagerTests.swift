import Config
import Model
import Platform
import Scrape
import Synchronization
import Telemetry
import TestSupport
import Testing

@Suite("Scrape manager")
struct ScrapeManagerTests {
    final class Page: Sendable {
        let answer: Mutex<HTTPStub.Response>
        init(_ text: String, contentType: String = "text/plain; version=0.0.4") {
            answer = Mutex(.init(contentType: contentType, text: text))
        }
        func set(_ response: HTTPStub.Response) { answer.withLock { $0 = response } }
        func set(_ text: String) { set(.init(contentType: "text/plain; version=0.0.4", text: text)) }
    }

    /// A manager that scrapes one page served on the loopback; the interval is so long that only tests scrape.
    final class Rig {
        let page: Page
        let stub: HTTPStub
        let store = ArrayStore()
        let registry = MetricRegistry()
        let manager: ScrapeManager

        init(
            _ text: String, job: String = "", contentType: String = "text/plain; version=0.0.4",
            options: ScrapeOptions = ScrapeOptions()
        ) throws {
            let page = Page(text, contentType: contentType)
            self.page = page
            stub = try #require(HTTPStub { _ in page.answer.withLock { $0 } })
            manager = ScrapeManager(store: store, clock: SystemClock(), metrics: registry, options: options)
            try configure(job)
        }

        func configure(_ job: String) throws {
            let text = """
                scrape_configs:
                  - job_name: test
                    scrape_interval: 1d
                    scrape_timeout: 20s
                    static_configs:
                      - targets: ["127.0.0.1:\(stub.port)"]
                        labels: {instance: here}
                \(job)
                """
            manager.apply(try ConfigurationLoader.parse(text: Array(text.utf8), path: "test.yml"))
        }

        func scrape(_ text: String? = nil) {
            if let text { page.set(text) }
            // Timestamps are milliseconds of the real clock: two scrapes within one would be duplicates.
            let clock = SystemClock()
            let now = clock.now()
            while clock.now() == now {}
            manager.scrapeNow()
        }

        func values(_ series: String) -> [Double?] { store.values(series) }

        func counter(_ name: String) -> Double {
            registry.families().first { $0.name == name }?.samples.first?.value ?? .nan
        }

        deinit {
            manager.shutdown()
            stopServing()
        }

        private var isServing = true

        /// Closes the listener, once: its descriptor may belong to another test afterwards.
        func stopServing() {
            if isServing { stub.stop() }
            isServing = false
        }
    }

    @Test("a page becomes series with the target's labels")
    func simple() throws {
        let rig = try Rig("# TYPE a counter\na{x=\"1\"} 2\nb 3.5\n")
        rig.scrape()
        #expect(rig.values(#"a{instance="here", job="test", x="1"}"#) == [2])
        #expect(rig.values(#"b{instance="here", job="test"}"#) == [3.5])
        #expect(rig.values(#"up{instance="here", job="test"}"#) == [1])
        #expect(rig.values(#"scrape_samples_scraped{instance="here", job="test"}"#) == [2])
        #expect(rig.values(#"scrape_series_added{instance="here", job="test"}"#) == [2])
        let status = try #require(rig.manager.targets().first)
        #expect(status.health == .up)
        #expect(status.lastError == "")
        #expect(status.url == "http://127.0.0.1:\(rig.stub.port)/metrics")
        let request = try #require(rig.stub.requests.first)
        #expect(request.headers["accept-encoding"] == "gzip")
        #expect(
            request.headers["accept"]
                == "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,application/openmetrics-text;version=0.0.1;q=0.5,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2"
        )
        #expect(request.headers["x-prometheus-scrape-timeout-seconds"] == "20")
    }

    @Test("an unchanged page resolves no labels again")
    func steady() throws {
        let rig = try Rig("a 1\nb 2\n")
        rig.scrape()
        let before = rig.store.state.withLock { $0.resolved }
        rig.scrape("a 5\nb 6\n")
        rig.scrape("b 7\na 8\n")
        #expect(rig.store.state.withLock { $0.resolved } == before)
        #expect(rig.values(#"a{instance="here", job="test"}"#) == [1, 5, 8])
        #expect(rig.values(#"scrape_series_added{instance="here", job="test"}"#) == [2, 0, 0])
    }

    @Test("a series that is gone ends with a marker, and comes back")
    func vanished() throws {
        let rig = try Rig("a 1\nb 2\n")
        rig.scrape()
        rig.scrape("b 3\n")
        rig.scrape("b 4\n")
        rig.scrape("a 9\nb 5\n")
        #expect(rig.values(#"a{instance="here", job="test"}"#) == [1, nil, 9])
        #expect(rig.values(#"b{instance="here", job="test"}"#) == [2, 3, 4, 5])
    }

    @Test("a series that comes back counts as added; one that a failed page had does not")
    func added() throws {
        let rig = try Rig("a 1\nb 2\n")
        let pages = [
            "b 3\n", "a 1\nb 2\n", "a 1\nb 2\n", "a 1\nb {\n", "b 1\na 1\n", "# EOF\n", "c 1\na 1\nb 1\nc 1\n",
        ]
        rig.scrape()
        for page in pages { rig.scrape(page) }
        #expect(rig.values(#"scrape_series_added{instance="here", job="test"}"#) == [2, 0, 1, 0, 0, 0, 0, 3])
    }

    @Test("a series that comes back after pages without a byte does not count as added")
    func emptyPages() throws {
        let rig = try Rig("a 1\nb 2\n")
        rig.scrape()
        for page in ["", "", "a 1\nb 2\n", "", "a 1\n", "", "a 1\nb 2\n"] { rig.scrape(page) }
        #expect(rig.values(#"scrape_series_added{instance="here", job="test"}"#) == [2, 0, 0, 0, 0, 0, 0, 1])
        #expect(rig.values(#"a{instance="here", job="test"}"#) == [1, nil, 1, nil, 1, nil, 1])
    }

    @Test("a line whose exemplar does not parse is no scraped sample")
    func badExemplar() throws {
        let page = "a_total 1\nb_total 1 # {1a=\"1\"} 1\n# EOF\n"
        let rig = try Rig(page, contentType: "application/openmetrics-text; version=1.0.0; charset=utf-8")
        rig.scrape()
        #expect(rig.values(#"up{instance="here", job="test"}"#) == [0])
        for name in ["scrape_samples_scraped", "scrape_samples_post_metric_relabeling"] {
            #expect(rig.values("\(name){instance=\"here\", job=\"test\"}") == [1])
        }
    }

    @Test("series about the scrape have the target's labels, without those that Prometheus takes for clashes")
    func reportLabels() throws {
        let labels = [
            ("exported_job", "a"), ("exported_exported_job", "b"), ("a", "c"), ("exported_zone", "d"), ("zone", "e"),
        ].map { "{target_label: \($0.0), replacement: \($0.1)}" }
        let rig = try Rig("x 1\n", job: "    relabel_configs: [\(labels.joined(separator: ", "))]")
        rig.scrape()
        #expect(rig.values(#"up{a="c", instance="here", job="test", zone="e"}"#) == [1])
        #expect(
            rig.values(
                #"x{a="c", exported_exported_job="b", exported_job="a", exported_zone="d", instance="here", job="test", zone="e"}"#
            ) == [1])
    }

    @Test("a failed scrape ends all series and says why")
    func failed() throws {
        let rig = try Rig("a 1\n")
        rig.scrape()
        rig.page.set(.init(status: 503, contentType: "text/plain", text: "no"))
        rig.scrape()
        #expect(rig.values(#"a{instance="here", job="test"}"#) == [1, nil])
        #expect(rig.values(#"up{instance="here", job="test"}"#) == [1, 0])
        #expect(rig.manager.targets().first?.lastError == "server returned HTTP status 503 Status")
        rig.scrape("a 2\nb {\n")
        #expect(rig.values(#"a{instance="here", job="test"}"#) == [1, nil])
        rig.scrape("a 3\n")
        #expect(rig.values(#"a{instance="here", job="test"}"#) == [1, nil, 3])
        rig.page.set(.init(status: 200, headers: [:], body: Array("a 4\n".utf8)))
        rig.scrape()
        #expect(
            rig.manager.targets().first?.lastError
                == "non-compliant scrape target sending blank Content-Type and no fallback_scrape_protocol specified for target"
        )
    }

    @Test("a target that nobody serves is down with Go's words")
    func refused() throws {
        let rig = try Rig("a 1\n")
        rig.stopServing()
        let port = rig.stub.port
        rig.scrape()
        let error = try #require(rig.manager.targets().first?.lastError)
        #expect(
            error
                == "Get \"http://127.0.0.1:\(port)/metrics\": dial tcp 127.0.0.1:\(port): connect: connection refused")
    }

    @Test("a target is scraped with a token; without one it is down with the token server's words")
    func tokens() throws {
        let answer = Mutex("{\"access_token\":\"abc\"}")
        let server = try #require(
            HTTPStub { _ in .init(contentType: "application/json", text: answer.withLock { $0 }) })
        defer { server.stop() }
        func job(_ secret: String) -> String {
            "    oauth2: {client_id: me, client_secret: \(secret), token_url: 'http://127.0.0.1:\(server.port)/t'}"
        }
        let rig = try Rig("a 1\n", job: job("one"))
        rig.scrape()
        rig.scrape()
        #expect(rig.values(#"up{instance="here", job="test"}"#) == [1, 1])
        #expect(rig.stub.requests.map { $0.headers["authorization"] } == ["Bearer abc", "Bearer abc"])
        #expect(server.requests.map { $0.headers["user-agent"] } == [ProductVersion.userAgent])
        // A reload that changes nothing keeps the token.
        try rig.configure(job("one"))
        rig.scrape()
        #expect(server.requests.count == 1)
        answer.withLock { $0 = "{\"error\":\"invalid_client\",\"error_description\":\"gone\"}" }
        try rig.configure(job("two"))
        rig.scrape()
        #expect(
            rig.manager.targets().first?.lastError
                == "Get \"http://127.0.0.1:\(rig.stub.port)/metrics\": oauth2: \"invalid_client\" \"gone\"")
        #expect(rig.values(#"up{instance="here", job="test"}"#) == [1, 1, 1, 0])
        #expect(rig.stub.requests.count == 3)
    }

    @Test("metrics are relabelled once, and dropped ones are remembered")
    func relabelled() throws {
        let rig = try Rig(
            "a{x=\"1\"} 1\ndrop_me 2\nc 3\n",
            job: """
                    metric_relabel_configs:
                      - {source_labels: [__name__], regex: drop_.*, action: drop}
                      - {source_labels: [x], target_label: y, replacement: "v$1"}
                """)
        rig.scrape()
        rig.scrape()
        #expect(rig.values(#"a{instance="here", job="test", x="1", y="v1"}"#) == [1, 1])
        #expect(rig.samplesNames.contains { $0.hasPrefix("drop_me") } == false)
        #expect(rig.values(#"scrape_samples_scraped{instance="here", job="test"}"#) == [3, 3])
        #expect(rig.values(#"scrape_samples_post_metric_relabeling{instance="here", job="test"}"#) == [2, 2])
    }

    @Test("clashing labels are renamed, or win where they are honoured")
    func honour() throws {
        let text = "a{instance=\"there\",job=\"\",x=\"1\"} 1\n"
        let rig = try Rig(text)
        rig.scrape()
        #expect(rig.values(#"a{exported_instance="there", instance="here", job="test", x="1"}"#) == [1])
        let honouring = try Rig(text, job: "    honor_labels: true")
        honouring.scrape()
        #expect(honouring.values(#"a{instance="there", x="1"}"#) == [1])
    }

    @Test("timestamps of the page are used, and such series do not go stale")
    func timestamps() throws {
        let rig = try Rig("a 1 1000\nb 2\n")
        rig.scrape()
        #expect(rig.store.samples[#"a{instance="here", job="test"}"#] == [.init(time: 1000, value: 1)])
        rig.scrape("b 2\n")
        #expect(rig.values(#"a{instance="here", job="test"}"#) == [1])
    }

    @Test("limits fail the scrape as a whole")
    func limits() throws {
        let rig = try Rig("a 1\nb 2\nc 3\n", job: "    sample_limit: 2")
        rig.scrape()
        #expect(rig.manager.targets().first?.lastError == "sample limit exceeded")
        #expect(rig.values(#"scrape_samples_post_metric_relabeling{instance="here", job="test"}"#) == [3])
        #expect(rig.values(#"a{instance="here", job="test"}"#) == [])
        #expect(rig.counter("prometheus_target_scrapes_exceeded_sample_limit_total") == 1)
        let bytes = try Rig("a 1\nb 2\nc 3\n", job: "    body_size_limit: 8B")
        bytes.scrape()
        #expect(bytes.manager.targets().first?.lastError == "body size limit exceeded")
        let labels = try Rig("a{x=\"1\"} 1\n", job: "    label_limit: 3")
        labels.scrape()
        #expect(
            labels.manager.targets().first?.lastError
                == "label_limit exceeded (metric: a, number of labels: 4, limit: 3)")
    }

    @Test("a store that has forgotten its series gets them again")
    func forgotten() throws {
        let rig = try Rig("a 1\nb 2\n")
        rig.scrape()
        rig.store.forgetAll()
        rig.scrape("a 3\nb 4\n")
        rig.scrape("a 5\nb 6\n")
        #expect(rig.values(#"a{instance="here", job="test"}"#) == [1, 3, 5])
        #expect(rig.values(#"up{instance="here", job="test"}"#) == [1, 1])
    }

    @Test("the first of two lines of one series wins, and the other is counted")
    func duplicates() throws {
        let rig = try Rig("a 1\na 2\n")
        rig.scrape()
        #expect(rig.values(#"a{instance="here", job="test"}"#) == [1])
        #expect(rig.counter("prometheus_target_scrapes_sample_duplicate_timestamp_total") == 1)
    }

    @Test("exemplars, metadata and bounds of OpenMetrics arrive")
    func openMetrics() throws {
        let rig = try Rig(
            "# TYPE h histogram\n# HELP h he\\nlp\n# UNIT h \nh_bucket{le=\"1\"} 1 # {id=\"x\"} 0.5 1.5\nh_bucket{le=\"+Inf\"} 2\nh_count 2\nh_sum 3\n# EOF\n",
            contentType: "application/openmetrics-text; version=1.0.0; charset=utf-8")
        rig.scrape()
        #expect(rig.manager.targets().first?.lastError == "")
        #expect(rig.values(#"h_bucket{instance="here", job="test", le="1.0"}"#) == [1])
        let exemplar = try #require(rig.store.state.withLock { $0.exemplars.first })
        #expect(exemplar.1 == Exemplar(labels: Labels([("id", "x")]), value: 0.5, timestamp: 1500))
        #expect(rig.manager.metadata().first?.metadata == MetricMetadata(type: .histogram, help: "he\nlp", unit: ""))
        #expect(rig.store.state.withLock { $0.metadata["h"]?.type } == .histogram)
    }

    @Test("a reload that changes nothing, or only times, leaves no gap")
    func reload() throws {
        let rig = try Rig("a 1\n")
        rig.scrape()
        try rig.configure("")
        rig.scrape()
        try rig.configure("    sample_limit: 100")
        rig.scrape()
        #expect(rig.values(#"a{instance="here", job="test"}"#) == [1, 1, 1])
        try rig.configure("    metric_relabel_configs: [{target_label: y, replacement: z}]")
        rig.scrape()
        #expect(rig.values(#"a{instance="here", job="test"}"#) == [1, 1, 1, nil])
        #expect(rig.values(#"a{instance="here", job="test", y="z"}"#) == [1])
        #expect(rig.values(#"up{instance="here", job="test"}"#) == [1, 1, 1, 1])
    }

    @Test("a target that relabelling drops is listed as dropped")
    func dropped() throws {
        let rig = try Rig(
            "a 1\n", job: "    relabel_configs: [{source_labels: [__address__], regex: \".*\", action: drop}]")
        #expect(rig.manager.targets().isEmpty)
        let dropped = rig.manager.droppedTargets()
        #expect(dropped.counts == ["test": 1])
        #expect(dropped.targets.first?.discoveredLabels["__address__"] == "127.0.0.1:\(rig.stub.port)")
    }

    @Test("a compressed page is read")
    func compressed() throws {
        let rig = try Rig("")
        let gzip: [UInt8] = [31, 139, 8, 0, 0, 0, 0, 0, 2, 3, 75, 84, 48, 228, 2, 0, 54, 231, 27, 188, 4, 0, 0, 0]
        rig.page.set(.init(headers: ["Content-Type": "text/plain", "Content-Encoding": "gzip"], body: gzip))
        rig.scrape()
        #expect(rig.values(#"a{instance="here", job="test"}"#) == [1])
        #expect(rig.manager.targets().first?.bodySize == 4)
    }

    @Test("protobuf pages become the same series as text")
    func protobuf() throws {
        let rig = try Rig(
            "# TYPE a gauge\na{x=\"1\"} 1\n", job: "    scrape_protocols: [PrometheusProto, PrometheusText0.0.4]")
        rig.scrape()
        // MetricFamily{name a, type GAUGE, metric{label{x 1}, gauge{2.0}}}
        let metric: [UInt8] = [10, 6, 10, 1, 120, 18, 1, 49, 18, 9, 9, 0, 0, 0, 0, 0, 0, 0, 64]
        let family: [UInt8] = [10, 1, 97, 24, 1, 34, UInt8(metric.count)] + metric
        rig.page.set(
            .init(
                headers: [
                    "Content-Type":
                        "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited"
                ], body: [UInt8(family.count)] + family))
        rig.scrape()
        #expect(rig.manager.targets().first?.lastError == "")
        #expect(rig.values(#"a{instance="here", job="test", x="1"}"#).last == 2)
        #expect(rig.manager.metadata(metric: "a").first?.metadata.type == .gauge)
    }
}

extension ScrapeManagerTests.Rig {
    var samplesNames: [String] { Array(store.samples.keys) }
}
