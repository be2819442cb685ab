import Config
import GoCompatibility
import HTTP
import Model
import Platform
import Synchronization
import Telemetry

/// Requests target groups from a web server.
///
/// If an answer is missing or invalid, the groups of the last valid one stay, and the error is reported.
package final class HTTPDiscoverer: RefreshedDiscoverer {
    private struct State {
        var groups: [TargetGroup] = []
        var error = ""
        /// The memory of the groups.
        var cost: TargetListCost?
    }

    package let config: HTTPDiscoveryConfig
    private let lists: TargetListBudget
    private let state: Mutex<State>
    private let failures: Counter
    private let client: HTTPClient
    /// The URL for logs.
    private let shownURL: String
    private let refreshes: RefreshMetrics
    private let clock: any Clock = SystemClock()
    private let log = Log("discovery")

    /// The size of the largest answer that is read, bytes: some 100,000 targets with a few labels each.
    ///
    /// The memory of its targets has another limit, ``TargetListBudget``.
    static let answerLimit = 32 << 20
    /// The limit of the answers of all servers together.
    private static let answers = ByteBudget(limit: 2 * answerLimit)

    /// - Parameter known: The groups until the first valid answer.
    package init(
        _ config: HTTPDiscoveryConfig, job: String, metrics: MetricRegistry,
        userAgent: String = ProductVersion.userAgent, lists: TargetListBudget? = nil, known: [TargetGroup] = []
    ) {
        state = Mutex(State(groups: known))
        self.config = config
        self.lists = lists ?? .shared
        client = HTTPClient(config.client, userAgent: userAgent, maxRequests: 1, budget: Self.answers)
        shownURL = ConfigURL.shown(config.url)
        failures = Self.failures(metrics)
        refreshes = RefreshMetrics(metrics, mechanism: "http", job: job)
    }

    /// The failures of all servers together.
    static func failures(_ metrics: MetricRegistry) -> Counter {
        metrics.counter("prometheus_sd_http_failures_total", "Number of HTTP service discovery refresh failures.")
    }

    /// The error of the last refresh; empty if it succeeded.
    package var lastError: String { state.withLock { $0.error } }

    /// Returns the current groups of the server.
    package func refresh() async -> [TargetGroup] {
        let started = clock.monotonic()
        defer { refreshes.observe(nanoseconds: clock.monotonic() &- started) }
        do {
            let body = try await ask()
            let (groups, cost) = try read(body)
            state.withLock { $0 = State(groups: groups, cost: cost) }
            return groups
        } catch {
            failures.increment()
            refreshes.failures.increment()
            log.error(
                "Unable to refresh target groups", about: [shownURL], ["url": shownURL, "err": "\(error)"])
            return state.withLock { state in
                state.error = "\(error)"
                return state.groups
            }
        }
    }

    private func ask() async throws -> [UInt8] {
        var request = ClientRequest(url: config.url, timeout: config.refreshInterval)
        request.headers = [
            ("Accept", "application/json"),
            ("X-Prometheus-Refresh-Interval-Seconds", "\(config.refreshInterval / 1000)"),
        ]
        request.answer = .whole(limit: Self.answerLimit)
        let response = try await client.send(request)
        guard response.status == 200 else {
            throw ConfigError(file: shownURL, message: "server returned HTTP status \(response.status)")
        }
        let type = response.contentType.lowercased().filter { $0 != " " }
        guard type == "application/json" || type == "application/json;charset=utf-8" else {
            throw ConfigError(
                file: shownURL, message: "unsupported content type \(GoQuote.quote(response.contentType))")
        }
        return response.body
    }

    /// The bytes that the texts of a list take while it is read, for each byte of it.
    private static let bytesPerByte = 4

    /// Reads a list, whose memory is limited.
    private func read(_ body: [UInt8]) throws -> ([TargetGroup], TargetListCost) {
        guard AddressSpace.canAllocate(body.count * Self.bytesPerByte) else {
            throw ConfigError(file: shownURL, message: "no address space left to read the list\(AddressSpace.note)")
        }
        let cost = TargetListCost(lists, replacing: state.withLock { $0.cost })
        let groups = try TargetGroupList.parse(
            body, isJSON: true, place: shownURL, labels: [Label(name: "__meta_url", value: shownURL)], cost: cost)
        return (groups, cost)
    }
}
