import Config
import Model
import Platform
import Synchronization
import Telemetry

/// Makes target groups of DNS records, one for each name.
///
/// If a lookup fails, the group of the last successful one stays, and the error is reported.
package final class DNSDiscoverer: RefreshedDiscoverer {
    private let config: DNSDiscoveryConfig
    private let resolver: DNSResolver
    private let groups: Mutex<[ExactText: TargetGroup]>
    private let lookups: Counter
    private let failures: Counter
    private let refreshes: RefreshMetrics
    private let clock: any Clock = SystemClock()
    private let log = Log("discovery")

    /// - Parameter known: The groups until a lookup succeeds.
    package init(
        _ config: DNSDiscoveryConfig, job: String, _ resolver: DNSResolver, metrics: MetricRegistry,
        known: [TargetGroup] = []
    ) {
        groups = Mutex(Dictionary(known.map { (ExactText($0.source), $0) }) { first, _ in first })
        self.config = config
        self.resolver = resolver
        (lookups, failures) = Self.ownMetrics(metrics)
        refreshes = RefreshMetrics(metrics, mechanism: "dns", job: job)
    }

    /// The metrics of all lookups together.
    static func ownMetrics(_ metrics: MetricRegistry) -> (lookups: Counter, failures: Counter) {
        (
            metrics.counter("prometheus_sd_dns_lookups_total", "The number of DNS-SD lookups."),
            metrics.counter("prometheus_sd_dns_lookup_failures_total", "The number of DNS-SD lookup failures.")
        )
    }

    /// Looks all names up at the same time; returns their groups in the order of the configuration.
    package func refresh() async -> [TargetGroup] {
        let started = clock.monotonic()
        defer { refreshes.observe(nanoseconds: clock.monotonic() &- started) }
        await withTaskGroup(of: Void.self) { tasks in
            for name in config.names { tasks.addTask { [self] in await refresh(name) } }
        }
        var seen: Set<ExactText> = []
        return groups.withLock { groups in
            config.names.map { ExactText($0) }.filter { seen.insert($0).inserted }.compactMap { groups[$0] }
        }
    }

    private func refresh(_ name: String) async {
        lookups.increment()
        do throws(DNSResolver.Failure) {
            let records = try await resolver.records(name, config.type)
            let group = TargetGroup(source: name, targets: records.map { target($0, name) })
            groups.withLock { $0[ExactText(name)] = group }
        } catch {
            failures.increment()
            log.error("Error refreshing DNS targets", about: [name], ["name": name, "err": "\(error)"])
        }
    }

    /// The labels of the target of a record.
    private func target(_ record: DNSMessage.Record, _ name: String) -> [Label] {
        var more: [Label] = []
        let address: String
        /// A host without the dots at its end.
        func host(_ name: String) -> String {
            var name = name[...]
            while name.hasSuffix(".") { name.removeLast() }
            return String(name)
        }
        switch record {
        case .address(let text): address = IPText.join(text, config.port)
        case .service(let target, let port):
            address = IPText.join(host(target), Int(port))
            more = [
                Label(name: "__meta_dns_srv_record_target", value: target),
                Label(name: "__meta_dns_srv_record_port", value: "\(port)"),
            ]
        case .mailServer(let target):
            address = IPText.join(host(target), config.port)
            more = [Label(name: "__meta_dns_mx_record_target", value: target)]
        case .nameServer(let target):
            address = IPText.join(host(target), config.port)
            more = [Label(name: "__meta_dns_ns_record_target", value: target)]
        }
        return [Label(name: "__address__", value: address), Label(name: "__meta_dns_name", value: name)] + more
    }
}
