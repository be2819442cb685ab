import Config
import GoCompatibility
import HTTP
import JSON
import Model
import Platform
import Synchronization
import Telemetry

/// Sends alerts to external Alertmanagers as Prometheus does: each has its own queue, and a batch that fails is
/// dropped, because the rules send their alerts again.
package final class AlertmanagerClient: AlertSink {
    private static let log = Log("notifier")

    /// The queue and the task of one Alertmanager.
    private final class Sender: Sendable {
        struct State {
            var endpoint: AlertmanagerEndpoint
            var queue: AlertQueue
            /// Whether the task ends as soon as the queue is empty, or a batch fails.
            var isDraining = false
            /// Whether the last request had no answer in time.
            var isSilent = false
            /// The number of requests that have begun.
            var begun = 0
            var sent = 0
            var errors = 0
            var latency = QuantileWindow()
            var task: Task<Void, Never>?
        }
        let url: String
        let state: Mutex<State>
        let wake: AsyncStream<Void>.Continuation
        let wakes: AsyncStream<Void>

        init(_ endpoint: AlertmanagerEndpoint, _ queue: AlertQueue) {
            url = endpoint.url
            state = Mutex(State(endpoint: endpoint, queue: queue))
            (wakes, wake) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
        }
    }

    private struct Settings {
        var senders: [Sender] = []
        var droppedURLs: [String] = []
        var isStarted = false
    }

    private let settings = Mutex(Settings())
    private let capacity: Int
    private let batchSize: Int
    private let drainsOnStop: Bool
    private let userAgent: String
    private let clock: any Clock

    /// - Parameters:
    ///   - capacity: The most waiting alerts of one Alertmanager.
    ///   - batchSize: The most alerts of one request.
    ///   - drainsOnStop: Whether ``stop()`` sends the waiting alerts.
    package init(
        clock: any Clock, userAgent: String, capacity: Int = 10_000, batchSize: Int = AlertQueue.batchSize,
        drainsOnStop: Bool = true,
        metrics registry: MetricRegistry = MetricRegistry()
    ) {
        self.clock = clock
        self.userAgent = userAgent
        self.capacity = capacity
        self.batchSize = max(1, batchSize)
        self.drainsOnStop = drainsOnStop
        registry.addCollector { [weak self] in self?.families() ?? [] }
    }

    /// Replaces the Alertmanagers.
    ///
    /// An Alertmanager with the same URL keeps its queue, its counters and its current request; changed settings apply
    /// to its next request.
    package func apply(_ endpoints: [AlertmanagerEndpoint]) {
        let (removed, added) = settings.withLock { settings in
            var old: [ExactText: Sender] = [:]
            for sender in settings.senders { old[ExactText(sender.url)] = sender }
            var added: [Sender] = []
            settings.senders = endpoints.filter { !$0.isDropped }.map { endpoint in
                if let sender = old.removeValue(forKey: ExactText(endpoint.url)) {
                    sender.state.withLock { $0.endpoint = endpoint }
                    return sender
                }
                let sender = Sender(endpoint, AlertQueue(capacity: capacity, batchSize: batchSize))
                added.append(sender)
                return sender
            }
            settings.droppedURLs = endpoints.filter(\.isDropped).map { ConfigURL.shown($0.url) }
            return (Array(old.values), settings.isStarted ? added : [])
        }
        for sender in removed { sender.state.withLock { $0.task?.cancel() } }
        for sender in added { launch(sender) }
    }

    package func start() {
        let senders = settings.withLock { settings in
            settings.isStarted = true
            return settings.senders
        }
        for sender in senders { launch(sender) }
    }

    /// Stops sending.
    ///
    /// Before that it sends the waiting alerts for at most `grace` ms, unless this is disabled.
    ///
    /// It does not wait for an Alertmanager that has stopped answering. It ends a request after ``LastRequests/time``,
    /// and sends nothing more to an Alertmanager that fails now.
    package func stop(grace: Int64 = 10_000) async {
        let senders = settings.withLock { settings in
            settings.isStarted = false
            return settings.senders
        }
        var tasks: [Task<Void, Never>] = []
        var underWay: [(sender: Sender, begun: Int, task: Task<Void, Never>)] = []
        for sender in senders {
            if drainsOnStop { launch(sender) }
            let (task, isSilent, begun) = sender.state.withLock { state in
                state.isDraining = true
                defer { state.task = nil }
                return (state.task, state.isSilent, state.begun)
            }
            guard let task else { continue }
            if drainsOnStop, !isSilent { sender.wake.yield() } else { task.cancel() }
            tasks.append(task)
            underWay.append((sender, begun, task))
        }
        let clock = clock
        let timers = [
            Task { [tasks] in
                do { try await clock.sleep(until: clock.now() &+ grace) } catch { return }
                for task in tasks { task.cancel() }
            },
            // Later requests use this as their timeout.
            Task { [underWay] in
                do { try await clock.sleep(until: clock.now() &+ LastRequests.time) } catch { return }
                for (sender, begun, task) in underWay where sender.state.withLock({ $0.begun == begun }) {
                    task.cancel()
                }
            },
        ]
        for task in tasks { await task.value }
        for timer in timers { timer.cancel() }
        for sender in senders { sender.state.withLock { $0.isDraining = false } }
    }

    /// Whether all Alertmanagers are being stopped.
    var isDraining: Bool {
        settings.withLock { $0.senders }.allSatisfy { $0.state.withLock { $0.isDraining } }
    }

    package func send(_ alerts: [Alert]) {
        for sender in settings.withLock(\.senders) {
            let own = sender.state.withLock { $0.endpoint.relabelRules }
            let accepted = alerts.compactMap { AlertFanOut.relabel($0, own) }
            if accepted.isEmpty { continue }
            sender.state.withLock { $0.queue.add(accepted) }
            sender.wake.yield()
        }
    }

    /// The URLs that alerts are sent to.
    package func activeURLs() -> [String] { settings.withLock { $0.senders.map { ConfigURL.shown($0.url) } } }

    /// The URLs that relabelling has dropped.
    package func droppedURLs() -> [String] { settings.withLock { $0.droppedURLs } }

    // MARK: Sending

    private func launch(_ sender: Sender) {
        sender.state.withLock { state in
            guard state.task == nil else { return }
            state.task = Task { [weak self] in
                for await _ in sender.wakes {
                    while !Task.isCancelled, await self?.sendBatch(of: sender) ?? false {}
                    if Task.isCancelled || sender.state.withLock({ $0.isDraining }) { return }
                }
            }
        }
        sender.wake.yield()
    }

    /// Sends the next batch; returns false if the queue is empty.
    private func sendBatch(of sender: Sender) async -> Bool {
        let (batch, endpoint, isLast) = sender.state.withLock { state in
            let batch = state.queue.takeBatch()
            if !batch.isEmpty { state.begun += 1 }
            return (batch, state.endpoint, state.isDraining)
        }
        if batch.isEmpty { return false }
        let began = clock.monotonic()
        var failure: String?
        var isSilent = false
        do {
            let status = try await endpoint.transport.send(
                ReceiverRequest(
                    url: endpoint.url,
                    headers: [("Content-Type", "application/json"), ("User-Agent", userAgent)],
                    body: Self.encode(batch),
                    timeout: isLast ? min(endpoint.timeout, LastRequests.time) : endpoint.timeout,
                    readsAnswer: false)
            ).status
            if status / 100 != 2 { failure = "bad response status \(status)" }
        } catch {
            failure = "\(error)"
            isSilent = (error as? HTTPClientError)?.kind == .timeout
        }
        let seconds = Double(clock.monotonic() - began) / 1e9
        sender.state.withLock { state in
            state.latency.add(seconds)
            state.isSilent = isSilent
            if failure == nil {
                state.sent += batch.count
            } else {
                state.errors += batch.count
                state.queue.drop(batch.count)
                if state.isDraining { state.queue.dropAll() }
            }
        }
        if let failure {
            let url = ConfigURL.shown(endpoint.url)
            Self.log.error(
                "Error sending alerts", about: [url, failure],
                ["alertmanager": url, "count": "\(batch.count)", "err": failure])
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
                    if !alert.annotations.isEmpty {
                        json.key("annotations")
                        WebhookPayload.encode(alert.annotations, into: &json)
                    }
                    json.key("startsAt")
                    json.string(RFC3339.text(alert.startsAt, fraction: .milliseconds))
                    json.key("endsAt")
                    json.string(alert.endsAt == 0 ? RFC3339.zero : RFC3339.text(alert.endsAt, fraction: .milliseconds))
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
                    url: ConfigURL.shown(sender.url), sent: $0.sent, errors: $0.errors, dropped: $0.queue.dropped,
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
