import Config
import Model
import Platform
import Synchronization
import Telemetry
import TestSupport
import Testing

@testable import Discovery

@Suite("DNS discovery")
struct DNSDiscovererTests {
    /// A name server whose replies can be changed, and a resolver that asks it.
    private final class Setting {
        let stub: DNSStub
        let folder: FileDiscovererTests.Folder
        let replies: Replies
        let metrics = MetricRegistry()

        /// The replies by name; others do not exist.
        final class Replies: Sendable {
            private let all = Mutex<[String: DNSStub.Reply?]>([:])
            subscript(_ name: String) -> DNSStub.Reply? {
                get { all.withLock { $0[name] ?? .status(3) } }
                set { all.withLock { $0[name] = .some(newValue) } }
            }
        }

        init() throws {
            let replies = Replies()
            self.replies = replies
            stub = try #require(DNSStub { replies[$0.name] })
            folder = try FileDiscovererTests.Folder()
            folder.write("resolv.conf", "nameserver 127.0.0.1\nsearch x.example y.example\n")
        }

        deinit { stub.stop() }

        func resolver(timeout: Int64 = 60_000) -> DNSResolver {
            DNSResolver(file: folder.path + "/resolv.conf", port: stub.port, timeout: timeout)
        }

        func discoverer(
            _ names: [String], _ type: DNSDiscoveryConfig.RecordType = .a, port: Int = 80, timeout: Int64 = 60_000
        ) -> DNSDiscoverer {
            DNSDiscoverer(
                DNSDiscoveryConfig(names: names, type: type, port: port), job: "j", resolver(timeout: timeout),
                metrics: metrics)
        }

        func value(_ name: String) -> Double? { metrics.families().first { $0.name == name }?.samples.first?.value }
    }

    private static func labels(_ groups: [TargetGroup]) -> [[String: String]] {
        groups.flatMap(\.targets).map { Dictionary(uniqueKeysWithValues: $0.map { ($0.name, $0.value) }) }
    }

