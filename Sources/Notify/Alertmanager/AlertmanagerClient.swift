import Config
import JSON
import Model
import Platform
import Synchronization
import Telemetry

/// One external Alertmanager.
package struct AlertmanagerEndpoint: Sendable {
    /// `http://host:9093/api/v2/alerts`.
    package var url: String
    /// ms.
    package var timeout: Int64
    /// The `alert_relabel_configs` of its entry.
    package var relabelRules: [RelabelRule]
    package var transport: any NotificationTransport

    package init(
        url: String, timeout: Int64 = 10_000, relabelRules: [RelabelRule] = [], transport: any NotificationTransport
    ) {
        self.url = url
        self.timeout = timeout
        self.relabelRules = relabelRules
        self.transport = transport
    }

    /// The Alertmanagers of the configuration's `alerting` block; of equal URLs the first stays.
    ///
    /// - Parameter transport: Makes the connection for an entry's client settings.
    package static func all(
        _ config: AlertingConfig, transport: (HTTPClientConfig) throws -> any NotificationTransport
    ) rethrows -> [AlertmanagerEndpoint] {
        var seen = Set<String>()
        var result: [AlertmanagerEndpoint] = []
        for entry in config.alertmanagers {
            let carrier = try transport(entry.client)
            for group in entry.staticConfigs {
                for target in group.targets {
                    guard let url = url(of: target, group.labels, entry), seen.insert(url).inserted else { continue }
                    result.append(
                        AlertmanagerEndpoint(
                            url: url, timeout: entry.timeout, relabelRules: entry.alertRelabelRules,
                            transport: carrier))
                }
            }
        }
        return result
    }

    /// The URL of a target after relabelling; nil if it is dropped.
    private static func url(of target: String, _ labels: [Label], _ entry: AlertmanagerEndpointConfig) -> String? {
        var builder = LabelsBuilder()
        for label in labels { builder.set(label.name, label.value) }
        builder.set("__address__", target)
        builder.set("__scheme__", entry.scheme)
        let parts = (entry.pathPrefix + "/api/v2/alerts").split(separator: "/")
        builder.set("__alerts_path__", "/" + parts.joined(separator: "/"))
        guard Relabel.apply(entry.relabelRules, to: &builder), !builder.get("__address__").isEmpty else { return nil }
        return builder.get("__scheme__") + "://" + builder.get("__address__") + builder.get("__alerts_path__")
    }
}

