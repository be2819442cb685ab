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

    private typealias Sender = AlertmanagerSender

    /// Names a sender: several entries of the configuration may have the same Alertmanager, each with its own queue.
    private struct Key: Hashable {
        var url: ExactText
        /// The number of those with this URL before it.
        var number: Int
    }

    private struct Settings {
        var senders: [Sender] = []
        /// The senders of Alertmanagers that are not there any more, while they send what waits.
        var leaving: [Sender] = []
        var droppedURLs: [String] = []
        var isStarted = false
    }

    /// The longest time in which an Alertmanager that is not there any more still gets what waits, ms.
    static let leavingTime: Int64 = 10_000

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
        registry.addCollector { [weak self] in
            guard let self else { return [] }
            return families(settings.withLock(\.senders), capacity: self.capacity)
        }
    }

    /// Replaces the Alertmanagers.
    ///
    /// An Alertmanager with the same URL keeps its queue, its counters and its current request; changed settings apply
    /// to its next request. One that is not there any more still gets the alerts that wait, for a limited time.
    package func apply(_ endpoints: [AlertmanagerEndpoint]) {
        let (gone, started) = settings.withLock { settings in
            var old = Self.byKey(settings.senders)
            // One that is found again continues, so that no alerts overtake others.
            let leaving = Self.byKey(settings.leaving.reversed())
            var counts: [ExactText: Int] = [:]
            var started: [Sender] = []
            settings.senders = endpoints.filter { !$0.isDropped }.map { endpoint in
                let url = ExactText(endpoint.url)
                let key = Key(url: url, number: counts[url, default: 0])
                counts[url] = key.number + 1
                if let sender = old.removeValue(forKey: key) {
                    sender.state.withLock { $0.endpoint = endpoint }
                    return sender
                }
                if let sender = leaving[key] {
                    settings.leaving.removeAll { $0 === sender }
                    sender.state.withLock { ($0.endpoint, $0.isDraining) = (endpoint, false) }
                    started.append(sender)
                    return sender
                }
                let sender = Sender(endpoint, AlertQueue(capacity: capacity, batchSize: batchSize))
                started.append(sender)
                return sender
            }
            settings.droppedURLs = endpoints.filter(\.isDropped).map { ConfigURL.shown($0.url) }
            var gone: [Sender] = []
            for sender in old.values {
                if settings.isStarted, drainsOnStop, sender.state.withLock({ $0.leave() }) {
                    settings.leaving.append(sender)
                    gone.append(sender)
                } else {
                    sender.cancel()
                }
            }
            return (gone, settings.isStarted ? started : [])
        }
        for sender in gone { letGo(sender) }
        for sender in started { launch(sender) }
    }

    private static func byKey(_ senders: [Sender]) -> [Key: Sender] {
        var counts: [ExactText: Int] = [:]
        var result: [Key: Sender] = [:]
        for sender in senders {
            let url = ExactText(sender.url)
            result[Key(url: url, number: counts[url, default: 0])] = sender
            counts[url, default: 0] += 1
        }
        return result
    }

    /// Wakes a sender that is leaving, and ends it when its time is over.
    private func letGo(_ sender: Sender) {
        sender.wake.yield()
        let departure = sender.state.withLock { $0.departures }
        Task { [weak self, clock] in
            do { try await clock.sleep(until: clock.now() &+ Self.leavingTime) } catch { return }
            self?.settings.withLock { settings in
                // It may have been found again, and have left again.
                guard sender.state.withLock({ $0.departures == departure }) else { return }
                let count = settings.leaving.count
                settings.leaving.removeAll { $0 === sender }
                if settings.leaving.count != count { sender.cancel() }
            }
        }
    }

    /// Removes a sender that is leaving and has sent everything; returns false if its task must continue.
    private func ends(_ sender: Sender) -> Bool {
        settings.withLock { settings in
            guard sender.state.withLock({ $0.ends() }) else { return false }
            settings.leaving.removeAll { $0 === sender }
            return true
        }
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
            return settings.senders + settings.leaving
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

    /// The number of Alertmanagers that are not there any more and still get what waits.
    var leavingCount: Int { settings.withLock { $0.leaving.count } }

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
                    if Task.isCancelled || self?.ends(sender) ?? true { return }
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
}