    @Test("each type of record makes targets with its labels")
    func types() async throws {
        let setting = try Setting()
        setting.replies["s.example."] = .records([DNSStub.service("b1.example", port: 9090)])
        let services = await setting.discoverer(["s.example."], .srv).refresh()
        #expect(
            Self.labels(services) == [
                [
                    "__address__": "b1.example:9090", "__meta_dns_name": "s.example.",
                    "__meta_dns_srv_record_target": "b1.example.", "__meta_dns_srv_record_port": "9090",
                ]
            ])
        #expect(services.map(\.source) == ["s.example."])
        setting.replies["a.example."] = .addresses(2, 1)
        #expect(
            Self.labels(await setting.discoverer(["a.example."]).refresh()).map { $0["__address__"] }
                == ["10.0.0.2:80", "10.0.0.1:80"])
        let six = [UInt8](repeating: 0, count: 15) + [1]
        setting.replies["six.example."] = .record(28, six)
        #expect(
            Self.labels(await setting.discoverer(["six.example."], .aaaa, port: 9).refresh())
                == [["__address__": "[::1]:9", "__meta_dns_name": "six.example."]])
        let mail: [UInt8] = [0, 10] + DNSStub.name("mail.example")
        setting.replies["m.example."] = .record(15, mail)
        #expect(
            Self.labels(await setting.discoverer(["m.example."], .mx, port: 25).refresh()) == [
                [
                    "__address__": "mail.example:25", "__meta_dns_name": "m.example.",
                    "__meta_dns_mx_record_target": "mail.example.",
                ]
            ])
        setting.replies["n.example."] = .record(2, DNSStub.name("ns.example"))
        #expect(
            Self.labels(await setting.discoverer(["n.example."], .ns, port: 53).refresh()) == [
                [
                    "__address__": "ns.example:53", "__meta_dns_name": "n.example.",
                    "__meta_dns_ns_record_target": "ns.example.",
                ]
            ])
        #expect(setting.stub.questions.map(\.type) == [33, 1, 28, 15, 2])
    }

    @Test("a failed lookup keeps the last targets of its name, and is counted; a name that is gone has none")
    func failures() async throws {
        let setting = try Setting()
        let discoverer = setting.discoverer(["a.example.", "b.example."])
        setting.replies["a.example."] = .addresses(1)
        setting.replies["b.example."] = .addresses(2)
        let both = await discoverer.refresh()
        #expect(Self.labels(both).map { $0["__address__"] } == ["10.0.0.1:80", "10.0.0.2:80"])
        setting.replies["a.example."] = .status(2)
        setting.replies["b.example."] = .addresses(3)
        let changed = await discoverer.refresh()
        #expect(Self.labels(changed).map { $0["__address__"] } == ["10.0.0.1:80", "10.0.0.3:80"])
        #expect(setting.value("prometheus_sd_dns_lookups_total") == 4)
        #expect(setting.value("prometheus_sd_dns_lookup_failures_total") == 1)
        setting.replies["a.example."] = .status(3)
        setting.replies["b.example."] = .records([])
        let none = await discoverer.refresh()
        #expect(none.map(\.source) == ["a.example.", "b.example."] && none.allSatisfy(\.targets.isEmpty))
        #expect(setting.value("prometheus_sd_dns_lookup_failures_total") == 1)
    }

    @Test("the search list is used in order, and one server's failure keeps the name from being gone")
    func search() async throws {
        let setting = try Setting()
        setting.replies["h.y.example."] = .addresses(1)
        let discoverer = setting.discoverer(["h"])
        #expect(Self.labels(await discoverer.refresh()).map { $0["__meta_dns_name"] } == ["h"])
        #expect(setting.stub.questions.map(\.name) == ["h.x.example.", "h.y.example."])
        setting.replies["h.y.example."] = .status(3)
        setting.replies["h.x.example."] = .status(5)
        #expect(Self.labels(await discoverer.refresh()).count == 1)
        #expect(setting.value("prometheus_sd_dns_lookup_failures_total") == 1)
        setting.replies["h.x.example."] = .status(3)
        #expect(Self.labels(await discoverer.refresh()).isEmpty)
        #expect(setting.stub.questions.last?.name == "h.")
    }

    @Test("a truncated answer is asked for again over TCP")
    func truncated() async throws {
        let setting = try Setting()
        let many = (0..<200).map { DNSStub.service("b\($0).example", port: UInt16($0)) }
        let stub = try #require(
            DNSStub { question in
                var reply = question.isTCP ? DNSStub.Reply.records(many) : .records([])
                reply.isTruncated = !question.isTCP
                return reply
            })
        defer { stub.stop() }
        let resolver = DNSResolver(file: setting.folder.path + "/resolv.conf", port: stub.port)
        let records = try await resolver.records("s.example.", .srv)
        #expect(records.count == 200)
        #expect(stub.questions.map(\.isTCP) == [false, true])
    }

    @Test("forged answers are passed over, and malformed ones are failures")
    func forged() async throws {
        let setting = try Setting()
        var reply = DNSStub.Reply.addresses(1)
        reply.change = { message in
            var other = message
            other[0] ^= 0xFF
            other[other.count - 1] = 66
            return [other, [], [1], message]
        }
        setting.replies["a.example."] = reply
        let discoverer = setting.discoverer(["a.example."])
        #expect(Self.labels(await discoverer.refresh()).map { $0["__address__"] } == ["10.0.0.1:80"])
        reply.change = { [$0.dropLast()] }
        setting.replies["a.example."] = reply
        #expect(Self.labels(await discoverer.refresh()).count == 1)
        #expect(setting.value("prometheus_sd_dns_lookup_failures_total") == 1)
    }

    @Test("a server that is silent or not there is passed over after a limited time")
    func nextServer() async throws {
        let setting = try Setting()
        setting.replies["silent.example."] = nil
        let failed = await setting.discoverer(["silent.example."], timeout: 50).refresh()
        #expect(failed.isEmpty && setting.value("prometheus_sd_dns_lookup_failures_total") == 1)
        // Nobody listens on the first address.
        setting.folder.write("resolv.conf", "nameserver 127.0.0.2\nnameserver nonsense\nnameserver 127.0.0.1\n")
        setting.replies["a.example."] = .addresses(1)
        #expect(try await setting.resolver().records("a.example", .a) == [.address("10.0.0.1")])
        setting.folder.write("resolv.conf", "search x\n")
        await #expect(throws: DNSResolver.Failure.self) { try await setting.resolver().records("a.example", .a) }
    }

    @Test("a name that is none is a failure, and so is a resolv.conf that is missing")
    func mistakes() async throws {
        let setting = try Setting()
        await #expect(throws: DNSResolver.Failure.self) { try await setting.resolver().records("a..b", .a) }
        await #expect(throws: DNSResolver.Failure.self) {
            try await DNSResolver(file: "/no/such/file").records("a.example.", .a)
        }
    }

    @Test("the manager keeps what is known of an unchanged configuration, also for a job with another name")
    func reload() async throws {
        let setting = try Setting()
        setting.replies["a.example."] = .addresses(1)
        let config = DNSDiscoveryConfig(names: ["a.example."], type: .a, port: 80)
        let (updates, sink) = AsyncStream.makeStream(of: (job: String, count: Int).self)
        let manager = DiscoveryManager(
            name: "notify", clock: SystemClock(), metrics: setting.metrics, resolver: setting.resolver()
        ) { job, groups in sink.yield((job, groups.flatMap(\.targets).count)) }
        manager.apply([DiscoveryJob(name: "one", dnsDiscovery: [config])])
        for await update in updates where update.count == 1 { break }
        setting.replies["a.example."] = .status(2)
        manager.apply([DiscoveryJob(name: "two", dnsDiscovery: [config])])
        #expect(manager.groups()["two"]?.flatMap(\.targets).count == 1)
        func failures() -> Double? { setting.value("prometheus_sd_dns_lookup_failures_total") }
        while failures() != 1 { await Task.yield() }
        while setting.metrics.families().first(where: { $0.name == "prometheus_sd_received_updates_total" })?.samples
            .first?.value != 2
        { await Task.yield() }
        #expect(manager.groups()["two"]?.flatMap(\.targets).count == 1)
        let jobs = setting.metrics.families().first { $0.name == "prometheus_sd_refresh_duration_seconds" }?.samples
            .flatMap(\.labels).filter { $0.name == "config" }.map(\.value)
        #expect(Set(jobs ?? []) == ["two"])
        manager.shutdown()
    }
}
