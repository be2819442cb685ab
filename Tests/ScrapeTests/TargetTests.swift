import Config
import Model
import Platform
import Scrape
import Synchronization
import Telemetry
import TestSupport
import Testing

/// A clock that stands still until a test moves it.
final class StandingClock: Clock {
    private let time: Atomic<Int64>
    init(_ time: Int64) { self.time = Atomic(time) }
    func now() -> Int64 { time.load(ordering: .sequentiallyConsistent) }
    func monotonic() -> Int64 { now() &* 1_000_000 }
    func sleep(until deadline: Int64) async throws {
        while now() < deadline { try await Task.sleep(nanoseconds: 1_000_000) }
    }
    func advance(_ ms: Int64) { time.add(ms, ordering: .sequentiallyConsistent) }
}

@Suite("Targets")
struct TargetTests {
    static func manager(_ job: String, registry: MetricRegistry = MetricRegistry()) throws -> ScrapeManager {
        let manager = ScrapeManager(store: ArrayStore(), clock: StandingClock(1_000_000), metrics: registry)
        try apply(manager, job)
        return manager
    }

    static func apply(_ manager: ScrapeManager, _ job: String) throws {
        let text = "scrape_configs:\n- job_name: j\n  scrape_interval: 1d\n" + job
        manager.apply(try ConfigurationLoader.parse(text: Array(text.utf8), path: "test.yml"))
    }

    @Test("labels before and after relabelling, and the URL")
    func labels() throws {
        let manager = try Self.manager(
            """
              params: {module: [m, n], "a b": ["c&d"]}
              scheme: https
              metrics_path: /probe
              static_configs: [{targets: ["h.example:9100"], labels: {env: prod, __meta_x: y}}]
              relabel_configs:
              - {source_labels: [__address__], target_label: __param_target}
              - {target_label: __address__, replacement: "127.0.0.1:1"}
              - {source_labels: [__param_target], target_label: instance}
            """)
        defer { manager.shutdown() }
        let target = try #require(manager.targets().first)
        #expect(target.labels == Labels([("env", "prod"), ("instance", "h.example:9100"), ("job", "j")]))
        #expect(target.url == "https://127.0.0.1:1/probe?a+b=c%26d&module=m&module=n&target=h.example%3A9100")
        #expect(target.discoveredLabels["__meta_x"] == "y")
        #expect(target.discoveredLabels["__scrape_interval__"] == "1d")
        #expect(target.discoveredLabels["__scrape_timeout__"] == "10s")
        #expect(target.discoveredLabels["__param_module"] == "m")
        #expect(target.health == .unknown)
    }

    @Test("equal targets are scraped once, different ones each")
    func duplicates() throws {
        let manager = try Self.manager(
            "  static_configs: [{targets: ['a:1', 'b:1', 'a:1']}, {targets: ['a:1'], labels: {x: y}}]")
        defer { manager.shutdown() }
        #expect(manager.targets().map { $0.labels["instance"] ?? "" } == ["a:1", "a:1", "b:1"])
    }

    @Test(
        "targets that cannot be made are counted",
        arguments: [
            "  static_configs: [{targets: ['']}]",
            "  static_configs: [{targets: ['a/b']}]\n  relabel_configs: [{target_label: x, replacement: z}]",
            "  static_configs: [{targets: ['a:1'], labels: {__scrape_interval__: 5s, __scrape_timeout__: 10s}}]",
            "  static_configs: [{targets: ['a:1'], labels: {__scrape_timeout__: x}}]",
        ])
    func failed(_ job: String) throws {
        let registry = MetricRegistry()
        let manager = try Self.manager(job, registry: registry)
        defer { manager.shutdown() }
        #expect(manager.targets().isEmpty)
        let family = registry.families().first { $0.name == "prometheus_target_sync_failed_total" }
        #expect(family?.samples.first?.value == 1)
    }

    @Test(
        "relabelling that removes internal labels leaves what Prometheus leaves",
        arguments: [
            ("{regex: '__(scrape_native|always|convert).*', action: labeldrop}", "http://a:1/metrics"),
            (
                "{regex: '__(address|scheme|metrics_path|scrape_interval|scrape_timeout)__|job', action: labelkeep}",
                "http://a:1/metrics"
            ),
            ("{regex: __scheme__, action: labeldrop}", "//a:1/metrics"),
            ("{regex: __metrics_path__, action: labeldrop}", "http://a:1"),
            ("{regex: __param_x, action: labeldrop}", "http://a:1/metrics"),
            ("{regex: __address__, action: labeldrop}", nil), ("{regex: __scrape_interval__, action: labeldrop}", nil),
            ("{regex: __scrape_timeout__, action: labeldrop}", nil), ("{regex: '.*', action: labeldrop}", nil),
            ("{regex: 'job', action: labelkeep}", nil), ("{target_label: __address__, replacement: ''}", nil),
            ("{target_label: __scrape_native_histograms__, replacement: maybe}", nil),
        ] as [(String, String?)])
    func removedInternalLabels(_ rule: String, _ url: String?) throws {
        let registry = MetricRegistry()
        let manager = try Self.manager(
            "  static_configs: [{targets: ['a:1']}]\n  relabel_configs: [\(rule)]", registry: registry)
        defer { manager.shutdown() }
        #expect(manager.targets().map(\.url) == (url.map { [$0] } ?? []))
        let failed = registry.families().first { $0.name == "prometheus_target_sync_failed_total" }
        #expect(failed?.samples.first?.value ?? 0 == (url == nil ? 1 : 0))
    }

