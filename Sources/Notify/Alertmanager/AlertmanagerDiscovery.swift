import Config
import Discovery
import Model
import Platform
import Synchronization
import Telemetry

/// Finds the external Alertmanagers, and gives them to the client after each change.
package final class AlertmanagerDiscovery: Sendable {
    private struct State {
        var entries: [AlertmanagerEntry] = []
        /// Whether the client keeps its Alertmanagers: while a configuration is applied, and after the end.
        var isHeld = false
    }

    private let client: AlertmanagerClient
    private let manager = Mutex<DiscoveryManager?>(nil)
    /// Locked while the client gets Alertmanagers, so that the newest are the last.
    private let state = Mutex(State())

    package init(
        _ client: AlertmanagerClient, clock: any Clock, metrics: MetricRegistry, resolver: DNSResolver = DNSResolver()
    ) {
        self.client = client
        let manager = DiscoveryManager(name: "notify", clock: clock, metrics: metrics, resolver: resolver) {
            [weak self] _, _ in self?.update()
        }
        self.manager.withLock { $0 = manager }
    }

    /// Replaces the entries of the configuration.
    ///
    /// Discovery with an unchanged configuration continues, and the client changes its Alertmanagers once, when the
    /// targets of all entries are known.
    package func apply(_ entries: [AlertmanagerEntry]) {
        state.withLock { $0.isHeld = true }
        manager.withLock { $0 }?.apply(entries.enumerated().map { $0.element.job($0.offset) })
        state.withLock { state in
            state.entries = entries
            state.isHeld = false
            give(state)
        }
    }

    /// Ends the discovery; the client keeps its Alertmanagers.
    package func stop() {
        state.withLock { $0.isHeld = true }
        manager.withLock { $0 }?.shutdown()
    }

    private func update() { state.withLock { if !$0.isHeld { give($0) } } }

    private func give(_ state: State) {
        let groups = manager.withLock { $0 }?.groups() ?? [:]
        client.apply(
            state.entries.enumerated().flatMap { index, entry in
                entry.endpoints(groups[ExactText(entry.job(index).name)] ?? [])
            })
    }
}
