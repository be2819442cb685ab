import Config
import Discovery
import Glibc
import JSON
import Model
import Platform
import Synchronization
import Telemetry
import TestSupport
import Testing

@testable import HTTP
@testable import Notify

@Suite("Discovery of Alertmanagers")
struct AlertmanagerDiscoveryTests {
    static func config(_ text: String) throws -> AlertingConfig {
        let read = try ConfigurationLoader.parse(text: Array("alerting:\n\(text)".utf8), path: "/t/p.yml")
        #expect(read.unsupported.isEmpty, "\(read.unsupported)")
        return read.alerting
    }

    /// The Alertmanagers of the static targets.
    private static func endpoints(_ text: String) throws -> [AlertmanagerEndpoint] {
        let entries = AlertmanagerEntry.all(try config(text)) { _ in RecordingTransport(ManualClock()) }
        return entries.flatMap { entry in
            entry.endpoints(entry.config.staticConfigs.map { TargetGroup($0, source: "s") })
        }
    }

    @Test("targets become URLs, relabelled and without repetition inside of an entry")
    func endpoints() throws {
        let endpoints = try Self.endpoints(
            """
              alertmanagers:
                - path_prefix: /am/
                  scheme: https
                  static_configs: [{targets: ['a:1', 'b:2', 'a:1', 'b:2']}]
                  relabel_configs: [{source_labels: [__address__], regex: 'b.*', action: drop}]
                - static_configs: [{targets: ['c:3']}]
            """)
        #expect(
            endpoints.filter { !$0.isDropped }.map(\.url)
                == ["https://a:1/am/api/v2/alerts", "http://c:3/api/v2/alerts"])
        #expect(endpoints.filter(\.isDropped).map(\.url) == ["https://b:2/am/api/v2/alerts"])
        let client = AlertmanagerClient(clock: ManualClock(), userAgent: "martlet")
        client.apply(endpoints)
        #expect(client.activeURLs().count == 2)
        #expect(client.droppedURLs() == ["https://b:2/am/api/v2/alerts"])
    }

    @Test("labels and relabelling may name scheme, address and path")
    func ownPath() throws {
        let urls = try Self.endpoints(
            """
              alertmanagers:
                - static_configs:
                    - {targets: ['a:1'], labels: {__alerts_path__: /custom/alerts, __scheme__: https}}
                - path_prefix: x
                  static_configs: [{targets: ['h'], labels: {cluster: c}}]
                  relabel_configs:
                    - {source_labels: [__address__, cluster], separator: '.', target_label: __address__, replacement: '$1:9'}
                    - {target_label: __scheme__, replacement: https}
                    - {source_labels: [__alerts_path__], target_label: __alerts_path__, replacement: '/y$1'}
                - static_configs: [{targets: ['h']}]
                  relabel_configs: [{target_label: __address__, replacement: 'a/b'}]
            """
        ).map(\.url)
        #expect(urls == ["https://a:1/custom/alerts", "https://h.c:9/y/x/api/v2/alerts"])
    }

    /// An Alertmanager that keeps the label `n` of each alert.
    private final class Receiver: Sendable {
        let stub: HTTPStub
        private let seen: Seen

        private final class Seen: Sendable {
            let numbers = Mutex<[String]>([])
        }

        init() throws {
            let seen = Seen()
            self.seen = seen
            stub = try #require(
                HTTPStub { request in
                    let alerts = (try? JSONValue.parse(request.body))?.array ?? []
                    seen.numbers.withLock { $0 += alerts.compactMap { $0["labels"]?["n"]?.string } }
                    return .init(status: 200)
                })
        }

        var numbers: [String] { seen.numbers.withLock { $0 } }
        var target: String { "127.0.0.1:\(stub.port)" }
    }

    private static func entries(_ text: String) throws -> [AlertmanagerEntry] {
        try AlertmanagerEntry.all(try config(text)) { try HTTPTransport($0.client) }
    }

    private static func alert(_ number: Int) -> [Alert] {
        [Alert(labels: Labels([("n", "\(number)")]), startsAt: Timeline.start)]
    }

    @Test("reloads and changes of discovery lose nothing, double nothing and keep the order where one stays")
    func reloads() async throws {
        let folder = try TemporaryFolder()
        let clock = ManualClock(now: Timeline.start)
        let metrics = MetricRegistry()
        let client = AlertmanagerClient(
            clock: clock, userAgent: "martlet", capacity: 100_000, batchSize: 7, metrics: metrics)
        let discovery = AlertmanagerDiscovery(client, clock: clock, metrics: metrics)
        let (stays, changes, other) = (try Receiver(), try Receiver(), try Receiver())
        defer { for receiver in [stays, changes, other] { receiver.stub.stop() } }
        client.start()
        let found = folder.path + "/t.yml"
        func write(_ targets: [String]) throws {
            let temporary = folder.path + "/new"
            let file = try #require(fopen(temporary, "w"))
            fputs("[{targets: [\(targets.map { "'\($0)'" }.joined(separator: ", "))]}]", file)
            fclose(file)
            rename(temporary, found)
        }
        try write([stays.target])
        let files = "- file_sd_configs: [{files: ['\(found)']}]"
        let further = "- static_configs: [{targets: ['\(other.target)']}]"
        let rounds = 40
        for round in 0..<rounds {
            // The entry moves, and has another index.
            let blocks = round % 2 == 0 ? [files, further] : [further, files]
            discovery.apply(
                try Self.entries("  alertmanagers:\n" + blocks.map { "    \($0)\n" }.joined()))
            for number in 0..<25 { client.send(Self.alert(round * 100 + number)) }
            let targets = round % 3 == 0 ? [changes.target, stays.target] : [stays.target]
            try write(targets)
            await clock.waitForSleeper(until: clock.now() + 1000)
            clock.advance(to: clock.now() + 1000)
            while client.activeURLs().count != targets.count + 1 { await Task.yield() }
            // The clock runs ahead of the servers.
            while client.leavingCount > 0 { await Task.yield() }
            for number in 25..<50 { client.send(Self.alert(round * 100 + number)) }
        }
        await client.stop()
        let all = (0..<rounds).flatMap { round in (0..<50).map { "\(round * 100 + $0)" } }
        #expect(stays.numbers == all)
        #expect(other.numbers == all)
        // In each third round it is there from the middle on, and then until the middle of the next one.
        var expected: [String] = []
        for round in 0..<rounds {
            let numbers = [25..<50, 0..<25, 0..<0][round % 3]
            expected += numbers.map { "\(round * 100 + $0)" }
        }
        #expect(changes.numbers == expected)
        let sent = metrics.families().first { $0.name == "prometheus_notifications_sent_total" }?.samples
        #expect(sent?.first { $0.labels.contains { $0.value.contains(stays.target) } }?.value == Double(all.count))
    }

    @Test("files, web servers and DNS give Alertmanagers, which relabelling may drop")
    func kinds() async throws {
        let folder = try TemporaryFolder()
        let file = try #require(fopen(folder.path + "/t.json", "w"))
        fputs(#"[{"targets": ["f:1", "no:1"]}]"#, file)
        fclose(file)
        let conf = try #require(fopen(folder.path + "/resolv.conf", "w"))
        fputs("nameserver 127.0.0.1\n", conf)
        fclose(conf)
        let web = try #require(
            HTTPStub { _ in .init(contentType: "application/json", text: #"[{"targets":["w:1"]}]"#) })
        let names = try #require(DNSStub { _ in .records([DNSStub.service("d.example", port: 9093)]) })
        defer { web.stop() }
        defer { names.stop() }
        let clock = ManualClock(now: Timeline.start)
        let metrics = MetricRegistry()
        let client = AlertmanagerClient(clock: clock, userAgent: "martlet", metrics: metrics)
        let discovery = AlertmanagerDiscovery(
            client, clock: clock, metrics: metrics,
            resolver: DNSResolver(file: folder.path + "/resolv.conf", port: names.port, timeout: 60_000))
        discovery.apply(
            try Self.entries(
                """
                  alertmanagers:
                    - file_sd_configs: [{files: ['\(folder.path)/*.json']}]
                      http_sd_configs: [{url: 'http://127.0.0.1:\(web.port)/'}]
                      dns_sd_configs: [{names: [am.example]}]
                      static_configs: [{targets: ['s:1']}]
                      relabel_configs: [{source_labels: [__address__], regex: 'no.*', action: drop}]
                """))
        let expected = ["s:1", "f:1", "w:1", "d.example:9093"].map { "http://\($0)/api/v2/alerts" }
        while client.activeURLs().count < 4 { await Task.yield() }
        #expect(client.activeURLs() == expected)
        #expect(client.droppedURLs() == ["http://no:1/api/v2/alerts"])
        let counted = metrics.families().first { $0.name == "prometheus_sd_discovered_targets" }?.samples
        #expect(counted?.map(\.value) == [5])
        #expect(counted?.first?.labels.map(\.value).sorted() == ["config-0", "notify"])
        discovery.stop()
        discovery.apply([])
        #expect(client.activeURLs().isEmpty && client.droppedURLs().isEmpty)
    }

    @Test("one Alertmanager of two entries gets the alerts of each, and has one set of metrics")
    func twice() async throws {
        let receiver = try Receiver()
        defer { receiver.stub.stop() }
        let clock = ManualClock(now: Timeline.start)
        let metrics = MetricRegistry()
        let client = AlertmanagerClient(clock: clock, userAgent: "martlet", metrics: metrics)
        let discovery = AlertmanagerDiscovery(client, clock: clock, metrics: metrics)
        let block = "static_configs: [{targets: ['\(receiver.target)']}]"
        discovery.apply(
            try Self.entries(
                """
                  alertmanagers:
                    - \(block)
                      alert_relabel_configs: [{source_labels: [n], regex: '1', action: keep}]
                    - \(block)
                      alert_relabel_configs: [{source_labels: [n], regex: '2', action: keep}]
                """))
        for number in 0..<4 { client.send(Self.alert(number)) }
        await client.stop()
        #expect(receiver.numbers.sorted() == ["1", "2"])
        let sent = metrics.families().first { $0.name == "prometheus_notifications_sent_total" }?.samples
        #expect(sent?.map(\.value) == [2])
        discovery.stop()
    }

    private static func waiting(_ count: Int) -> [Alert] { AlertmanagerClientTests.alerts(count) }

    @Test("one that leaves still gets what waits, and continues if it comes back meanwhile; its metrics are gone")
    func leaving() async throws {
        for comesBack in [false, true] {
            let clock = ManualClock()
            let (gate, later) = (AlertmanagerClientTests.Gate(), AlertmanagerClientTests.Gate())
            later.open()
            let metrics = MetricRegistry()
            let client = AlertmanagerClient(clock: clock, userAgent: "martlet", batchSize: 10, metrics: metrics)
            client.apply([AlertmanagerEndpoint(url: "http://am", transport: gate)])
            client.start()
            client.send(Self.waiting(25))
            while gate.bodies.isEmpty { await Task.yield() }
            client.apply([])
            #expect(client.activeURLs().isEmpty)
            #expect(
                metrics.families().flatMap(\.samples).filter { $0.labels.contains { $0.name == "alertmanager" } }
                    .isEmpty)
            client.send(Self.waiting(5))
            if comesBack {
                client.apply([AlertmanagerEndpoint(url: "http://am", transport: later)])
                client.send(Self.waiting(3))
            }
            gate.open()
            await client.stop()
            #expect(gate.bodies == (comesBack ? [10] : [10, 10, 5]))
            #expect(later.bodies == (comesBack ? [10, 8] : []))
            let sent = metrics.families().first { $0.name == "prometheus_notifications_sent_total" }?.samples
            #expect(sent?.map(\.value) == (comesBack ? [28] : []))
        }
    }

    @Test("one that leaves and does not answer is given up after a limited time")
    func leavingTime() async throws {
        let clock = ManualClock()
        let silence = AlertmanagerClientTests.Silence(.cancelled)
        let client = AlertmanagerClient(clock: clock, userAgent: "martlet", batchSize: 10)
        client.apply([AlertmanagerEndpoint(url: "http://am", transport: silence)])
        client.start()
        client.send(Self.waiting(25))
        while silence.posts < 1 { await Task.yield() }
        client.apply([])
        await clock.waitForSleeper(until: clock.now() + AlertmanagerClient.leavingTime)
        clock.advance(to: clock.now() + AlertmanagerClient.leavingTime)
        while client.leavingCount > 0 { await Task.yield() }
        // A new one with the same URL does not wait for it.
        let gate = AlertmanagerClientTests.Gate()
        gate.open()
        client.apply([AlertmanagerEndpoint(url: "http://am", transport: gate)])
        client.send(Self.waiting(2))
        await client.stop()
        #expect(silence.posts == 1 && gate.bodies == [2])
    }

    @Test("requests are signed for AWS, without the name of the program")
    func signed() async throws {
        final class Kept: NotificationTransport {
            let requests = Mutex<[ReceiverRequest]>([])
            func send(_ request: ReceiverRequest) async throws -> ReceiverAnswer {
                requests.withLock { $0.append(request) }
                return ReceiverAnswer(status: 200)
            }
        }
        let config = try Self.config(
            """
              alertmanagers:
                - sigv4: {region: eu-west-1, access_key: AK, secret_key: S3CRET}
                  static_configs: [{targets: ['h']}]
            """)
        let sigV4 = try #require(config.alertmanagers.first?.sigV4)
        let kept = Kept()
        let request = ReceiverRequest(
            url: "https://h/api/v2/alerts", headers: [("Content-Type", "application/json"), ("User-Agent", "m")],
            body: Array("[]".utf8))
        let clock = ManualClock(now: Timeline.start)
        _ = try await SigningTransport(sigV4, kept, clock: clock) { _ in nil }.send(request)
        let headers = kept.requests.withLock { $0 }.first?.headers ?? []
        #expect(
            headers.last?.value.hasPrefix(
                "AWS4-HMAC-SHA256 Credential=AK/20231114/eu-west-1/aps/aws4_request, "
                    + "SignedHeaders=content-type;host;x-amz-date, Signature=") == true)
        #expect(headers.map(\.name) == ["Content-Type", "User-Agent", "X-Amz-Date", "Authorization"])
        var empty = sigV4
        (empty.accessKey, empty.secretKey) = ("", "")
        await #expect(throws: HTTPTransport.Failure.self) {
            try await SigningTransport(empty, kept, clock: clock) { _ in nil }.send(request)
        }
    }
}
