import Config
import HTTP
import Platform
import Synchronization
import Telemetry

/// Calls URLs at their intervals while the daemon is alive.
///
/// A service outside that misses the calls notices that the daemon, its machine or its network is dead.
final class HeartbeatPings: Sendable {
    /// Sends a request to a URL; throws without a good answer.
    typealias Send = @Sendable (HeartbeatConfig.Outgoing) async throws -> Void

    private struct State {
        var configs: [HeartbeatConfig.Outgoing] = []
        var tasks: [Task<Void, Never>] = []
        var isStarted = false
    }

    private let clock: any Clock
    private let send: Send
    /// The reasons for which the daemon is not alive.
    private let reasons: @Sendable () -> [String]
    private let state = Mutex(State())
    private let sent: Counter
    private let failed: Counter
    private let withheld: Counter
    private let log = Log("heartbeat")

    init(
        clock: any Clock, metrics: MetricRegistry, reasons: @escaping @Sendable () -> [String],
        send: @escaping Send = HeartbeatPings.get
    ) {
        self.clock = clock
        self.reasons = reasons
        self.send = send
        sent = metrics.counter("martlet_heartbeats_sent_total", "Heartbeats that a server has accepted.")
        failed = metrics.counter("martlet_heartbeats_failed_total", "Heartbeats that no server has accepted.")
        withheld = metrics.counter(
            "martlet_heartbeats_withheld_total", "Heartbeats that were not sent, because the daemon was not alive.")
    }

    /// Sends a GET request; an answer of 2xx is good.
    static func get(_ config: HeartbeatConfig.Outgoing) async throws {
        let client = HTTPClient(config.client, userAgent: ProductVersion.userAgent, maxRequests: 1)
        var request = ClientRequest(url: config.url, timeout: config.timeout)
        request.answer = .unwanted
        let answer: ClientResponse
        do throws(HTTPClientError) {
            answer = try await client.send(request)
        } catch {
            // The URL is often a secret.
            throw CommandFailure(description: error.redacted)
        }
        guard (200..<300).contains(answer.status) else {
            throw CommandFailure(description: "server returned HTTP status \(answer.status)")
        }
    }

    /// Replaces the URLs.
    func apply(_ configs: [HeartbeatConfig.Outgoing]) {
        state.withLock { state in
            state.configs = configs
            if state.isStarted { restart(&state) }
        }
    }

    func start() {
        state.withLock { state in
            state.isStarted = true
            restart(&state)
        }
    }

    func stop() {
        state.withLock { state in
            state.isStarted = false
            for task in state.tasks { task.cancel() }
            state.tasks = []
        }
    }

    private func restart(_ state: inout State) {
        for task in state.tasks { task.cancel() }
        state.tasks = state.configs.map { config in Task { [weak self] in await self?.run(config) } }
    }

    private func run(_ config: HeartbeatConfig.Outgoing) async {
        while !Task.isCancelled {
            let began = clock.monotonic()
            await ping(config)
            let rest = max(0, config.interval - (clock.monotonic() - began) / 1_000_000)
            do { try await clock.sleep(until: clock.now() + rest) } catch { return }
        }
    }

    /// Calls one URL, unless the daemon is not alive.
    func ping(_ config: HeartbeatConfig.Outgoing) async {
        let reasons = reasons()
        guard reasons.isEmpty else {
            withheld.increment()
            let reason = reasons.joined(separator: "; ")
            log.warn("A heartbeat is not sent, because martlet is not alive", about: [reason], ["reason": reason])
            return
        }
        do {
            try await send(config)
            sent.increment()
        } catch {
            if Task.isCancelled { return }
            failed.increment()
            log.warn("Sending a heartbeat failed", about: ["\(error)"], ["err": "\(error)"])
        }
    }
}
