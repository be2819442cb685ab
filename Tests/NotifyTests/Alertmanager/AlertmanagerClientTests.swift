import Config
import JSON
import Model
import Notify
import Telemetry
import TestSupport
import Testing

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
        client.apply(
            [AlertmanagerEndpoint(url: "http://am/api/v2/alerts", transport: transport)], relabelRules: [],
            externalLabels: Labels([("cluster", "c"), ("n", "x")]))
        client.send(Self.alerts(300))
        await client.stop()
        let sizes = try transport.calls.map { try JSONValue.parse($0.body).array?.count }
        #expect(sizes == [256, 44])
        #expect(
            transport.calls[0].body.hasPrefix(
                #"[{"labels":{"cluster":"c","n":"0"},"annotations":{},"startsAt":"2023-11-14T22:13:20.000Z","#
                    + #""endsAt":"2023-11-14T22:13:20.500Z","generatorURL":""},"#))
        let sent = registry.families().first { $0.name == "prometheus_notifications_sent_total" }
        #expect(sent?.samples.map(\.value) == [300])
    }

    @Test("a full queue drops the oldest and a failing Alertmanager its batch, and both are counted")
    func drops() async throws {
        let clock = ManualClock()
        let transport = RecordingTransport(clock)
        transport.answer([500])
        let registry = MetricRegistry()
        let client = AlertmanagerClient(clock: clock, userAgent: "martlet", capacity: 10, metrics: registry)
        client.apply(
            [AlertmanagerEndpoint(url: "http://am", transport: transport)], relabelRules: [], externalLabels: .empty)
        client.send(Self.alerts(15))
        await client.stop()
        #expect(transport.calls.count == 1)
        #expect(transport.calls.first?.body.contains(#""n":"5""#) == true)
        #expect(transport.calls.first?.body.contains(#""n":"4""#) == false)
        func value(_ name: String) -> Double? { registry.families().first { $0.name == name }?.samples.first?.value }
        #expect(value("prometheus_notifications_dropped_total") == 15)
        #expect(value("prometheus_notifications_errors_total") == 10)
    }

    @Test("the configuration's targets become URLs, relabelled and without repetition")
    func endpoints() throws {
        let text = """
            alerting:
              alertmanagers:
                - path_prefix: /am/
                  scheme: https
                  static_configs: [{targets: ['a:1', 'b:2', 'a:1']}]
                  relabel_configs: [{source_labels: [__address__], regex: 'b.*', action: drop}]
                - static_configs: [{targets: ['c:3']}]
            """
        let config = try ConfigurationLoader.parse(text: Array(text.utf8), path: "p.yml")
        let transport = RecordingTransport(ManualClock())
        let endpoints = AlertmanagerEndpoint.all(config.alerting) { _ in transport }
        #expect(endpoints.map(\.url) == ["https://a:1/am/api/v2/alerts", "http://c:3/api/v2/alerts"])
    }
}