/// Sends alerts to external Alertmanagers as Prometheus does: each has a queue of its own, a batch that fails is
/// dropped, and the rules' resending makes up for it.
package final class AlertmanagerClient: AlertSink {
    private static let log = Log("notifier")

    /// The queue and the task of one Alertmanager.
    private final class Sender: Sendable {
        struct State {
            var queue: AlertQueue
            var sent = 0
            var errors = 0
            var latency = QuantileWindow()
            var task: Task<Void, Never>?
        }
        let endpoint: AlertmanagerEndpoint
        let state: Mutex<State>
        let wake: AsyncStream<Void>.Continuation
        let wakes: AsyncStream<Void>

        init(_ endpoint: AlertmanagerEndpoint, capacity: Int) {
            self.endpoint = endpoint
            state = Mutex(State(queue: AlertQueue(capacity: capacity)))
            (wakes, wake) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
        }
    }

    private struct Settings {
        var senders: [Sender] = []
        var relabelRules: [RelabelRule] = []
        var externalLabels = Labels.empty
        var isStarted = false
    }

    private let settings = Mutex(Settings())
    private let capacity: Int
    private let drainsOnStop: Bool
    private let userAgent: String
    private let clock: any Clock

    /// - Parameters:
    ///   - capacity: Alerts that may wait for one Alertmanager.
    ///   - drainsOnStop: Whether ``stop()`` sends what waits.
    package init(
        clock: any Clock, userAgent: String, capacity: Int = 10_000, drainsOnStop: Bool = true,
        metrics registry: MetricRegistry = MetricRegistry()
    ) {
        self.clock = clock
        self.userAgent = userAgent
        self.capacity = capacity
        self.drainsOnStop = drainsOnStop
        registry.addCollector { [weak self] in self?.families() ?? [] }
    }

    /// Replaces the Alertmanagers; one whose URL stays keeps its queue.
    package func apply(_ endpoints: [AlertmanagerEndpoint], relabelRules: [RelabelRule], externalLabels: Labels) {
        let (removed, added, isStarted) = settings.withLock { settings in
            let old = settings.senders
            // A changed entry may have other rules and another client: its sender is new, with what still waits.
            let senders = endpoints.map { endpoint in
                let sender = Sender(endpoint, capacity: capacity)
                if let before = old.first(where: { $0.endpoint.url == endpoint.url }) {
                    let (queue, sent, errors) = before.state.withLock { ($0.queue, $0.sent, $0.errors) }
                    sender.state.withLock {
                        $0.queue = queue
                        $0.sent = sent
                        $0.errors = errors
                    }
                }
                return sender
            }
            settings.senders = senders
            settings.relabelRules = relabelRules
            settings.externalLabels = externalLabels
            return (old, senders, settings.isStarted)
        }
        for sender in removed { sender.state.withLock { $0.task?.cancel() } }
        if isStarted { for sender in added { launch(sender) } }
    }

    package func start() {
        let senders = settings.withLock { settings in
            settings.isStarted = true
            return settings.senders
        }
        for sender in senders { launch(sender) }
    }

    /// Ends sending; what waits is sent before, unless it was asked not to, for as long as `grace` ms.
    package func stop(grace: Int64 = 10_000) async {
        let deadline = clock.now() &+ grace
        let senders = settings.withLock { settings in
            settings.isStarted = false
            return settings.senders
        }
        for sender in senders {
            let task = sender.state.withLock { state in
                let task = state.task
                state.task = nil
                return task
            }
            task?.cancel()
            await task?.value
            if drainsOnStop { while clock.now() < deadline, await sendBatch(of: sender) {} }
        }
    }

    package func send(_ alerts: [Alert]) {
        let (senders, rules, external) = settings.withLock { ($0.senders, $0.relabelRules, $0.externalLabels) }
        if senders.isEmpty { return }
        let labelled = alerts.compactMap { Self.relabel($0, rules, adding: external) }
        for sender in senders {
            let accepted = labelled.compactMap { Self.relabel($0, sender.endpoint.relabelRules) }
            if accepted.isEmpty { continue }
            sender.state.withLock { $0.queue.add(accepted) }
            sender.wake.yield()
        }
    }

    /// The URLs that alerts are sent to.
    package func activeURLs() -> [String] { settings.withLock { $0.senders.map(\.endpoint.url) } }

    /// An alert with external labels where it has none of the name, relabelled; nil if it is dropped.
    private static func relabel(_ alert: Alert, _ rules: [RelabelRule], adding external: Labels = .empty) -> Alert? {
        if rules.isEmpty, external.isEmpty { return alert }
        var builder = LabelsBuilder(alert.labels)
        for label in external.pairs where builder.get(label.name).isEmpty { builder.set(label.name, label.value) }
        guard Relabel.apply(rules, to: &builder) else { return nil }
        var alert = alert
        alert.labels = builder.labels()
        return alert.labels.isEmpty ? nil : alert
    }

    // MARK: Sending

    private func launch(_ sender: Sender) {
        sender.state.withLock { state in
            guard state.task == nil else { return }
            state.task = Task { [weak self] in
                for await _ in sender.wakes {
                    while !Task.isCancelled, await self?.sendBatch(of: sender) ?? false {}
                    if Task.isCancelled { return }
                }
            }
        }
        sender.wake.yield()
    }

    /// Sends the next batch; false if nothing waits.
    private func sendBatch(of sender: Sender) async -> Bool {
        let batch = sender.state.withLock { $0.queue.takeBatch() }
        if batch.isEmpty { return false }
        let began = clock.monotonic()
        var failure: String?
        do {
            let status = try await sender.endpoint.transport.post(
                NotificationRequest(
                    url: sender.endpoint.url,
                    headers: [("Content-Type", "application/json"), ("User-Agent", userAgent)],
                    body: Self.encode(batch), timeout: sender.endpoint.timeout))
            if status / 100 != 2 { failure = "bad response status \(status)" }
        } catch {
            failure = "\(error)"
        }
        let seconds = Double(clock.monotonic() - began) / 1e9
        sender.state.withLock { state in
            state.latency.add(seconds)
            if failure == nil {
                state.sent += batch.count
            } else {
                state.errors += batch.count
                state.queue.drop(batch.count)
            }
        }
        if let failure {
            Self.log.error(
                "Error sending alerts",
                ["alertmanager": sender.endpoint.url, "count": "\(batch.count)", "err": failure])
        }
        return true
    }

    /// The body of `POST /api/v2/alerts`.
    static func encode(_ alerts: [Alert]) -> [UInt8] {
        var json = JSONWriter(capacity: 256 * alerts.count)
        json.array { json in
            for alert in alerts {
                json.object { json in
                    json.key("labels")
                    WebhookPayload.encode(alert.labels, into: &json)
                    json.key("annotations")
                    WebhookPayload.encode(alert.annotations, into: &json)
                    json.key("startsAt")
                    json.string(RFC3339.milliseconds(alert.startsAt))
                    json.key("endsAt")
                    json.string(alert.endsAt == 0 ? RFC3339.zero : RFC3339.milliseconds(alert.endsAt))
                    json.key("generatorURL")
                    json.string(alert.generatorURL)
                }
            }
        }
        return json.bytes
    }

    // MARK: Metrics

    private func families() -> [MetricFamily] {
        let senders = settings.withLock { $0.senders }
        let states = senders.map { sender in
            sender.state.withLock {
                (
                    url: sender.endpoint.url, sent: $0.sent, errors: $0.errors, dropped: $0.queue.dropped,
                    waiting: $0.queue.waiting.count, latency: $0.latency
                )
            }
        }
        func family(
            _ name: String, _ help: String, _ kind: MetricFamily.Kind, _ values: [Double]
        ) -> MetricFamily {
            MetricFamily(
                name: name, help: help, kind: kind,
                samples: zip(states, values).map { .init(labels: [("alertmanager", $0.url)], value: $1) })
        }
        return [
            family(
                "prometheus_notifications_sent_total", "Total number of alerts sent.", .counter,
                states.map { Double($0.sent) }),
            family(
                "prometheus_notifications_errors_total",
                "Total number of sent alerts affected by errors.", .counter, states.map { Double($0.errors) }),
            family(
                "prometheus_notifications_dropped_total",
                "Total number of alerts dropped due to errors when sending to Alertmanager.", .counter,
                states.map { Double($0.dropped) }),
            family(
                "prometheus_notifications_queue_length", "The number of alert notifications in the queue.", .gauge,
                states.map { Double($0.waiting) }),
            MetricFamily(
                name: "prometheus_notifications_latency_seconds",
                help: "Latency quantiles for sending alert notifications.",
                kind: .summary,
                samples: states.flatMap {
                    $0.latency.samples([("alertmanager", $0.url)], quantiles: QuantileWindow.three)
                }),
            MetricFamily(
                name: "prometheus_notifications_queue_capacity",
                help: "The capacity of the alert notifications queue.", kind: .gauge,
                samples: [.init(value: Double(capacity))]),
            MetricFamily(
                name: "prometheus_notifications_alertmanagers_discovered",
                help: "The number of alertmanagers discovered and active.", kind: .gauge,
                samples: [.init(value: Double(states.count))]),
        ]
    }
}

/// Hands alerts to several takers.
package final class AlertFanOut: AlertSink {
    private let sinks: [any AlertSink]

    package init(_ sinks: [any AlertSink]) { self.sinks = sinks }

    package func send(_ alerts: [Alert]) { for sink in sinks { sink.send(alerts) } }
}
