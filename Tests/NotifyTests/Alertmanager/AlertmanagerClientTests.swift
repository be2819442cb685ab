import Config
import JSON
import Model
import Synchronization
import Telemetry
import TestSupport
import Testing

@testable import HTTP
@testable import Notify

@Suite("Alertmanager client")
struct AlertmanagerClientTests {
    static func alerts(_ count: Int) -> [Alert] {
        (0..<count).map {
            Alert(labels: Labels([("n", "\($0)")]), startsAt: Timeline.start, endsAt: Timeline.start + 500)
        }
    }

    @Test("sends batches of at most 256 in the API's form, with external labels where there are none")
    func batches() async throws {
        let clock = ManualClock()
        let transport = RecordingTransport(clock)
        let registry = MetricRegistry()
        let client = AlertmanagerClient(clock: clock, userAgent: "martlet", metrics: registry)
        client.apply([AlertmanagerEndpoint(url: "http://am/api/v2/alerts", transport: transport)])
        let sink = AlertFanOut([client])
        sink.apply(relabelRules: [], externalLabels: Labels([("cluster", "c"), ("n", "x")]))
        sink.send(Self.alerts(300))
        await client.stop()
        let sizes = try transport.calls.map { try JSONValue.parse($0.body).array?.count }
        #expect(sizes == [256, 44])
        #expect(
            transport.calls[0].body.hasPrefix(
                #"[{"labels":{"cluster":"c","n":"0"},"startsAt":"2023-11-14T22:13:20.000Z","#
                    + #""endsAt":"2023-11-14T22:13:20.500Z","generatorURL":""},"#))
        let sent = registry.families().first { $0.name == "prometheus_notifications_sent_total" }
        #expect(sent?.samples.map(\.value) == [300])
    }

    @Test("a label whose name relabelling makes empty is left out, so that the Alertmanager takes the rest")
    func emptyName() async throws {
        let text = "alerting: {alert_relabel_configs: [{action: labelmap, regex: 'x|n'}]}"
        let config = try ConfigurationLoader.parse(text: Array(text.utf8), path: "p.yml")
        let clock = ManualClock()
        let transport = RecordingTransport(clock)
        let client = AlertmanagerClient(clock: clock, userAgent: "martlet")
        client.apply([AlertmanagerEndpoint(url: "http://am", transport: transport)])
        let sink = AlertFanOut([client])
        sink.apply(relabelRules: config.alerting.relabelRules, externalLabels: .empty)
        var alert = Alert(labels: Labels([("n", "1")]), startsAt: Timeline.start)
        alert.annotations = Labels([("a", "b")])
        sink.send([alert])
        await client.stop()
        #expect(transport.calls.first?.body.hasPrefix(#"[{"labels":{"n":"1"},"annotations":{"a":"b"},"#) == true)
    }

    @Test("a full queue drops the oldest and a failing Alertmanager its batch, and both are counted")
    func drops() async throws {
        let clock = ManualClock()
        let transport = RecordingTransport(clock)
        transport.answer([500])
        let registry = MetricRegistry()
        let client = AlertmanagerClient(clock: clock, userAgent: "martlet", capacity: 10, metrics: registry)
        client.apply(
            [AlertmanagerEndpoint(url: "http://am", transport: transport)])
        client.send(Self.alerts(15))
        await client.stop()
        #expect(transport.calls.count == 1)
        #expect(transport.calls.first?.body.contains(#""n":"5""#) == true)
        #expect(transport.calls.first?.body.contains(#""n":"4""#) == false)
        func value(_ name: String) -> Double? { registry.families().first { $0.name == name }?.samples.first?.value }
        #expect(value("prometheus_notifications_dropped_total") == 15)
        #expect(value("prometheus_notifications_errors_total") == 10)
    }

    @Test("a queue without capacity drops every alert")
    func nothingFits() async throws {
        let clock = ManualClock()
        let transport = RecordingTransport(clock)
        let registry = MetricRegistry()
        let client = AlertmanagerClient(clock: clock, userAgent: "martlet", capacity: 0, metrics: registry)
        client.apply([AlertmanagerEndpoint(url: "http://am", transport: transport)])
        client.send(Self.alerts(3))
        await client.stop()
        #expect(transport.calls.isEmpty)
        let dropped = registry.families().first { $0.name == "prometheus_notifications_dropped_total" }
        #expect(dropped?.samples.first?.value == 3)
    }

    @Test("requests have as many alerts as was asked for")
    func batchSize() async throws {
        let clock = ManualClock()
        let transport = RecordingTransport(clock)
        let client = AlertmanagerClient(clock: clock, userAgent: "martlet", batchSize: 7)
        client.apply(
            [AlertmanagerEndpoint(url: "http://am", transport: transport)])
        client.send(Self.alerts(20))
        await client.stop()
        #expect(try transport.calls.map { try JSONValue.parse($0.body).array?.count } == [7, 7, 6])
    }

    /// Answers only when it is let.
    final class Gate: NotificationTransport {
        private let state = Mutex<(bodies: [Int], waiting: [CheckedContinuation<Void, Never>], isOpen: Bool)>(
            ([], [], false))
        var bodies: [Int] { state.withLock { $0.bodies } }

        func send(_ request: ReceiverRequest) async throws -> ReceiverAnswer {
            let count = try JSONValue.parse(request.body).array?.count ?? 0
            await withCheckedContinuation { continuation in
                let isOpen = state.withLock { state in
                    state.bodies.append(count)
                    if !state.isOpen { state.waiting.append(continuation) }
                    return state.isOpen
                }
                if isOpen { continuation.resume() }
            }
            return ReceiverAnswer(status: 200)
        }

        func open() {
            let waiting = state.withLock { state in
                state.isOpen = true
                return state.waiting
            }
            for continuation in waiting { continuation.resume() }
        }
    }

    /// Answers no request in its time.
    final class Silence: NotificationTransport {
        private let state = Mutex<(posts: Int, waiting: [CheckedContinuation<Void, Never>])>((0, []))
        private let kind: TransferFailure.Kind
        init(_ kind: TransferFailure.Kind) { self.kind = kind }
        var posts: Int { state.withLock { $0.posts } }

        func send(_ request: ReceiverRequest) async throws -> ReceiverAnswer {
            await withTaskCancellationHandler {
                await withCheckedContinuation { continuation in
                    let isOver = state.withLock { state in
                        state.posts += 1
                        if !Task.isCancelled { state.waiting.append(continuation) }
                        return Task.isCancelled
                    }
                    if isOver { continuation.resume() }
                }
            } onCancel: {
                pass()
            }
            throw HTTPClientError(method: "POST", url: request.url, kind: kind, reason: "no answer")
        }

        /// Lets the time of the requests be over.
        func pass() {
            let waiting = state.withLock { state in
                defer { state.waiting = [] }
                return state.waiting
            }
            for continuation in waiting { continuation.resume() }
        }
    }

    @Test("the end waits for no Alertmanager that has stopped answering, and for one request to one that stops now")
    func silentAtTheEnd() async {
        for hasFailedBefore in [true, false] {
            let clock = ManualClock()
            let silence = Silence(.timeout)
            let registry = MetricRegistry()
            let client = AlertmanagerClient(clock: clock, userAgent: "martlet", batchSize: 10, metrics: registry)
            client.apply(
                [AlertmanagerEndpoint(url: "http://am", transport: silence)])
            client.start()
            client.send(Self.alerts(200))
            while silence.posts < 1 { await Task.yield() }
            if hasFailedBefore {
                silence.pass()
                while silence.posts < 2 { await Task.yield() }
            }
            let posts = silence.posts
            // The clock stands still: the grace period never ends.
            let stop = Task { await client.stop(grace: .max / 4) }
            if !hasFailedBefore {
                while !client.isDraining { await Task.yield() }
                silence.pass()
            }
            await stop.value
            #expect(silence.posts == posts)
            let dropped = registry.families().first { $0.name == "prometheus_notifications_dropped_total" }
            #expect(hasFailedBefore || dropped?.samples.first?.value == 200)
        }
    }

    @Test("at the end an Alertmanager has two seconds for the answer to each request, and then no more of them")
    func patience() async {
        let clock = ManualClock()
        let silence = Silence(.cancelled)
        let client = AlertmanagerClient(clock: clock, userAgent: "martlet", batchSize: 10)
        client.apply(
            [AlertmanagerEndpoint(url: "http://am", transport: silence)])
        client.start()
        client.send(Self.alerts(200))
        while silence.posts < 1 { await Task.yield() }
        let stop = Task { await client.stop(grace: .max / 4) }
        await clock.waitForSleeper(until: clock.now() + LastRequests.time)
        clock.advance(to: clock.now() + LastRequests.time)
        await stop.value
        #expect(silence.posts == 1)
    }

    @Test("a reload sends nothing twice, loses nothing and keeps the counters")
    func reload() async throws {
        let clock = ManualClock()
        let (gate, later) = (Gate(), Gate())
        later.open()
        let registry = MetricRegistry()
        let client = AlertmanagerClient(clock: clock, userAgent: "martlet", batchSize: 10, metrics: registry)
        client.apply(
            [AlertmanagerEndpoint(url: "http://am", transport: gate)])
        client.start()
        client.send(Self.alerts(25))
        while gate.bodies.isEmpty { await Task.yield() }
        // The first ten are under way, fifteen wait.
        for _ in 0..<3 {
            client.apply(
                [AlertmanagerEndpoint(url: "http://am", transport: later)])
        }
        client.send(Self.alerts(2))
        gate.open()
        await client.stop()
        #expect(gate.bodies == [10])
        #expect(later.bodies == [10, 7])
        func value(_ name: String) -> Double? { registry.families().first { $0.name == name }?.samples.first?.value }
        #expect(value("prometheus_notifications_sent_total") == 27)
        #expect(
            registry.families().first { $0.name == "prometheus_notifications_latency_seconds" }?.samples.last?.value
                == 3)
    }
}
