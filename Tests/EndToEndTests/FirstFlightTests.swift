import Foundation
import JSON
import TestSupport
import Testing

/// The whole chain on real input: a real exporter, the real binary, a real webhook.
@Suite("First flight", .serialized)
struct FirstFlightTests {
    static let exporterPath = "/usr/bin/prometheus-node-exporter"

    static func startExporter(_ port: UInt16, _ folder: Folder) throws -> Daemon {
        try Daemon(
            exporterPath, ["--web.listen-address=127.0.0.1:\(port)", "--log.level=warn"], port: port, folder: folder.url
        )
    }

    static func webhookAlerts(_ stub: HTTPStub) -> [(status: String, name: String)] {
        stub.requests.compactMap { try? JSONValue.parse($0.body) }.flatMap { payload in
            (payload["alerts"]?.array ?? []).map {
                ($0["status"]?.string ?? "", $0["labels"]?["alertname"]?.string ?? "")
            }
        }
    }

    @Test(
        "an exporter that goes away fires, survives kill -9 of the daemon, and resolves",
        .enabled(if: FileManager.default.fileExists(atPath: exporterPath), "needs prometheus-node-exporter"))
    func chain() throws {
        let folder = try Folder()
        let webhook = try #require(HTTPStub { _ in HTTPStub.Response() })
        defer { webhook.stop() }
        let (exporterPort, port) = (LoopbackSocket.freePort(), LoopbackSocket.freePort())
        let config = try folder.write(
            "martlet.yml",
            """
            global:
              {scrape_interval: 500ms, scrape_timeout: 400ms, evaluation_interval: 500ms, external_labels: {site: lab}}
            alerting:
              alert_relabel_configs: [{target_label: area, replacement: west}]
            rule_files: [rules.yml]
            scrape_configs:
              - job_name: node
                static_configs: [{targets: ["127.0.0.1:\(exporterPort)"]}]
            """)
        _ = try folder.write(
            "rules.yml",
            """
            groups:
              - name: host
                rules:
                  - record: job:up:sum
                    expr: sum by (job) (up)
                  - alert: ExporterDown
                    expr: up{job="node"} == 0
                    for: 1s
                    labels: {severity: page}
                    annotations: {summary: "{{ $labels.job }} is down"}
            """)
        let alerting = try folder.write(
            "alerting.yml",
            """
            route: {receiver: hook, group_by: [alertname], group_wait: 100ms, group_interval: 500ms, repeat_interval: 1h}
            receivers:
              - name: hook
                webhook_configs: [{url: "http://127.0.0.1:\(webhook.port)/hook"}]
            """)
        func start() throws -> Daemon {
            let daemon = try Daemon(
                Daemon.martlet,
                [
                    "--config.file=\(config)", "--alerting.config.file=\(alerting)",
                    "--storage.tsdb.path=\(folder.url.path)/data", "--web.listen-address=127.0.0.1:\(port)",
                    "--rules.alert.for-grace-period=0s",
                ], port: port, folder: folder.url)
            #expect(daemon.waitReady(), "not ready: \(daemon.logText)")
            return daemon
        }

        var exporter = try Self.startExporter(exporterPort, folder)
        var daemon = try start()
        let answers = QueryAnswers(probe: daemon.probe)
        #expect(Daemon.wait { answers.value(#"up{job="node"}"#) == 1 }, "up never became 1: \(daemon.logText)")
        #expect(Daemon.wait { (answers.value("count_over_time(node_load1[1m])") ?? 0) >= 4 })
        #expect(answers.value("count({job=\"node\"})") ?? 0 > 100)
        #expect(answers.value("job:up:sum") == 1)

        exporter.terminate()
        #expect(
            Daemon.wait { Self.webhookAlerts(webhook).contains { $0 == ("firing", "ExporterDown") } }, "never fired")
        let labels = webhook.requests.first.flatMap { try? JSONValue.parse($0.body) }?["alerts"]?.array?.first?[
            "labels"]
        #expect(labels?["site"]?.string == "lab" && labels?["area"]?.string == "west", "\(String(describing: labels))")
        #expect(answers.value(#"up{job="node"}"#) == 0)
        #expect(
            answers.samples("node_load1").isEmpty, "a series of a failed scrape must be stale, not looked back for")
        let now = String(Date().timeIntervalSince1970)
        let expressions = ["{job=\"node\"}[10m]", "ALERTS_FOR_STATE[10m]", "job:up:sum[10m]"]
        let before = expressions.map { answers.samples($0, time: now) }
        let activeBefore = try #require(daemon.probe.get("/api/v1/alerts")).text
        daemon.kill9()

        daemon = try start()
        for (expression, known) in zip(expressions, before) {
            #expect(!known.isEmpty)
            let found = answers.samples(expression, time: now)
            for (series, samples) in known {
                #expect(found[series]?.starts(with: samples) == true, "\(series) lost samples over kill -9")
            }
        }
        func activeAt(_ text: String) -> String? {
            (try? JSONValue.parse(Array(text.utf8)))?["data"]?["alerts"]?.array?.first?["activeAt"]?.string
        }
        #expect(activeAt(activeBefore) != nil)
        #expect(
            Daemon.wait {
                activeAt(daemon.probe.get("/api/v1/alerts")?.text ?? "").map { $0.prefix(19) }
                    == activeAt(activeBefore).map { $0.prefix(19) }
            }, "the alert's state was not restored")

        #expect(
            Daemon.wait { daemon.probe.get("/api/v1/alerts")?.text.contains("\"state\":\"firing\"") == true },
            "the restored alert does not fire: \(daemon.probe.get("/api/v1/alerts")?.text ?? "")")

        exporter = try Self.startExporter(exporterPort, folder)
        #expect(
            Daemon.wait { Self.webhookAlerts(webhook).contains { $0 == ("resolved", "ExporterDown") } },

            "never resolved; up is \(answers.value(#"up{job="node"}"#) ?? -1); \(daemon.probe.get("/api/v1/alerts")?.text ?? ""); \(webhook.requests.map { String(decoding: $0.body, as: UTF8.self) }); \(daemon.logText)"
        )
        #expect(Self.webhookAlerts(webhook).filter { $0 == ("firing", "ExporterDown") }.count == 1, "fired twice")
        #expect(daemon.terminate() == 0, "a clean stop: \(daemon.logText)")
        exporter.terminate()
    }
}