    @Test(
        "an odd address becomes the URL that Prometheus makes of it",
        arguments: [
            ("u:p@h:1", "http://u:p%40h:1/metrics"), ("h:1?x", "http://h:1%3Fx/metrics"),
            ("h:1#x", "http://h:1%23x/metrics"), ("é:1", "http://%C3%A9:1/metrics"),
            ("[::1]:9", "http://[::1]:9/metrics"),
            (" h:1", "http://%20h:1/metrics"), ("h%41:1", "http://h%2541:1/metrics"), ("h", "http://h/metrics"),
        ])
    func addresses(_ address: String, _ url: String) throws {
        let manager = try Self.manager("  static_configs: [{targets: [\"\(address)\"]}]")
        defer { manager.shutdown() }
        #expect(manager.targets().first?.url == url)
        #expect(manager.targets().first?.labels["instance"] == address)
    }

    @Test("a job that is gone takes its targets along")
    func removedJob() throws {
        let manager = try Self.manager("  static_configs: [{targets: ['a:1']}]")
        defer { manager.shutdown() }
        manager.apply(Configuration())
        #expect(manager.targets().isEmpty)
        #expect(manager.pools().isEmpty)
    }

    @Test("a removed target's series end; one that comes back in time goes on")
    func removedTarget() throws {
        let clock = StandingClock(1_700_000_000_000)
        let store = ArrayStore()
        let stub = try #require(HTTPStub { _ in .init(contentType: "text/plain", text: "a 1\n") })
        defer { stub.stop() }
        var options = ScrapeOptions()
        // One worker takes its work in order, so that a finished scrape means that all before it is finished.
        options.workers = 1
        let manager = ScrapeManager(store: store, clock: clock, metrics: MetricRegistry(), options: options)
        defer { manager.shutdown() }
        let (one, two) = ("127.0.0.1:\(stub.port)", "localhost:\(stub.port)")
        try Self.apply(manager, "  static_configs: [{targets: ['\(one)', '\(two)']}]")
        manager.scrapeNow()
        try Self.apply(manager, "  static_configs: [{targets: ['\(one)']}]")
        try Self.apply(manager, "  static_configs: [{targets: ['\(one)', '\(two)']}]")
        clock.advance(3_600_000)
        manager.scrapeNow()
        #expect(store.values("a{instance=\"\(two)\", job=\"j\"}") == [1, 1])
        try Self.apply(manager, "  static_configs: [{targets: ['\(one)']}]")
        clock.advance(3 * 86_400_000)
        manager.scrapeNow()
        #expect(store.values("a{instance=\"\(two)\", job=\"j\"}") == [1, 1, nil])
        #expect(store.values("up{instance=\"\(two)\", job=\"j\"}") == [1, 1, nil])
        let ended = try #require(store.samples["a{instance=\"\(two)\", job=\"j\"}"]?.last)
        #expect(ended.time == 1_700_000_000_000 + 3_600_000 + 86_400_000)
        #expect(store.values("a{instance=\"\(one)\", job=\"j\"}").allSatisfy { $0 == 1 })
        try Self.apply(manager, "  static_configs: [{targets: ['\(one)', '\(two)']}]")
        manager.scrapeNow()
        #expect(store.values("a{instance=\"\(two)\", job=\"j\"}") == [1, 1, nil, 1])
        #expect(manager.targets().allSatisfy { $0.lastError == "" })
    }

    @Test("over the target limit nothing is asked and all fail")
    func targetLimit() throws {
        let stub = try #require(HTTPStub { _ in .init(contentType: "text/plain", text: "a 1\n") })
        defer { stub.stop() }
        let manager = try Self.manager(
            "  target_limit: 1\n  static_configs: [{targets: ['127.0.0.1:\(stub.port)', 'localhost:\(stub.port)']}]")
        defer { manager.shutdown() }
        manager.scrapeNow()
        #expect(
            Set(manager.targets().map(\.lastError)) == ["target_limit exceeded (number of targets: 2, limit: 1)"])
        #expect(stub.requests.isEmpty)
    }

    @Test("the Authorization header, the proxy's absence and the query reach the server")
    func request() throws {
        let stub = try #require(HTTPStub { _ in .init(contentType: "text/plain", text: "a 1\n") })
        defer { stub.stop() }
        let manager = try Self.manager(
            """
              params: {x: [y]}
              authorization: {credentials: secret}
              http_headers: {X-Tenant: {values: [t]}}
              static_configs: [{targets: ['127.0.0.1:\(stub.port)']}]
            """)
        defer { manager.shutdown() }
        // A scrape whose turn has just come is not asked for again, and nobody waits for it.
        while stub.requests.isEmpty { manager.scrapeNow() }
        let request = try #require(stub.requests.first)
        #expect(request.path == "/metrics?x=y")
        #expect(request.headers["authorization"] == "Bearer secret")
        #expect(request.headers["x-tenant"] == "t")
    }

    @Test("scrapes keep a phase of their own", arguments: [Int64(1000), 15_000, 60_000, 86_400_000])
    func offset(_ interval: Int64) {
        for now: Int64 in [0, 1, 1_700_000_000_123, 1_700_000_014_999] {
            for identity: UInt64 in [0, 1, 0xDEAD_BEEF_DEAD_BEEF, .max] {
                let first = ScrapeOffset.next(after: now, interval: interval, identity: identity, seed: 7)
                #expect(first > now && first <= now + interval)
                let second = ScrapeOffset.next(after: first, interval: interval, identity: identity, seed: 7)
                #expect(second - first == interval)
            }
        }
    }
}
