import Config
import Discovery
import Model
import Platform
import Synchronization
import Telemetry
import TestSupport
import Testing

@Suite("HTTP discovery")
struct HTTPDiscovererTests {
    static func job(_ port: UInt16) throws -> ScrapeConfig {
        let text = """
            scrape_configs:
              - job_name: a
                static_configs: [{targets: ["s:1"]}]
                http_sd_configs: [{url: "http://127.0.0.1:\(port)/sd", authorization: {credentials: c}}]
            """
        return try #require(
            try ConfigurationLoader.parse(text: Array(text.utf8), path: "test.yml").scrapeConfigs.first)
    }

    @Test("good answers give groups, bad ones keep the last")
    func refresh() async throws {
        let answer = Mutex(
            HTTPStub.Response(contentType: "application/json; charset=utf-8", text: #"[{"targets":["x:1"]}]"#))
        let stub = try #require(HTTPStub { _ in answer.withLock { $0 } })
        defer { stub.stop() }
        let config = try #require(try Self.job(stub.port).httpDiscovery.first)
        let metrics = MetricRegistry()
        let discoverer = HTTPDiscoverer(config, job: "a", metrics: metrics)
        let good = await discoverer.refresh()
        #expect(good.first?.targets == [[Label(name: "__address__", value: "x:1")]])
        #expect(good.first?.labels == [Label(name: "__meta_url", value: "http://127.0.0.1:\(stub.port)/sd")])
        let request = try #require(stub.requests.first)
        #expect(request.headers["authorization"] == "Bearer c")
        #expect(request.headers["user-agent"] == ProductVersion.userAgent)
        #expect(request.headers["accept"] == "application/json")
        #expect(request.headers["x-prometheus-refresh-interval-seconds"] == "60")
        let bad: [HTTPStub.Response] = [
            .init(status: 500, contentType: "application/json", text: "[]"),
            .init(contentType: "text/html", text: "[]"), .init(contentType: "application/json", text: "[{]"),
        ]
        for response in bad {
            answer.withLock { $0 = response }
            #expect(await discoverer.refresh() == good)
            #expect(discoverer.lastError != "")
        }
        #expect(metrics.families().first { $0.name == "prometheus_sd_http_failures_total" }?.samples.first?.value == 3)
    }

    @Test("the server is asked with a token")
    func token() async throws {
        let stub = try #require(
            HTTPStub { request in
                .init(
                    contentType: "application/json",
                    text: request.path == "/t" ? "{\"access_token\":\"abc\"}" : #"[{"targets":["x:1"]}]"#)
            })
        defer { stub.stop() }
        let text = """
            scrape_configs:
              - job_name: a
                http_sd_configs:
                  - url: "http://127.0.0.1:\(stub.port)/sd"
                    oauth2: {client_id: me, client_secret: s, token_url: "http://127.0.0.1:\(stub.port)/t"}
            """
        let job = try #require(
            try ConfigurationLoader.parse(text: Array(text.utf8), path: "test.yml").scrapeConfigs.first)
        let config = try #require(job.httpDiscovery.first)
        let discoverer = HTTPDiscoverer(config, job: "a", metrics: MetricRegistry())
        #expect(await discoverer.refresh().count == 1)
        #expect(stub.requests.map(\.path) == ["/t", "/sd"])
        #expect(stub.requests.last?.headers["authorization"] == "Bearer abc")
    }

    @Test("a URL's password is shown by no error")
    func password() async throws {
        let text = """
            scrape_configs:
              - job_name: a
                http_sd_configs: [{url: "http://user:s3cret@127.0.0.1:1/sd"}]
            """
        let job = try #require(
            try ConfigurationLoader.parse(text: Array(text.utf8), path: "test.yml").scrapeConfigs.first)
        let discoverer = HTTPDiscoverer(
            try #require(job.httpDiscovery.first), job: "a", metrics: MetricRegistry())
        _ = await discoverer.refresh()
        #expect(
            discoverer.lastError
                == "Get \"http://user:xxxxx@127.0.0.1:1/sd\": dial tcp 127.0.0.1:1: connect: connection refused")
    }

    @Test("credentials of discovery follow no redirect to another host")
    func redirect() async throws {
        let other = try #require(HTTPStub { _ in .init(contentType: "application/json", text: "[]") })
        defer { other.stop() }
        let location = "http://localhost:\(other.port)/sd"
        let stub = try #require(HTTPStub { _ in .init(status: 302, headers: ["Location": location]) })
        defer { stub.stop() }
        let discoverer = HTTPDiscoverer(
            try #require(try Self.job(stub.port).httpDiscovery.first), job: "a", metrics: MetricRegistry())
        _ = await discoverer.refresh()
        #expect(discoverer.lastError == "")
        #expect(stub.requests.first?.headers["authorization"] == "Bearer c")
        #expect(other.requests.count == 1 && other.requests.first?.headers["authorization"] == nil)
    }

    @Test("the manager adds them to the static groups")
    func manager() async throws {
        let stub = try #require(
            HTTPStub { _ in .init(contentType: "application/json", text: #"[{"targets":["x:1"]}]"#) })
        defer { stub.stop() }
        let job = try Self.job(stub.port)
        let (updates, sink) = AsyncStream.makeStream(of: [String].self)
        let manager = DiscoveryManager(name: "scrape", clock: SystemClock(), metrics: MetricRegistry()) { _, groups in
            sink.yield(groups.flatMap(\.targets).flatMap { $0 }.map(\.value))
        }
        manager.apply([DiscoveryJob(name: "a", staticConfigs: job.staticConfigs, httpDiscovery: job.httpDiscovery)])
        var seen: [[String]] = []
        for await update in updates {
            seen.append(update)
            if seen.count == 2 { break }
        }
        #expect(seen == [["s:1"], ["s:1", "x:1"]])
        manager.shutdown()
    }

    @Test("jobs that are gone leave no metric with their name")
    func removedJobs() throws {
        let job = try Self.job(1)
        let metrics = MetricRegistry()
        let manager = DiscoveryManager(
            name: "scrape", clock: ManualClock(now: 1_700_000_000_000), metrics: metrics
        ) { _, _ in }
        func named() -> Int {
            metrics.families().flatMap(\.samples).filter { $0.labels.contains { $0.name == "config" } }.count
        }
        for number in 0..<200 {
            // With another server, without one, and not there any more.
            let http = number % 3 == 1 ? [] : job.httpDiscovery
            manager.apply([
                DiscoveryJob(
                    name: "job \(number / 2)", staticConfigs: job.staticConfigs, httpDiscovery: http)
            ])
            #expect((1...10).contains(named()), "after \(number) reloads")
        }
        manager.apply([])
        #expect(named() == 0)
        manager.shutdown()
    }
}
